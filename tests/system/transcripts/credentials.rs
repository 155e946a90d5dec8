//! What lets somebody in: tokens of service accounts and signed certificates, from making them to using them.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use expect_test::expect_file;
use serde_json::{Value, json};

use super::access::with_a_team;
use crate::harness::{Cluster, Transcript};

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

#[test]
fn tokens_are_made_within_bounds() {
    let cluster = Cluster::start();
    let mut transcript = Transcript::new(&cluster);
    transcript
        .kubectl("create serviceaccount bot")
        .kubectl("create token bot --audience=vault --duration=1h -o jsonpath={.spec}{\"\\n\"}")
        .kubectl("create token bot -o jsonpath={.spec.audiences}{\"\\n\"}")
        .kubectl("create token bot --duration=5m")
        .kubectl("create token nobody")
        .kubectl("create token bot --bound-object-kind=Pod --bound-object-name=none")
        .kubectl("create token bot --bound-object-kind=Pod")
        .kubectl("create token bot --bound-object-kind=ConfigMap --bound-object-name=none");
    expect_file!["../golden/tokens.txt"].assert_eq(&transcript.normalised());
}

/// A Secret of a service account is filled in, lets its bearer in, and goes with the account.
#[test]
fn a_secret_holds_a_token_that_lasts() {
    let cluster = Cluster::start();
    cluster.kubectl("create namespace team").ok();
    cluster.kubectl("create serviceaccount bot -n team").ok();
    cluster.apply(
        "apiVersion: v1\nkind: Secret\ntype: kubernetes.io/service-account-token\nmetadata:\n  name: bot-token\n  namespace: \
         team\n  annotations: {kubernetes.io/service-account.name: bot}\n",
    );
    cluster.kubectl("wait --for=jsonpath={.data.token} secret/bot-token -n team --timeout=30s").ok();
    let token = cluster.kubectl("get secret bot-token -n team -o jsonpath={.data.token}").ok();
    let token = String::from_utf8(STANDARD.decode(token).unwrap()).unwrap();
    let file = kubeconfig(&cluster, "bot", &json!({"token": token}));
    let as_bot = |line: &str| cluster.kubectl(&format!("--kubeconfig {} {line}", file.display()));
    let who = as_bot("auth whoami -o jsonpath={.status.userInfo.username}").ok();
    assert_eq!(who, "system:serviceaccount:team:bot");
    let namespace = cluster.kubectl("get secret bot-token -n team -o jsonpath={.data.namespace}").ok();
    assert_eq!(STANDARD.decode(namespace).unwrap(), b"team");
    cluster.kubectl("delete serviceaccount bot -n team").ok();
    assert_eq!(as_bot("get pods").failed(), "error: You must be logged in to the server (Unauthorized)\n");
    cluster.kubectl("wait --for=delete secret/bot-token -n team --timeout=30s").ok();
}

/// A key, and a request for a certificate of this user, both PEM.
fn key_and_request(user: &str, group: &str) -> (String, String) {
    let mut parameters = rcgen::CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, user);
    parameters.distinguished_name.push(rcgen::DnType::OrganizationName, group);
    let key = rcgen::KeyPair::generate().unwrap();
    let request = parameters.serialize_request(&key).unwrap().pem().unwrap();
    (key.serialize_pem(), request)
}

/// The request as an object.
fn signing_request(name: &str, pem: &str) -> String {
    let request = json!({
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": name},
        "spec": {
            "request": STANDARD.encode(pem), "signerName": "kubernetes.io/kube-apiserver-client",
            "expirationSeconds": 86400, "usages": ["client auth"],
        },
    });
    request.to_string()
}

/// From a key to a user: the way of Kubernetes' documentation.
#[test]
fn a_certificate_is_asked_for_approved_and_used() {
    let cluster = Cluster::start();
    let mut transcript = Transcript::new(&cluster);
    let (key, request) = key_and_request("jane", "dev");
    transcript
        .kubectl_with_input("create -f -", &signing_request("jane", &request))
        .kubectl("get csr")
        .kubectl("certificate approve jane");
    cluster.kubectl("wait --for=jsonpath={.status.certificate} csr/jane --timeout=30s").ok();
    transcript.kubectl("get csr");
    let certificate = cluster.kubectl("get csr jane -o jsonpath={.status.certificate}").ok();
    let (cert_file, key_file) = (cluster.scratch().join("jane.crt"), cluster.scratch().join("jane.key"));
    std::fs::write(&cert_file, STANDARD.decode(certificate).unwrap()).unwrap();
    std::fs::write(&key_file, key).unwrap();
    let (cert_file, key_file) = (cert_file.display(), key_file.display());
    let files = format!("--client-certificate={cert_file} --client-key={key_file} --embed-certs=true");
    cluster.kubectl(&format!("config set-credentials jane {files}")).ok();
    transcript
        .kubectl("auth whoami --user=jane")
        .kubectl("get pods --user=jane")
        .kubectl("create rolebinding devs --clusterrole=view --group=dev")
        .kubectl("get pods --user=jane")
        .kubectl("auth can-i delete pods --user=jane")
        .kubectl("delete csr jane");
    // Nobody gets into the group that may do everything.
    let (_, request) = key_and_request("root", "system:masters");
    transcript.kubectl_with_input("create -f -", &signing_request("root", &request));
    expect_file!["../golden/certificate.txt"].assert_eq(&transcript.normalised());
}
