//! RBAC: what is granted may be done, at once, and nothing else; nobody grants what he does not have.

use http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Cluster, MAPS, map, request};

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";

fn user(name: &str) -> coracle_server::User {
    coracle_server::User::new(name, [])
}

/// Sends a request as somebody.
pub async fn by(cluster: &Cluster, user: coracle_server::User, method: Method, path: &str, body: Value) -> Answer {
    let mut request = request(method, path, body);
    request.extensions_mut().insert(user);
    cluster.send(request).await
}

async fn as_jane(cluster: &Cluster, method: Method, path: &str, body: Value) -> Answer {
    by(cluster, user("jane"), method, path, body).await
}

fn role(kind: &str, name: &str, rules: Value) -> Value {
    json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": { "name": name }, "rules": rules })
}

fn binding(kind: &str, name: &str, (role_kind, role): (&str, &str), users: &[&str]) -> Value {
    let subjects = users.iter().map(|user| json!({ "kind": "User", "name": user })).collect::<Vec<_>>();
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": { "name": name },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": role }, "subjects": subjects,
    })
}

fn rule(resources: &[&str], verbs: &[&str]) -> Value {
    json!({ "apiGroups": [""], "resources": resources, "verbs": verbs })
}

async fn give(cluster: &Cluster, name: &str, rules: Value) {
    let roles = format!("{RBAC}/namespaces/default/roles");
    cluster.post(&roles, role("Role", name, rules)).await.ok();
    let bindings = format!("{RBAC}/namespaces/default/rolebindings");
    cluster.post(&bindings, binding("RoleBinding", name, ("Role", name), &["jane"])).await.ok();
}

#[tokio::test]
async fn what_is_bound_may_be_done_at_once_and_no_longer_than_it_is_bound() {
    let cluster = Cluster::new().await;
    let refused = r#"configmaps is forbidden: User "jane" cannot list resource "configmaps" in API group "" in the namespace "default""#;
    as_jane(&cluster, Method::GET, MAPS, Value::Null).await.fails(403, refused);
    give(&cluster, "maps", json!([rule(&["configmaps"], &["list", "create"])])).await;
    as_jane(&cluster, Method::GET, MAPS, Value::Null).await.ok();
    as_jane(&cluster, Method::POST, MAPS, map("a", json!({}))).await.ok();
    let one = format!("{MAPS}/a");
    let named = r#"configmaps "a" is forbidden: User "jane" cannot delete resource "configmaps" in API group "" in the namespace "default""#;
    as_jane(&cluster, Method::DELETE, &one, Value::Null).await.fails(403, named);
    assert_eq!(
        as_jane(&cluster, Method::GET, "/api/v1/namespaces/kube-system/configmaps", Value::Null).await.code,
        403
    );
    assert_eq!(as_jane(&cluster, Method::GET, "/api/v1/configmaps", Value::Null).await.code, 403);
    cluster.delete(&format!("{RBAC}/namespaces/default/rolebindings/maps")).await.ok();
    as_jane(&cluster, Method::GET, MAPS, Value::Null).await.fails(403, refused);
}

#[tokio::test]
async fn a_binding_to_a_role_that_is_not_there_is_told() {
    let cluster = Cluster::new().await;
    let bindings = format!("{RBAC}/namespaces/default/rolebindings");
    cluster.post(&bindings, binding("RoleBinding", "b", ("ClusterRole", "none"), &["jane"])).await.ok();
    as_jane(&cluster, Method::GET, MAPS, Value::Null).await.fails(
        403,
        r#"configmaps is forbidden: User "jane" cannot list resource "configmaps" in API group "" in the namespace "default": RBAC: clusterrole.rbac.authorization.k8s.io "none" not found"#,
    );
}

#[tokio::test]
async fn an_access_review_says_which_binding_it_is() {
    let cluster = Cluster::new().await;
    give(&cluster, "maps", json!([rule(&["configmaps"], &["list"])])).await;
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": { "resourceAttributes": { "verb": "list", "resource": "configmaps", "namespace": "default" } },
    });
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let status = &as_jane(&cluster, Method::POST, path, review).await.ok()["status"];
    let reason = r#"RBAC: allowed by RoleBinding "maps/default" of Role "maps" to User "jane""#;
    assert_eq!(*status, json!({ "allowed": true, "reason": reason }));
}

#[tokio::test]
async fn a_product_of_rights_is_not_multiplied_out() {
    let cluster = Cluster::new().await;
    let rbac = json!({ "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": ["create"] });
    let texts = |prefix: &str| (0..400).map(|index| format!("{prefix}{index}")).collect::<Vec<_>>();
    // 64 million permissions.
    let product = json!({ "apiGroups": texts("g"), "resources": texts("r"), "verbs": texts("v") });
    give(&cluster, "own", json!([rbac])).await;
    let roles = format!("{RBAC}/namespaces/default/roles");
    let refused = as_jane(&cluster, Method::POST, &roles, role("Role", "big", json!([product]))).await;
    assert_eq!(refused.code, 403);
    assert!(refused.message().ends_with("\nand others, which are not listed"), "{}", refused.message());
    give(&cluster, "held", json!([product])).await;
    as_jane(&cluster, Method::POST, &roles, role("Role", "big", json!([product]))).await.ok();
}

