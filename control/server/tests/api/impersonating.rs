//! Acting as somebody else, by leave.

use http::Method;
use serde_json::{Value, json};

use crate::authorizing::by;
use crate::support::{Answer, Cluster, MAPS, request};

const WHOAMI: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

fn review() -> Value {
    json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview" })
}

async fn acting(cluster: &Cluster, sender: coracle_server::User, headers: &[(&str, &str)]) -> Answer {
    let mut asked = request(Method::POST, WHOAMI, review());
    asked.extensions_mut().insert(sender);
    for (name, value) in headers {
        asked.headers_mut().append(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
    }
    cluster.send(asked).await
}

#[tokio::test]
async fn an_administrator_acts_as_anybody() {
    let cluster = Cluster::new().await;
    let headers = [("Impersonate-User", "jane"), ("Impersonate-Group", "dev"), ("Impersonate-Extra-scopes", "view")];
    let me = acting(&cluster, crate::support::admin(), &headers).await.ok();
    let expected = json!({
        "username": "jane", "groups": ["dev", "system:authenticated"], "extra": { "scopes": ["view"] },
    });
    assert_eq!(me["status"]["userInfo"], expected);
    let mut asked = request(Method::GET, MAPS, Value::Null);
    asked.headers_mut().insert("Impersonate-User", "jane".parse().unwrap());
    assert_eq!(cluster.send(asked).await.code, 403);
}

#[tokio::test]
async fn others_need_leave_for_each_thing_that_they_want_to_be() {
    let cluster = Cluster::new().await;
    let joe = || coracle_server::User::new("joe", []);
    let refused = acting(&cluster, joe(), &[("Impersonate-User", "jane")]).await;
    refused.fails(403, r#"users "jane" is forbidden: User "joe" cannot impersonate resource "users" in API group "" at the cluster scope"#);
    let roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": "as-jane" },
        "rules": [{ "apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"], "resourceNames": ["jane"] }],
    });
    cluster.post(roles, role).await.ok();
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": { "name": "as-jane" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "as-jane" },
        "subjects": [{ "kind": "User", "name": "joe" }],
    });
    cluster.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding).await.ok();
    let me = acting(&cluster, joe(), &[("Impersonate-User", "jane")]).await.ok();
    assert_eq!(me["status"]["userInfo"]["username"], "jane");
    let refused =
        acting(&cluster, joe(), &[("Impersonate-User", "jane"), ("Impersonate-Group", "system:masters")]).await;
    refused.fails(403, r#"groups "system:masters" is forbidden: User "joe" cannot impersonate resource "groups" in API group "" at the cluster scope"#);
    let refused = acting(&cluster, joe(), &[("Impersonate-User", "system:serviceaccount:default:robot")]).await;
    refused.fails(403, r#"serviceaccounts "robot" is forbidden: User "joe" cannot impersonate resource "serviceaccounts" in API group "" in the namespace "default""#);
    assert_eq!(by(&cluster, joe(), Method::GET, MAPS, Value::Null).await.code, 403);
}

#[tokio::test]
async fn a_bootstrap_token_makes_its_bearer_a_newcomer() {
    let cluster = Cluster::new().await;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "bootstrap.kubernetes.io/token",
        "metadata": { "name": "bootstrap-token-abcdef", "namespace": "kube-system" },
        "stringData": {
            "token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true",
            "auth-extra-groups": "system:bootstrappers:edge,system:masters",
        },
    });
    cluster.post("/api/v1/namespaces/kube-system/secrets", secret).await.ok();
    let ask = async |token: &str| {
        let mut asked = request(Method::POST, WHOAMI, review());
        asked.extensions_mut().clear();
        asked.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        cluster.send(asked).await
    };
    let me = ask("abcdef.0123456789abcdef").await.ok();
    let expected = json!({
        "username": "system:bootstrap:abcdef",
        "groups": ["system:bootstrappers", "system:bootstrappers:edge", "system:authenticated"],
    });
    assert_eq!(me["status"]["userInfo"], expected);
    for wrong in ["abcdef.0123456789abcdee", "abcdeg.0123456789abcdef", "x"] {
        ask(wrong).await.fails(401, "Unauthorized");
    }
    let path = "/api/v1/namespaces/kube-system/secrets/bootstrap-token-abcdef";
    cluster.merge(path, json!({ "stringData": { "expiration": "2020-01-01T00:00:00Z" } })).await.ok();
    assert_eq!(ask("abcdef.0123456789abcdef").await.code, 401);
}
