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

/// A name that is left out would make the request one of its sender, with all his rights.
#[tokio::test]
async fn a_name_of_another_script_is_a_name() {
    let cluster = Cluster::new().await;
    let as_name = async |bytes: &[u8]| {
        let mut asked = request(Method::POST, WHOAMI, review());
        asked.headers_mut().insert("impersonate-user", http::HeaderValue::from_bytes(bytes).unwrap());
        cluster.send(asked).await
    };
    let me = as_name("jos\u{e9}".as_bytes()).await.ok();
    assert_eq!(me["status"]["userInfo"]["username"], "jos\u{e9}");
    let refused = as_name(b"jos\xe9").await;
    refused.fails(400, "the header \"impersonate-user\" is not valid UTF-8");
}

/// What can't be an account has not the groups of accounts, and is asked for as any user.
#[tokio::test]
async fn a_name_that_no_account_has_is_a_users() {
    let cluster = Cluster::new().await;
    let odd = "system:serviceaccount:a:Not Valid";
    let me = acting(&cluster, crate::support::admin(), &[("Impersonate-User", odd)]).await.ok();
    assert_eq!(me["status"]["userInfo"], json!({ "username": odd, "groups": ["system:authenticated"] }));
    let refused = acting(&cluster, joe(), &[("Impersonate-User", odd)]).await;
    assert!(refused.message().contains("impersonate-on:user-info:create"), "{}", refused.message());
}

#[tokio::test]
async fn others_need_leave_for_each_thing_that_they_want_to_be() {
    let cluster = Cluster::new().await;
    let refused = acting(&cluster, joe(), &[("Impersonate-User", "jane")]).await;
    // The first way that is tried says so.
    let constrained = |mode: &str| {
        format!(
            r#"selfsubjectreviews.authentication.k8s.io is forbidden: User "joe" cannot impersonate-on:{mode}:create resource "selfsubjectreviews" in API group "authentication.k8s.io" at the cluster scope"#
        )
    };
    refused.fails(403, &constrained("user-info"));
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
    for more in [("Impersonate-Group", "system:masters"), ("Impersonate-Uid", "7"), ("Impersonate-Extra-a.b%2fc", "x")]
    {
        let refused = acting(&cluster, joe(), &[("Impersonate-User", "jane"), more]).await;
        refused.fails(403, &constrained("user-info"));
    }
    let refused = acting(&cluster, joe(), &[("Impersonate-User", "system:serviceaccount:default:robot")]).await;
    refused.fails(403, &constrained("serviceaccount"));
    // With groups a service account or a node is nobody's but legacy's.
    for (user, what, place) in [
        ("system:serviceaccount:default:robot", r#"serviceaccounts "robot""#, r#"in the namespace "default""#),
        ("system:node:n1", r#"users "system:node:n1""#, "at the cluster scope"),
    ] {
        let refused = acting(&cluster, joe(), &[("Impersonate-User", user), ("Impersonate-Group", "g")]).await;
        let resource = what.split(' ').next().unwrap();
        refused.fails(
            403,
            &format!(
                r#"{what} is forbidden: User "joe" cannot impersonate resource "{resource}" in API group "" {place}"#
            ),
        );
    }
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
            "auth-extra-groups": "system:bootstrappers:edge",
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
    // One thing that is wrong with the Secret is enough.
    for (field, wrong, right) in [
        ("expiration", "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"),
        ("expiration", "soon", "2999-01-01T00:00:00Z"),
        ("usage-bootstrap-authentication", "false", "true"),
        ("token-id", "abcdeg", "abcdef"),
        ("token-secret", "0123456789abcdeg", "0123456789abcdef"),
        ("auth-extra-groups", "system:bootstrappers:edge,system:masters", "system:bootstrappers:edge"),
    ] {
        cluster.merge(path, json!({ "stringData": { field: wrong } })).await.ok();
        assert_eq!(ask("abcdef.0123456789abcdef").await.code, 401, "{field}: {wrong}");
        cluster.merge(path, json!({ "stringData": { field: right } })).await.ok();
        ask("abcdef.0123456789abcdef").await.ok();
    }
    // An end that is no text is one that has passed, and an empty one is none.
    for (data, code) in [("/w==", 401), ("", 201)] {
        cluster.merge(path, json!({ "data": { "expiration": data } })).await.ok();
        assert_eq!(ask("abcdef.0123456789abcdef").await.code, code, "{data:?}");
    }
    cluster.delete(path).await.ok();
    assert_eq!(ask("abcdef.0123456789abcdef").await.code, 401);
}

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";

fn joe() -> coracle_server::User {
    coracle_server::User::new("joe", [])
}

/// Gives joe rights in the whole cluster.
async fn give(cluster: &Cluster, name: &str, rules: Value) {
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": name }, "rules": rules,
    });
    cluster.post(&format!("{RBAC}/clusterroles"), role).await.ok();
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": { "name": name },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name },
        "subjects": [{ "kind": "User", "name": "joe" }],
    });
    cluster.post(&format!("{RBAC}/clusterrolebindings"), binding).await.ok();
}

