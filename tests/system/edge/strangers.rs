//! The node's own port: who is let in, and what the others are told.

use super::{EdgeNode, field};
use crate::harness::{Cluster, Finished, run};

/// What the node's port answers to a GET. kubectl asks it like any server.
fn ask(cluster: &Cluster, edge: &EdgeNode, proof: &[&str], path: &str) -> Finished {
    let port = field(cluster, "node edge", ".status.daemonEndpoints.kubeletEndpoint.Port");
    let server = format!("https://{}:{port}", edge.line("address"));
    let mut command = cluster.kubectl_command();
    command.env("KUBECONFIG", "/dev/null").args(["--server", &server, "--insecure-skip-tls-verify"]);
    run(command.args(proof).args(["get", "--raw", path]))
}

#[test]
fn the_port_of_a_node_is_for_those_whom_the_cluster_knows_and_lets() {
    let cluster = Cluster::start();
    let edge = EdgeNode::join(&cluster, "edge");
    let unauthorized = |proof: &[&str]| {
        let complaint = ask(&cluster, &edge, proof, "/pods").failed();
        assert!(complaint.contains("You must be logged in to the server"), "{proof:?}: {complaint}");
    };
    // kubectl asks its user rather than come with nothing; a password is as good as nothing.
    unauthorized(&["--username", "jane", "--password", "secret"]);
    unauthorized(&["--token", "nonsense"]);
    // A certificate of another cluster's authority.
    let other = Cluster::start();
    let files = |cluster: &Cluster| {
        ["admin.crt", "admin.key"].map(|file| cluster.data_dir().join("pki").join(file).display().to_string())
    };
    let [theirs, their_key] = files(&other);
    unauthorized(&["--client-certificate", &theirs, "--client-key", &their_key]);

    cluster.kubectl("create serviceaccount visitor").ok();
    let token = cluster.kubectl("create token visitor").ok();
    for (path, subresource) in
        [("/pods", "proxy"), ("/stats/summary", "stats"), ("/containerLogs/default/a/b", "proxy")]
    {
        let complaint = ask(&cluster, &edge, &["--token", token.trim()], path).failed();
        let words = format!(
            "Forbidden (user=system:serviceaccount:default:visitor, verb=get, resource=nodes, subresource={subresource})"
        );
        assert!(complaint.contains(&words), "{complaint}");
    }

    let [ours, key] = files(&cluster);
    let proof = ["--client-certificate", &ours, "--client-key", &key];
    assert_eq!(ask(&cluster, &edge, &proof, "/healthz").ok(), "ok");
    assert!(ask(&cluster, &edge, &proof, "/pods").ok().contains("\"kind\":\"PodList\""));
    assert!(ask(&cluster, &edge, &proof, "/stats/summary").ok().contains("\"nodeName\":\"edge\""));
}
