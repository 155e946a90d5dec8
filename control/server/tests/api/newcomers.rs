//! How nodes get their credentials: what a bootstrap token may ask for, and what a node may ask for itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Value, json};

use crate::authorizing::by;
use crate::support::{Answer, Cluster, request};

const REQUESTS: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
const SECRETS: &str = "/api/v1/namespaces/kube-system/secrets";
const REVIEWS: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
/// The group of tokens that are for joining nodes.
const JOINERS: &str = "system:bootstrappers:kubeadm:default-node-token";

fn signing_request(name: &str, signer: &str, user: &str) -> Value {
    let (names, usages) = match signer {
        "kubelet-serving" => (vec!["n1".to_string()], ["digital signature", "server auth"]),
        _ => (Vec::new(), ["digital signature", "client auth"]),
    };
    let mut parameters = rcgen::CertificateParams::new(names).unwrap();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(rcgen::DnType::OrganizationName, "system:nodes");
    parameters.distinguished_name.push(rcgen::DnType::CommonName, user);
    let pem = parameters.serialize_request(&rcgen::KeyPair::generate().unwrap()).unwrap().pem().unwrap();
    json!({
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": { "name": name },
        "spec": {
            "request": STANDARD.encode(pem), "signerName": format!("kubernetes.io/{signer}"), "usages": usages,
        },
    })
}

async fn by_node(cluster: &Cluster, body: Value) -> Answer {
    let user = coracle_server::User::new("system:node:n1", ["system:nodes".to_string()]);
    by(cluster, user, Method::POST, REQUESTS, body).await
}

#[tokio::test]
async fn a_node_asks_for_certificates_of_its_own_name() {
    let cluster = Cluster::new().await;
    for (number, signer) in ["kube-apiserver-client-kubelet", "kubelet-serving"].into_iter().enumerate() {
        let own = signing_request(&format!("own-{number}"), signer, "system:node:n1");
        assert_eq!(by_node(&cluster, own).await.ok()["spec"]["username"], "system:node:n1");
        for user in ["system:node:n2", "system:node:"] {
            by_node(&cluster, signing_request("other", signer, user)).await.fails(
                403,
                "certificatesigningrequests.certificates.k8s.io \"other\" is forbidden: can only create a node CSR with \
                 CN=system:node:n1",
            );
        }
    }
    let mut broken = signing_request("other", "kubelet-serving", "system:node:n1");
    broken["spec"]["request"] = json!(STANDARD.encode("nonsense"));
    let refused = by_node(&cluster, broken).await;
    let text = "is forbidden: unable to parse csr: PEM block type must be CERTIFICATE REQUEST";
    assert!(refused.code == 403 && refused.message().ends_with(text), "{}", refused.message());
    // Another signer's business, and an administrator's.
    by_node(&cluster, signing_request("client", "kube-apiserver-client", "jane")).await.ok();
    let any = signing_request("any", "kube-apiserver-client-kubelet", "system:node:n2");
    cluster.post(REQUESTS, any).await.ok();
    // A name as a node makes it, from a digest: no rule for names forbids its letters.
    let digest = signing_request("node-csr-Ab_9-Zz", "kube-apiserver-client-kubelet", "system:node:n1");
    by_node(&cluster, digest).await.ok();
}

async fn token(cluster: &Cluster, id: &str, groups: &str) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "bootstrap.kubernetes.io/token",
        "metadata": { "name": format!("bootstrap-token-{id}") },
        "stringData": {
            "token-id": id, "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true",
            "auth-extra-groups": groups,
        },
    });
    cluster.post(SECRETS, secret).await.ok();
}

async fn by_token(cluster: &Cluster, id: &str, method: Method, path: &str, body: Value) -> Answer {
    let mut asked = request(method, path, body);
    asked.extensions_mut().clear();
    asked.headers_mut().insert("authorization", format!("Bearer {id}.0123456789abcdef").parse().unwrap());
    cluster.send(asked).await
}