/// Leave to act as the object of `authentication.k8s.io` in one mode.
fn be(mode: &str, resource: &str, names: &[&str]) -> Value {
    json!({
        "apiGroups": ["authentication.k8s.io"], "resources": [resource], "resourceNames": names,
        "verbs": [format!("impersonate:{mode}")],
    })
}

fn on(mode: &str, verb: &str, resource: &str) -> Value {
    json!({ "apiGroups": [""], "resources": [resource], "verbs": [format!("impersonate-on:{mode}:{verb}")] })
}

async fn as_whom(cluster: &Cluster, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let body = if method == Method::POST { crate::support::map("m", json!({})) } else { Value::Null };
    let mut asked = request(method, path, body);
    asked.extensions_mut().insert(joe());
    for (name, value) in headers {
        asked.headers_mut().append(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
    }
    cluster.send(asked).await
}

/// Who may list as jane does not create as jane, although she may.
#[tokio::test]
async fn constrained_impersonation_is_about_who_and_about_what() {
    let cluster = Cluster::new().await;
    let jane = [("Impersonate-User", "jane")];
    let rules = json!([{ "apiGroups": [""], "resources": ["configmaps"], "verbs": ["list", "create"] }]);
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": { "name": "maps" }, "rules": rules,
    });
    cluster.post(&format!("{RBAC}/namespaces/default/roles"), role).await.ok();
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": "maps" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "maps" },
        "subjects": [{ "kind": "User", "name": "jane" }],
    });
    cluster.post(&format!("{RBAC}/namespaces/default/rolebindings"), binding).await.ok();
    give(&cluster, "on-list", json!([on("user-info", "list", "configmaps")])).await;
    as_whom(&cluster, Method::GET, MAPS, &jane).await.fails(
        403,
        r#"users.authentication.k8s.io "jane" is forbidden: User "joe" cannot impersonate:user-info resource "users" in API group "authentication.k8s.io" at the cluster scope"#,
    );
    give(&cluster, "be-jane", json!([be("user-info", "users", &["jane"])])).await;
    as_whom(&cluster, Method::GET, MAPS, &jane).await.ok();
    // What jane may do, joe may not do as jane; and what he may do as her, she must be allowed to.
    as_whom(&cluster, Method::POST, MAPS, &jane).await.fails(
        403,
        r#"configmaps is forbidden: User "joe" cannot impersonate-on:user-info:create resource "configmaps" in API group "" in the namespace "default""#,
    );
    give(&cluster, "on-secrets", json!([on("user-info", "list", "secrets")])).await;
    let secrets = as_whom(&cluster, Method::GET, "/api/v1/namespaces/default/secrets", &jane).await;
    assert!(secrets.message().contains("User \"jane\" cannot list"), "{}", secrets.message());
    let ann = [("Impersonate-User", "ann")];
    assert_eq!(as_whom(&cluster, Method::GET, MAPS, &ann).await.code, 403);
    // Groups and more are asked for one by one, and never the one that may do everything.
    let with_group = |group: &'static str| [("Impersonate-User", "jane"), ("Impersonate-Group", group)];
    assert_eq!(as_whom(&cluster, Method::GET, MAPS, &with_group("dev")).await.code, 403);
    let all = json!([be("user-info", "groups", &["dev", "system:masters", ""]), be("user-info", "uids", &["7"])]);
    give(&cluster, "be-dev", all).await;
    as_whom(&cluster, Method::GET, MAPS, &with_group("dev")).await.ok();
    let masters = as_whom(&cluster, Method::GET, MAPS, &with_group("system:masters")).await;
    let never = "impersonating the system:masters group is not allowed";
    assert!(masters.code == 403 && masters.message().ends_with(never), "{}", masters.message());
    let empty = as_whom(&cluster, Method::GET, MAPS, &with_group("")).await;
    let never = "impersonating the empty string group is not allowed";
    assert!(empty.code == 403 && empty.message().ends_with(never), "{}", empty.message());
    as_whom(&cluster, Method::GET, MAPS, &[("Impersonate-User", "jane"), ("Impersonate-Uid", "7")]).await.ok();
    assert_eq!(
        as_whom(&cluster, Method::GET, MAPS, &[("Impersonate-User", "jane"), ("Impersonate-Uid", "8")]).await.code,
        403
    );
}

