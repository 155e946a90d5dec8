//! Nodes that come with a bootstrap token, and go on with certificates of their own.

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{EdgeNode, expect, field, pod_on, ready};
use crate::harness::guests::push_sample;
use crate::harness::{Cluster, Finished, Options, eventually, run};

/// The group of tokens that are for joining.
const JOINERS: &str = "system:bootstrappers:kubeadm:default-node-token";
const TOKEN: &str = "abcdef.0123456789abcdef";

/// A node that knows nothing but a bootstrap token of these groups.
fn newcomer(cluster: &Cluster, name: &str, groups: &str) -> EdgeNode {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "bootstrap.kubernetes.io/token",
        "metadata": { "name": "bootstrap-token-abcdef", "namespace": "kube-system" },
        "stringData": {
            "token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true",
            "auth-extra-groups": groups,
        },
    });
    cluster.apply(&secret.to_string());
    let shown = cluster.kubectl("config view --raw --minify -o json").ok();
    let mut kubeconfig: Value = serde_json::from_str(&shown).expect("kubectl prints JSON");
    kubeconfig["users"][0]["user"] = json!({ "token": TOKEN });
    let bootstrap = cluster.scratch().join("bootstrap.conf");
    std::fs::write(&bootstrap, kubeconfig.to_string()).expect("the scratch directory can be written");
    let mut node = EdgeNode::unstarted(cluster, name);
    node.kubeconfig = cluster.scratch().join(format!("{name}.conf"));
    node.flags = vec!["--bootstrap-kubeconfig".to_owned(), bootstrap.display().to_string()];
    node
}

/// kubectl with the node's own credentials.
fn as_node(cluster: &Cluster, node: &EdgeNode) -> Command {
    let mut command = cluster.kubectl_command();
    command.env("KUBECONFIG", &node.kubeconfig);
    command
}

/// Names of the requests of a signer.
fn requests(cluster: &Cluster, signer: &str) -> Vec<String> {
    let query = format!(
        "get csr --field-selector spec.signerName=kubernetes.io/{signer} -o jsonpath={{.items[*].metadata.name}}"
    );
    cluster.kubectl(&query).ok().split_whitespace().map(str::to_owned).collect()
}

/// The first request of a signer, once it is there.
fn request(cluster: &Cluster, signer: &str) -> String {
    eventually("a request", || requests(cluster, signer).into_iter().next().ok_or_else(|| "there is none".to_owned()))
}

fn current(node: &EdgeNode) -> PathBuf {
    let link = node.data_dir().join("pki/kubelet-client-current.pem");
    std::fs::read_link(link).expect("the bootstrap has written it")
}

#[test]
fn a_token_makes_a_node_that_goes_on_without_it() {
    let cluster = Cluster::start();
    push_sample(&cluster, "hello");
    let mut edge = newcomer(&cluster, "edge", JOINERS);
    edge.boot();
    cluster.kubectl("wait --for=condition=Ready node/edge --timeout=60s").ok();
    let who = run(as_node(&cluster, &edge).args(["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"])).ok();
    assert_eq!(who, "system:node:edge");
    cluster.apply(&pod_on("edge", "hello", "hello"));
    ready(&cluster, "hello");
    assert!(cluster.kubectl("logs hello").result().is_ok());

    let kept = current(&edge);
    cluster.kubectl("delete secret -n kube-system bootstrap-token-abcdef").ok();
    edge.stop();
    edge.boot();
    cluster.kubectl("delete pod hello --timeout=60s").ok();
    cluster.apply(&pod_on("edge", "again", "hello"));
    ready(&cluster, "again");
    assert_eq!((current(&edge), requests(&cluster, "kube-apiserver-client-kubelet").len()), (kept, 1));
}

#[test]
fn a_node_that_is_not_wanted_is_told_so() {
    let cluster = Cluster::start();
    // It may ask, and nobody says yes by himself.
    let binding =
        "create clusterrolebinding askers --clusterrole system:node-bootstrapper --group system:bootstrappers";
    cluster.kubectl(binding).ok();
    let edge = newcomer(&cluster, "edge", "system:bootstrappers:askers");
    let complaint = std::thread::scope(|scope| {
        let node = scope.spawn(|| run(&mut edge.command()).failed());
        let name = request(&cluster, "kube-apiserver-client-kubelet");
        cluster.kubectl(&format!("certificate deny {name}")).ok();
        node.join().expect("the node says no")
    });
    assert!(
        complaint.contains("is denied, reason: KubectlDeny, message: This CSR was denied by kubectl"),
        "{complaint}"
    );
    assert!(!edge.kubeconfig.exists());
    // And is told the same when it tries again.
    let again = run(&mut edge.command()).failed();
    assert!(again.contains("is denied, reason: KubectlDeny"), "{again}");
    assert_eq!(requests(&cluster, "kube-apiserver-client-kubelet").len(), 1);
}

