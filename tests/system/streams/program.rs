//! The same by kube-rs.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Api;
use kube::api::{AttachParams, AttachedProcess, ListParams};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::cluster;
use crate::client::{client, in_time};
use crate::harness::Cluster;

/// What a process prints, and how it ended.
pub async fn finish(mut process: AttachedProcess) -> (String, String, Status) {
    let status = process.take_status().unwrap();
    let (mut out, mut err) = (String::new(), String::new());
    let (mut stdout, mut stderr) = (process.stdout(), process.stderr());
    let reading = async {
        let out = async {
            if let Some(stdout) = &mut stdout {
                stdout.read_to_string(&mut out).await.unwrap();
            }
        };
        let err = async {
            if let Some(stderr) = &mut stderr {
                stderr.read_to_string(&mut err).await.unwrap();
            }
        };
        tokio::join!(out, err, status).2.unwrap()
    };
    let status = in_time("the end", reading).await;
    in_time("the connection's end", process.join()).await.unwrap();
    (out, err, status)
}

/// `[k8s.io] Pods should support remote command execution over websockets [NodeConformance] [Conformance]`: kube-rs knows
/// no other way.
#[tokio::test]
async fn a_program_executes_and_attaches() {
    let cluster = cluster();
    let pods: Api<Pod> = Api::default_namespaced(client(&cluster).await);
    let quiet = AttachParams::default().stdin(false);
    let process = pods.exec("streams", ["args", "one"], &quiet).await.unwrap();
    let (out, err, status) = finish(process).await;
    assert_eq!((out.as_str(), err.as_str(), status.status.as_deref()), ("args\none\n", "", Some("Success")));

    let (out, err, status) = finish(pods.exec("streams", ["fail"], &quiet).await.unwrap()).await;
    assert_eq!((out.as_str(), err.as_str(), status.reason.as_deref()), ("", "wrong\n", Some("NonZeroExitCode")));
    let causes = status.details.unwrap().causes.unwrap();
    assert_eq!(causes[0].message.as_deref(), Some("3"));

    // With a terminal there is no stderr.
    let terminal = AttachParams::default().stdin(false).stderr(false).tty(true);
    let (out, _, _) = finish(pods.exec("streams", ["fail"], &terminal).await.unwrap()).await;
    assert_eq!(out, "wrong\r\n");

    // Version 5 tells the program that there is no more input.
    let input = AttachParams::default().stdin(true).stderr(false);
    let mut process = pods.exec("streams", ["cat"], &input).await.unwrap();
    let mut stdin = process.stdin().unwrap();
    stdin.write_all(b"hello").await.unwrap();
    stdin.shutdown().await.unwrap();
    drop(stdin);
    let (out, _, status) = finish(process).await;
    assert_eq!((out.as_str(), status.status.as_deref()), ("hello", Some("Success")));

    let mut process = pods.attach("streams", &input).await.unwrap();
    let mut stdin = process.stdin().unwrap();
    stdin.write_all(b"to the end").await.unwrap();
    stdin.shutdown().await.unwrap();
    drop(stdin);
    let (out, _, status) = finish(process).await;
    assert_eq!((out.as_str(), status.status.as_deref()), ("to the end", Some("Success")));

    let refused = pods.exec("streams", Vec::<String>::new(), &quiet).await;
    assert!(refused.is_err());
}

/// More than may run in a container at once (`wasi-host`'s limit), so those before must have ended.
const VISITORS: usize = 70;

#[tokio::test]
async fn a_command_ends_with_its_client() {
    let cluster = cluster();
    let pods: Api<Pod> = Api::default_namespaced(client(&cluster).await);
    let input = AttachParams::default().stdin(true).stderr(false);
    for visitor in 0..VISITORS {
        let mut process = pods.exec("streams", ["cat"], &input).await.unwrap();
        let (mut stdin, mut stdout) = (process.stdin().unwrap(), process.stdout().unwrap());
        stdin.write_all(b"x").await.unwrap();
        let mut echoed = [0; 1];
        let read = in_time("an echo", stdout.read_exact(&mut echoed)).await;
        assert!(read.is_ok() && echoed == *b"x", "visitor {visitor}: {read:?}");
        process.abort();
    }
}

#[tokio::test]
async fn a_program_forwards_ports() {
    let cluster = Cluster::with_sample("hello");
    cluster.kubectl("wait --for=condition=Available deploy/hello --timeout=60s").ok();
    let pods: Api<Pod> = Api::default_namespaced(client(&cluster).await);
    let name = pods.list(&ListParams::default().labels("app=hello")).await.unwrap().items[0].metadata.name.clone();
    let name = name.unwrap();
    let mut forwarder = pods.portforward(&name, &[8080, 81]).await.unwrap();
    let mut stream = forwarder.take_stream(8080).unwrap();
    let asking = async {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: hello\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        let mut piece = [0; 1024];
        while !String::from_utf8_lossy(&answer).to_lowercase().contains("hello") {
            let read = stream.read(&mut piece).await.unwrap();
            assert!(read > 0, "{}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&piece[..read]);
        }
        String::from_utf8_lossy(&answer).into_owned()
    };
    let answer = in_time("an answer", asking).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let error = in_time("an error", forwarder.take_error(81).unwrap()).await.unwrap();
    assert!(error.contains("connect: connection refused"), "{error}");
    drop(stream);
    forwarder.abort();
}