#[tokio::test]
async fn nodes_and_accounts_are_impersonated_in_modes_of_their_own() {
    let cluster = Cluster::new().await;
    let rules = json!([
        on("arbitrary-node", "list", "services"),
        on("serviceaccount", "list", "services"),
        be("arbitrary-node", "nodes", &["n1"]),
        be("serviceaccount", "serviceaccounts", &["robot"]),
    ]);
    give(&cluster, "modes", rules).await;
    let services = "/api/v1/namespaces/default/services";
    // A node may list services; nobody has to say that it is in the group of nodes.
    as_whom(&cluster, Method::GET, services, &[("Impersonate-User", "system:node:n1")]).await.ok();
    assert_eq!(as_whom(&cluster, Method::GET, services, &[("Impersonate-User", "system:node:n2")]).await.code, 403);
    let robot = [("Impersonate-User", "system:serviceaccount:default:robot")];
    let refused = as_whom(&cluster, Method::GET, services, &robot).await;
    let itself = "User \"system:serviceaccount:default:robot\" cannot list resource \"services\"";
    assert!(refused.message().contains(itself), "{}", refused.message());
    // An agent acts as the node that its pod is on, whichever that is, and as no other.
    let rules = json!([
        on("associated-node", "list", "services"),
        { "apiGroups": ["authentication.k8s.io"], "resources": ["nodes"], "verbs": ["impersonate:associated-node"] },
    ]);
    give(&cluster, "agents", rules).await;
    let subject = json!([{ "kind": "ServiceAccount", "name": "default", "namespace": "default" }]);
    cluster.merge(&format!("{RBAC}/clusterrolebindings/agents"), json!({ "subjects": subject })).await.ok();
    cluster
        .post("/api/v1/nodes", json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "n2" } }))
        .await
        .ok();
    let mut pod = crate::support::pod("agent");
    pod["spec"]["nodeName"] = json!("n2");
    cluster.post(crate::support::PODS, pod).await.ok();
    let bound = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": { "boundObjectRef": { "apiVersion": "v1", "kind": "Pod", "name": "agent" } },
    });
    let issued = cluster.post("/api/v1/namespaces/default/serviceaccounts/default/token", bound).await.ok();
    let as_agent = async |node: &str| {
        let mut asked = request(Method::GET, services, Value::Null);
        asked.extensions_mut().clear();
        let token = issued["status"]["token"].as_str().unwrap();
        asked.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        asked.headers_mut().insert("impersonate-user", node.parse().unwrap());
        cluster.send(asked).await
    };
    as_agent("system:node:n2").await.ok();
    assert_eq!(as_agent("system:node:n1").await.code, 403);
}

#[tokio::test]
async fn nobody_acts_as_a_group_without_a_user() {
    let cluster = Cluster::new().await;
    let refused = acting(&cluster, crate::support::admin(), &[("Impersonate-Group", "dev")]).await;
    assert!(
        refused.code == 400 && refused.message().ends_with("without impersonating a user name"),
        "{}",
        refused.message()
    );
}