#[tokio::test]
async fn a_token_for_joining_asks_and_does_nothing_else() {
    let cluster = Cluster::new().await;
    token(&cluster, "joiner", JOINERS).await;
    token(&cluster, "others", "system:bootstrappers:others").await;
    let asked = || signing_request("new", "kube-apiserver-client-kubelet", "system:node:new");
    let refused = by_token(&cluster, "others", Method::POST, REQUESTS, asked()).await;
    assert_eq!(refused.code, 403, "{}", refused.message());
    by_token(&cluster, "joiner", Method::POST, REQUESTS, asked()).await.ok();
    by_token(&cluster, "joiner", Method::GET, &format!("{REQUESTS}/new"), Value::Null).await.ok();
    by_token(&cluster, "joiner", Method::GET, REQUESTS, Value::Null).await.ok();
    for (method, path) in [
        (Method::DELETE, format!("{REQUESTS}/new")),
        (Method::GET, "/api/v1/nodes".to_string()),
        (Method::GET, SECRETS.to_string()),
        (Method::GET, "/api/v1/pods".to_string()),
    ] {
        assert_eq!(by_token(&cluster, "joiner", method, &path, Value::Null).await.code, 403, "{path}");
    }
    let approve = json!({ "status": { "conditions": [{ "type": "Approved", "status": "True", "reason": "R" }] } });
    let path = format!("{REQUESTS}/new/approval");
    assert_eq!(by_token(&cluster, "joiner", Method::PUT, &path, approve).await.code, 403);
}

/// By these rights the approver says yes without an administrator.
#[tokio::test]
async fn newcomers_are_approved_for_any_node_and_nodes_for_themselves() {
    let cluster = Cluster::new().await;
    for (user, group, right, expected) in [
        ("system:bootstrap:joiner", JOINERS, "nodeclient", true),
        ("system:bootstrap:others", "system:bootstrappers", "nodeclient", false),
        ("system:bootstrap:joiner", JOINERS, "selfnodeclient", false),
        ("system:node:n1", "system:nodes", "selfnodeclient", true),
        ("system:node:n1", "system:nodes", "nodeclient", false),
    ] {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": { "user": user, "groups": [group], "resourceAttributes": {
                "group": "certificates.k8s.io", "resource": "certificatesigningrequests", "verb": "create",
                "subresource": right, "version": "*",
            } },
        });
        let answer = cluster.post(REVIEWS, review).await.ok();
        assert_eq!(answer["status"]["allowed"], expected, "{user} {group} {right}: {answer}");
    }
}

/// Who sees two requests in one text could be shown the one and sign the other.
#[tokio::test]
async fn a_request_that_can_be_read_in_two_ways_is_none() {
    let cluster = Cluster::new().await;
    let good = signing_request("odd", "kube-apiserver-client-kubelet", "system:node:n1");
    let pem = STANDARD.decode(good["spec"]["request"].as_str().unwrap()).unwrap();
    let pem = String::from_utf8(pem).unwrap();
    for (odd, why) in [
        (pem.replacen('\n', "\r", 1), "PEM lines must end with LF or CRLF"),
        (pem.repeat(2), "must contain exactly one PEM block"),
        (pem.replace("CERTIFICATE REQUEST", "CERTIFICATE"), "PEM block type must be CERTIFICATE REQUEST"),
    ] {
        let text = STANDARD.encode(odd);
        let mut asked = good.clone();
        asked["spec"]["request"] = json!(text);
        let message = format!(
            "CertificateSigningRequest.certificates.k8s.io \"odd\" is invalid: spec.request: Invalid value: {text:?}: {why}"
        );
        cluster.post(REQUESTS, asked).await.fails(422, &message);
    }
    cluster.post(REQUESTS, good).await.ok();
}

#[tokio::test]
async fn who_may_write_a_status_but_not_sign_says_nothing() {
    let cluster = Cluster::new().await;
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let group = "certificates.k8s.io";
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": "writer" },
        "rules": [{
            "apiGroups": [group], "resources": ["certificatesigningrequests/status"], "verbs": ["get", "update", "patch"],
        }],
    });
    cluster.post(&format!("{rbac}/clusterroles"), role).await.ok();
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": { "name": "writer" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "writer" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "writer" }],
    });
    cluster.post(&format!("{rbac}/clusterrolebindings"), binding).await.ok();
    cluster.post(REQUESTS, signing_request("own", "kubelet-serving", "system:node:n1")).await.ok();
    let path = format!("{REQUESTS}/own/status");
    let written = async |change: Value| {
        let mut written = cluster.get(&path).await.ok();
        written["metadata"]["labels"] = json!({ "seen": "yes" });
        written["status"] = change;
        by(&cluster, coracle_server::User::new("writer", []), Method::PUT, &path, written).await
    };
    for kind in ["Failed", "Seen"] {
        let condition = json!({ "conditions": [{ "type": kind, "status": "True", "reason": "R", "message": "m" }] });
        written(condition).await.fails(
            403,
            "certificatesigningrequests.certificates.k8s.io \"own\" is forbidden: user not permitted to sign requests \
             with signerName \"kubernetes.io/kubelet-serving\"",
        );
    }
    written(json!({})).await.ok();
}