#[tokio::test]
async fn nobody_grants_what_he_does_not_have() {
    let cluster = Cluster::new().await;
    let rbac = json!({ "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"], "verbs": ["create", "update"] });
    give(&cluster, "own", json!([rbac, rule(&["configmaps"], &["get", "list"])])).await;
    let roles = format!("{RBAC}/namespaces/default/roles");
    as_jane(&cluster, Method::POST, &roles, role("Role", "less", json!([rule(&["configmaps"], &["get"])]))).await.ok();
    let more = role("Role", "more", json!([rule(&["configmaps", "secrets"], &["get", "delete"])]));
    as_jane(&cluster, Method::POST, &roles, more).await.fails(
        403,
        "roles.rbac.authorization.k8s.io \"more\" is forbidden: user \"jane\" (groups=[\"system:authenticated\"]) is attempting \
         to grant RBAC permissions not currently held:\n\
         {APIGroups:[\"\"], Resources:[\"configmaps\"], Verbs:[\"delete\"]}\n\
         {APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\" \"delete\"]}",
    );
    let bindings = format!("{RBAC}/namespaces/default/rolebindings");
    let less = binding("RoleBinding", "less", ("Role", "less"), &["joe"]);
    as_jane(&cluster, Method::POST, &bindings, less).await.ok();
    cluster.post(&roles, role("Role", "big", json!([rule(&["secrets"], &["get"])]))).await.ok();
    let big = binding("RoleBinding", "big", ("Role", "big"), &["jane"]);
    let refused = as_jane(&cluster, Method::POST, &bindings, big.clone()).await;
    assert!(refused.code == 403 && refused.message().contains("not currently held"), "{}", refused.message());
    let none = binding("RoleBinding", "none", ("ClusterRole", "none"), &["jane"]);
    as_jane(&cluster, Method::POST, &bindings, none)
        .await
        .fails(404, "clusterrole.rbac.authorization.k8s.io \"none\" not found");
    // With leave to bind it, she may.
    let bind = json!({ "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": ["bind"], "resourceNames": ["big"] });
    give(&cluster, "bind", json!([bind])).await;
    as_jane(&cluster, Method::POST, &bindings, big).await.ok();
    // And with leave to escalate, anything.
    let escalate = json!({ "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": ["escalate"] });
    give(&cluster, "escalate", json!([escalate])).await;
    as_jane(&cluster, Method::POST, &roles, role("Role", "all", json!([rule(&["*"], &["*"])]))).await.ok();
}

#[tokio::test]
async fn only_who_may_do_everything_gathers_rules() {
    let cluster = Cluster::new().await;
    let rbac =
        json!({ "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"], "verbs": ["create"] });
    cluster.post(&format!("{RBAC}/clusterroles"), role("ClusterRole", "own", json!([rbac]))).await.ok();
    let own = binding("ClusterRoleBinding", "own", ("ClusterRole", "own"), &["jane"]);
    cluster.post(&format!("{RBAC}/clusterrolebindings"), own).await.ok();
    let mut gathers = role("ClusterRole", "gathers", json!([]));
    gathers["aggregationRule"] = json!({ "clusterRoleSelectors": [{ "matchLabels": { "a": "b" } }] });
    as_jane(&cluster, Method::POST, &format!("{RBAC}/clusterroles"), gathers).await.fails(
        403,
        "clusterroles.rbac.authorization.k8s.io \"gathers\" is forbidden: must have cluster-admin privileges to use an aggregationRule",
    );
}

#[tokio::test]
async fn the_default_roles_are_there_and_come_back() {
    let cluster = Cluster::new().await;
    let path = format!("{RBAC}/clusterroles/system:basic-user");
    let rules = cluster.get(&path).await.ok()["rules"].clone();
    cluster.merge(&path, json!({ "rules": [] })).await.ok();
    cluster.delete(&format!("{RBAC}/clusterrolebindings/system:discovery")).await.ok();
    assert_eq!(as_jane(&cluster, Method::GET, "/apis", Value::Null).await.code, 403);
    let cluster = cluster.restarted().await;
    assert_eq!(
        cluster.get(&path).await.ok()["rules"].as_array().map(Vec::len),
        rules.as_array().map(|rules| {
            // Each permission that was missing has become a rule.
            rules.iter().flat_map(|rule| rule["resources"].as_array()).map(Vec::len).sum()
        })
    );
    as_jane(&cluster, Method::GET, "/apis", Value::Null).await.ok();
}

#[tokio::test]
async fn nobody_in_particular_sees_whether_the_server_is_well_and_nothing_else() {
    let cluster = Cluster::new().await;
    let ask = async |path: &str| {
        let mut asked = request(Method::GET, path, Value::Null);
        asked.extensions_mut().clear();
        cluster.send(asked).await.code
    };
    for open in ["/healthz", "/livez", "/readyz", "/version"] {
        assert_eq!(ask(open).await, 200, "{open}");
    }
    for closed in ["/api", "/apis", "/metrics", "/", MAPS, "/openapi/v2", "/healthzx"] {
        assert_eq!(ask(closed).await, 401, "{closed}");
    }
    assert_eq!(ask("/healthz/store").await, 403);
    // Where a new node finds its cluster is told to anybody, if somebody has said so.
    let info = "/api/v1/namespaces/kube-public/configmaps/cluster-info";
    let mut object = map("cluster-info", json!({}));
    object["metadata"]["namespace"] = json!("kube-public");
    cluster.post("/api/v1/namespaces/kube-public/configmaps", object).await.ok();
    assert_eq!(ask(info).await, 403);
    let reads = json!([{ "apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"], "resourceNames": ["cluster-info"] }]);
    cluster.post(&format!("{RBAC}/namespaces/kube-public/roles"), role("Role", "info", reads)).await.ok();
    let opens = binding("RoleBinding", "info", ("Role", "info"), &["system:anonymous"]);
    cluster.post(&format!("{RBAC}/namespaces/kube-public/rolebindings"), opens).await.ok();
    assert_eq!(ask(info).await, 200);
    for closed in ["/api/v1/namespaces/kube-public/configmaps", "/api/v1/namespaces/kube-public/configmaps/other"] {
        assert_eq!(ask(closed).await, 401, "{closed}");
    }
}
