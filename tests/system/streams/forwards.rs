//! port-forward.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Stdio};

use super::TRANSPORTS;
use crate::harness::{Cluster, eventually, get};

/// A `kubectl port-forward` that ends with its test.
pub struct Forward {
    child: Child,
    /// The port on this machine.
    pub port: u16,
}

impl Drop for Forward {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts one over one of the transports, and waits until it listens.
pub fn forward(cluster: &Cluster, websockets: &str, what: &str) -> Forward {
    let mut command = cluster.kubectl_command();
    command.env("KUBECTL_PORT_FORWARD_WEBSOCKETS", websockets).args(["port-forward", "--address=127.0.0.1"]);
    command.args(what.split(' ')).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    let port = line.strip_prefix("Forwarding from 127.0.0.1:").and_then(|rest| rest.split(' ').next()?.parse().ok());
    // Drained, so that kubectl can go on saying which connections it handles.
    std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
    let Some(port) = port else {
        let mut said = String::new();
        let _ = child.stderr.take().unwrap().read_to_string(&mut said);
        panic!("{line}{said}");
    };
    Forward { child, port }
}

#[test]
fn a_local_port_leads_to_the_pods() {
    let cluster = Cluster::with_sample("hello");
    cluster.kubectl("wait --for=condition=Available deploy/hello --timeout=60s").ok();
    for (transport, websockets) in TRANSPORTS {
        let mut forwarded = forward(&cluster, websockets, "deploy/hello :8080 :81");
        let url = format!("http://127.0.0.1:{}/", forwarded.port);
        // Side by side, and one after another.
        let askers: Vec<_> = (0..8)
            .map(|_| {
                let url = url.clone();
                std::thread::spawn(move || (0..5).map(|_| get(&url)).collect::<Result<Vec<_>, _>>())
            })
            .collect();
        for asker in askers {
            let answers = asker.join().unwrap().unwrap();
            assert!(answers.iter().all(|answer| answer.to_lowercase().contains("hello")), "{transport}: {answers:?}");
        }
        assert!(forwarded.child.try_wait().unwrap().is_none(), "{transport}");
    }
    for (transport, websockets) in TRANSPORTS {
        let mut forwarded = forward(&cluster, websockets, "deploy/hello :81");
        let stderr = BufReader::new(forwarded.child.stderr.take().unwrap());
        assert!(get(&format!("http://127.0.0.1:{}/", forwarded.port)).is_err());
        let mut lines = stderr.lines().map_while(Result::ok);
        let told = lines.find(|line| line.contains("error forwarding port 81 to pod hello-"));
        let told = told.unwrap_or_default();
        assert!(told.contains("connect: connection refused"), "{transport}: {told}");
    }
}

#[test]
fn a_forward_ends_with_the_server() {
    let mut cluster = Cluster::with_sample("hello");
    cluster.kubectl("wait --for=condition=Available deploy/hello --timeout=60s").ok();
    let mut forwarded = forward(&cluster, "true", "deploy/hello :8080");
    get(&format!("http://127.0.0.1:{}/", forwarded.port)).unwrap();
    let took = cluster.stop();
    assert!(took.as_secs() < 4, "{took:?}");
    eventually("kubectl notices", || match forwarded.child.try_wait().unwrap() {
        Some(_) => Ok(()),
        None => Err("it still runs".to_string()),
    });
}