#[test]
fn a_certificate_is_replaced_while_pods_run() {
    // They begin five minutes before they are made, so these are due at once or within half a minute.
    let flags = vec!["--cluster-signing-duration".to_owned(), "60s".to_owned()];
    let cluster = Cluster::start_with(Options { flags, ..Options::default() });
    push_sample(&cluster, "hello");
    let mut edge = newcomer(&cluster, "edge", JOINERS);
    edge.boot();
    let (first, pid) = (current(&edge), edge.pid());
    eventually("another certificate", || {
        let now = current(&edge);
        if now == first { Err(format!("still {}", now.display())) } else { Ok(()) }
    });
    // Asked for by the node itself: the token is not needed any more.
    let users = cluster.kubectl("get csr -o jsonpath={.items[*].spec.username}").ok();
    assert!(users.split(' ').any(|user| user == "system:node:edge"), "{users}");
    cluster.apply(&pod_on("edge", "hello", "hello"));
    ready(&cluster, "hello");
    expect(&cluster, "get node edge -o jsonpath='{.status.conditions[?(@.type==\"Ready\")].status}'", "True");
    assert_eq!(edge.pid(), pid);
}

/// A request for a node's certificate, as an object.
fn signing_request(user: &str) -> String {
    let mut parameters = rcgen::CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(rcgen::DnType::OrganizationName, "system:nodes");
    parameters.distinguished_name.push(rcgen::DnType::CommonName, user);
    let key = rcgen::KeyPair::generate().expect("a key");
    let pem = parameters.serialize_request(&key).and_then(|request| request.pem()).expect("a request");
    let object = json!({
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": { "name": "stolen" },
        "spec": {
            "request": STANDARD.encode(pem), "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
            "usages": ["digital signature", "client auth"],
        },
    });
    object.to_string()
}

#[test]
fn a_stolen_certificate_makes_nobody_else() {
    let cluster = Cluster::start();
    let mut edge = newcomer(&cluster, "edge", JOINERS);
    edge.boot();
    let file = cluster.scratch().join("stolen.json");
    let ask = |user: &str| -> Finished {
        std::fs::write(&file, signing_request(user)).expect("the scratch directory can be written");
        run(as_node(&cluster, &edge).args(["create", "-f"]).arg(&file))
    };
    for user in ["system:node:node", "system:node:other"] {
        let complaint = ask(user).failed();
        assert!(complaint.contains("can only create a node CSR with CN=system:node:edge"), "{complaint}");
    }
    ask("system:node:edge").ok();
    for line in [["get", "node", "node"], ["delete", "node", "node"], ["get", "secrets", "-A"]] {
        let complaint = run(as_node(&cluster, &edge).args(line)).failed();
        assert!(complaint.contains("is forbidden"), "{line:?}: {complaint}");
    }
}

#[test]
fn the_port_of_a_node_shows_what_the_cluster_has_signed() {
    let cluster = Cluster::start();
    let mut edge = newcomer(&cluster, "edge", JOINERS);
    edge.flags.push("--rotate-server-certificates".to_owned());
    edge.boot();
    let pki = |file: &str| cluster.data_dir().join("pki").join(file);
    let ask = |authority: &Path| {
        let port = field(&cluster, "node edge", ".status.daemonEndpoints.kubeletEndpoint.Port");
        let server = format!("https://{}:{port}", edge.line("address"));
        let mut command = cluster.kubectl_command();
        command.env("KUBECONFIG", "/dev/null").args(["--server", &server, "--certificate-authority"]).arg(authority);
        command.arg("--client-certificate").arg(pki("admin.crt")).arg("--client-key").arg(pki("admin.key"));
        run(command.args(["get", "--raw", "/healthz"]))
    };
    let name = request(&cluster, "kubelet-serving");
    // Nobody has approved it, and nobody does so by himself.
    let complaint = ask(&pki("ca.crt")).failed();
    assert!(complaint.contains("x509"), "{complaint}");
    assert_eq!(field(&cluster, &format!("csr {name}"), ".status.conditions"), "");
    cluster.kubectl(&format!("certificate approve {name}")).ok();
    let answer = eventually("a certificate of the cluster's", || ask(&pki("ca.crt")).result());
    assert_eq!(answer, "ok");
    assert!(edge.data_dir().join("pki/kubelet-server-current.pem").exists());
}
