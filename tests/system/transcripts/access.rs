//! Who may do what: roles, bindings, questions about rights, and what somebody without them is told.

use std::path::PathBuf;

use expect_test::expect_file;
use serde_json::{Value, json};

use crate::harness::{Cluster, Transcript};

/// Two teams: `jane` reads pods of one, `kim` works in it, `ann` is its administrator.
fn with_a_team(transcript: &mut Transcript<'_>) {
    transcript
        .kubectl("create namespace team")
        .kubectl("create serviceaccount bot -n team")
        .kubectl("create role reader --verb=get,list --resource=pods,deployments.apps --resource-name=web -n team")
        .kubectl("create rolebinding reads --role=reader --user=jane --serviceaccount=team:bot -n team")
        .kubectl("create rolebinding works --clusterrole=edit --user=kim -n team")
        .kubectl("create rolebinding rules --clusterrole=admin --group=chiefs -n team")
        .kubectl("create clusterrole health --verb=get --non-resource-url=/metrics,/healthz/*")
        .kubectl("create clusterrolebinding health --clusterrole=health --user=jane");
}

#[test]
fn rights_are_listed_and_asked_for() {
    let cluster = Cluster::start();
    let mut transcript = Transcript::new(&cluster);
    with_a_team(&mut transcript);
    transcript
        .kubectl("auth whoami --as=jane --as-group=devs --as-uid=7")
        .kubectl_in_any_order("auth can-i --list --as=jane -n team")
        .kubectl_in_any_order("auth can-i --list --as=nobody")
        .kubectl_in_any_order("auth can-i --list --as=system:serviceaccount:team:bot -n team")
        .kubectl("auth can-i get pods/web --as=jane -n team")
        .kubectl("auth can-i get pods/other --as=jane -n team")
        .kubectl("auth can-i list pods --as=jane")
        .kubectl("auth can-i get /metrics --as=jane")
        .kubectl("auth can-i create pods --subresource=exec --as=kim -n team")
        .kubectl("auth can-i create roles --as=kim -n team")
        .kubectl("auth can-i create roles --as=ann --as-group=chiefs -n team")
        .kubectl("auth can-i get nodes --as=kim")
        .kubectl("get clusterrole edit -o jsonpath={.aggregationRule}")
        .kubectl("describe role reader -n team")
        .kubectl("describe rolebinding reads -n team");
    expect_file!["../golden/access.txt"].assert_eq(&transcript.normalised());
}

#[test]
fn who_has_no_right_is_told_which() {
    let cluster = Cluster::start();
    let mut transcript = Transcript::new(&cluster);
    with_a_team(&mut transcript);
    transcript
        .kubectl("get pods --as=jane")
        .kubectl("get pod web --as=jane -n team")
        .kubectl("get pod other --as=jane -n team")
        .kubectl("get secrets --as=jane -n team")
        .kubectl("get nodes --as=kim")
        .kubectl("get pods -A --as=kim")
        .kubectl("create configmap mine --from-literal=a=1 --as=kim -n team")
        .kubectl("create configmap mine --from-literal=a=1 --as=kim")
        .kubectl("delete namespace team --as=kim")
        .kubectl("create role more --verb=get --resource=secrets --as=kim -n team")
        .kubectl("get --raw /metrics --as=kim")
        // Nobody gives what he has not.
        .kubectl("create role more --verb=get,list --resource=secrets --as=ann --as-group=chiefs -n team")
        .kubectl("create role more2 --verb=get,list --resource=nodes --as=ann --as-group=chiefs -n team")
        .kubectl("create rolebinding all --clusterrole=cluster-admin --user=ann --as=ann --as-group=chiefs -n team");
    expect_file!["../golden/forbidden.txt"].assert_eq(&transcript.normalised());
}

/// A kubeconfig for the cluster and its team's namespace, with other credentials than the administrator's.
fn kubeconfig(cluster: &Cluster, name: &str, credentials: &Value) -> PathBuf {
    let view = |field: &str| {
        let path = format!("jsonpath={{.clusters[0].cluster.{field}}}");
        cluster.kubectl(&format!("config view --raw --minify -o {path}")).ok()
    };
    let (server, authority) = (view("server"), view("certificate-authority-data"));
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "clusters": [{"name": "here", "cluster": {"server": server, "certificate-authority-data": authority}}],
        "users": [{"name": name, "user": credentials}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": name, "namespace": "team"}}],
    });
    let file = cluster.scratch().join(format!("{name}.kubeconfig"));
    std::fs::write(&file, config.to_string()).unwrap();
    file
}

/// A token of `kubectl create token` is its service account, with the rights of that one.
#[test]
fn a_created_token_is_its_service_account() {
    let cluster = Cluster::start();
    with_a_team(&mut Transcript::new(&cluster));
    let token = cluster.kubectl("create token bot -n team --duration=10m").ok();
    let token = token.trim();
    let file = kubeconfig(&cluster, "bot", &json!({"token": token}));
    let as_bot = |line: &str| cluster.kubectl(&format!("--kubeconfig {} {line}", file.display()));
    let who = as_bot("auth whoami -o jsonpath={.status.userInfo.username}").ok();
    assert_eq!(who, "system:serviceaccount:team:bot");
    assert_eq!(as_bot("auth can-i get pods/web").ok(), "yes\n");
    let refused = as_bot("get secrets").failed();
    let expected = "Error from server (Forbidden): secrets is forbidden: User \"system:serviceaccount:team:bot\" cannot list \
                    resource \"secrets\" in API group \"\" in the namespace \"team\"\n";
    assert_eq!(refused, expected);
    cluster.kubectl("delete serviceaccount bot -n team").ok();
    assert_eq!(as_bot("get pods").failed(), "error: You must be logged in to the server (Unauthorized)\n");
}
