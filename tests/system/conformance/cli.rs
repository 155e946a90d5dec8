//! `[sig-cli] Kubectl client`

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::sync::mpsc;

use regex::Regex;
use serde_json::Value;

use crate::harness::{Cluster, DEADLINE, get};

const IMAGE: &str = "registry.coracle.internal/web:1";
const OTHER_IMAGE: &str = "registry.coracle.internal/other:1";
const CONTAINERS: &str = "jsonpath={.spec.containers[*].name}={.spec.containers[*].image}";

/// A running `kubectl proxy`. Dropping it stops the process.
struct Proxy(Child);

impl Proxy {
    /// Starts it, and returns what it says once it serves.
    fn start(cluster: &Cluster, flags: &str) -> (Self, String) {
        let mut command = cluster.kubectl_command();
        command.arg("proxy").args(flags.split(' ')).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let proxy = Self(child);
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = stdout.read_line(&mut line);
            // Whoever gave up waiting no longer listens.
            let _ = sender.send(line);
        });
        let line = receiver.recv_timeout(DEADLINE).expect("kubectl proxy says where it serves");
        (proxy, line)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An answer of `/api` names at least one version.
fn names_a_version(answer: &str) {
    let body = answer.find('{').map(|start| &answer[start..=answer.rfind('}').unwrap()]);
    let versions: Value = serde_json::from_str(body.unwrap_or_else(|| panic!("{answer}"))).unwrap();
    assert_eq!(versions["versions"], serde_json::json!(["v1"]), "{answer}");
}

/// `[sig-cli] Kubectl client Kubectl cluster-info should check if Kubernetes control plane services is included in
/// cluster-info [Conformance]`
#[test]
fn kubectl_cluster_info_should_check_if_kubernetes_control_plane_services_is_included_in_cluster_info() {
    let told = Cluster::start().kubectl("cluster-info").ok();
    assert!(told.contains("Kubernetes control plane") && told.contains("is running at"), "{told}");
}

/// `[sig-cli] Kubectl client Kubectl run pod should create a pod from an image when restart is Never [Conformance]`
#[test]
fn kubectl_run_pod_should_create_a_pod_from_an_image_when_restart_is_never() {
    let cluster = Cluster::start();
    cluster.kubectl(&format!("run web --restart=Never --image={IMAGE}")).ok();
    assert_eq!(cluster.kubectl(&format!("get pod web -o {CONTAINERS}")).ok(), format!("web={IMAGE}"));
    assert_eq!(cluster.kubectl("get pod web -o jsonpath={.spec.restartPolicy}").ok(), "Never");
}

/// `[sig-cli] Kubectl client Kubectl server-side dry-run should check if kubectl can dry-run update Pods [Conformance]`
#[test]
fn kubectl_server_side_dry_run_should_check_if_kubectl_can_dry_run_update_pods() {
    let cluster = Cluster::start();
    cluster.kubectl(&format!("run web --image={IMAGE} --labels=run=web")).ok();
    let patch = format!(r#"{{"spec":{{"containers":[{{"name":"web","image":"{OTHER_IMAGE}"}}]}}}}"#);
    let as_if = cluster.kubectl(&format!("patch pod web -p {patch} --dry-run=server -o {CONTAINERS}")).ok();
    assert_eq!(as_if, format!("web={OTHER_IMAGE}"));
    assert_eq!(cluster.kubectl(&format!("get pod web -o {CONTAINERS}")).ok(), format!("web={IMAGE}"));
    cluster.kubectl("delete pods web --timeout=60s").ok();
}

/// `[sig-cli] Kubectl client Kubectl version should check is all data is printed [Conformance]`
#[test]
fn kubectl_version_should_check_is_all_data_is_printed() {
    let cluster = Cluster::start();
    let short = cluster.kubectl("version").ok();
    for item in ["Client Version: ", "Server Version: "] {
        assert!(Regex::new(&format!(r"(?m)^{item}v\d\.\d+\.[\w.+-]+$")).unwrap().is_match(&short), "{short}");
    }
    // The long form is an object since kubectl 1.28.
    let long: Value = serde_json::from_str(&cluster.kubectl("version -o json").ok()).unwrap();
    for side in ["clientVersion", "serverVersion"] {
        for (field, pattern) in [
            ("major", r"^\d$"),
            ("minor", r"^\d+\+?$"),
            ("gitVersion", r"^v\d\.\d+\.[\w.+-]+$"),
            ("gitCommit", "^[0-9a-f]+$"),
        ] {
            let value = long[side][field].as_str().unwrap_or_default();
            assert!(Regex::new(pattern).unwrap().is_match(value), "{side}.{field}: {value:?}");
        }
    }
}

/// `[sig-cli] Kubectl client Proxy server should support --unix-socket=/path [Conformance]`
#[test]
fn proxy_server_should_support_unix_socket_path() {
    let cluster = Cluster::start();
    let path = cluster.scratch().join("proxy.sock");
    let (_proxy, says) = Proxy::start(&cluster, &format!("--unix-socket={}", path.display()));
    assert!(says.contains(path.to_str().unwrap()), "{says:?}");
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(b"GET /api HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    names_a_version(&answer);
}

/// `[sig-cli] Kubectl client Proxy server should support proxy with --port 0 [Conformance]`
#[test]
fn proxy_server_should_support_proxy_with_port_0() {
    let cluster = Cluster::start();
    let (_proxy, says) = Proxy::start(&cluster, "--port 0 --disable-filter");
    let port = Regex::new(r"^Starting to serve on 127\.0\.0\.1:(\d+)\n$").unwrap().captures(&says);
    let port: u16 = port.unwrap_or_else(|| panic!("{says:?}"))[1].parse().unwrap();
    assert_ne!(port, 0);
    names_a_version(&get(&format!("http://127.0.0.1:{port}/api/")).unwrap());
}
