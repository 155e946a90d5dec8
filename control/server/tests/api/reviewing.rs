//! Reviews of users and rights, and the books of field owners.

use http::Method;
use http::header::{ACCEPT, USER_AGENT};
use serde_json::{Value, json};

use crate::support::{Cluster, DEPLOYMENTS, MAPS, deployment, map, request};

const AUTHORIZATION: &str = "/apis/authorization.k8s.io/v1";

fn review(kind: &str, spec: Value) -> Value {
    json!({ "apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec })
}

#[tokio::test]
async fn access_is_reviewed_and_nothing_is_stored() {
    let cluster = Cluster::new().await;
    let pods = json!({ "verb": "list", "resource": "pods", "namespace": "default" });
    let mine = review("SelfSubjectAccessReview", json!({ "resourceAttributes": pods }));
    let answer = cluster.post(&format!("{AUTHORIZATION}/selfsubjectaccessreviews"), mine).await;
    assert_eq!((answer.code, &answer.body["status"]["allowed"]), (201, &json!(true)));
    let theirs = review("SubjectAccessReview", json!({ "user": "jane", "resourceAttributes": pods }));
    let answer = cluster.post(&format!("{AUTHORIZATION}/subjectaccessreviews"), theirs).await.ok();
    assert_eq!(answer["status"]["allowed"], false);
    let nobody = review("SubjectAccessReview", json!({ "resourceAttributes": pods }));
    let refused = cluster.post(&format!("{AUTHORIZATION}/subjectaccessreviews"), nobody).await;
    assert!(refused.message().contains("at least one of user or group must be specified"), "{}", refused.message());
    let local = review("LocalSubjectAccessReview", json!({ "user": "jane", "resourceAttributes": pods }));
    let path = format!("{AUTHORIZATION}/namespaces/default/localsubjectaccessreviews");
    assert_eq!(cluster.post(&path, local).await.ok()["status"]["allowed"], false);
    assert_eq!(cluster.get(&format!("{AUTHORIZATION}/selfsubjectaccessreviews")).await.code, 405);
}

#[tokio::test]
async fn a_local_review_stays_in_its_namespace() {
    let cluster = Cluster::new().await;
    let path = format!("{AUTHORIZATION}/namespaces/default/localsubjectaccessreviews");
    let of = |namespace: &str| json!({ "user": "jane", "resourceAttributes": { "verb": "get", "resource": "pods", "namespace": namespace } });
    let refused = cluster.post(&path, review("LocalSubjectAccessReview", of("kube-system"))).await;
    let text = "spec.resourceAttributes.namespace: Invalid value: \"kube-system\": must match metadata.namespace";
    assert!(refused.code == 422 && refused.message().ends_with(text), "{}", refused.message());
    let paths = json!({ "user": "jane", "nonResourceAttributes": { "verb": "get", "path": "/" } });
    let refused = cluster.post(&path, review("LocalSubjectAccessReview", paths)).await;
    assert!(refused.message().ends_with("disallowed on this kind of request"), "{}", refused.message());
    let mut elsewhere = review("LocalSubjectAccessReview", of("default"));
    elsewhere["metadata"] = json!({ "namespace": "kube-system" });
    cluster
        .post(&path, elsewhere)
        .await
        .fails(400, "the namespace of the provided object does not match the namespace sent on the request");
}

/// Who lists the pods of one node is asked about that list (KEP-4601).
#[tokio::test]
async fn a_review_may_be_about_a_selection() {
    let cluster = Cluster::new().await;
    let ask = async |selector: Value| {
        let mut pods = json!({ "verb": "list", "resource": "pods" });
        if !selector.is_null() {
            pods["fieldSelector"] = selector;
        }
        let spec = json!({ "user": "system:node:n1", "groups": ["system:nodes"], "resourceAttributes": pods });
        let path = format!("{AUTHORIZATION}/subjectaccessreviews");
        cluster.post(&path, review("SubjectAccessReview", spec)).await.ok()["status"]["allowed"].clone()
    };
    let one = |node: &str| json!({ "requirements": [{ "key": "spec.nodeName", "operator": "In", "values": [node] }] });
    assert_eq!(ask(Value::Null).await, false);
    assert_eq!((ask(one("n1")).await, ask(one("n2")).await), (json!(true), json!(false)));
    assert_eq!(ask(json!({ "rawSelector": "spec.nodeName=n1" })).await, true);
}

#[tokio::test]
async fn very_many_mistakes_are_counted() {
    let cluster = Cluster::new().await;
    // Comparing the texts of these with each other would be minutes.
    let requirements = vec![json!({}); 100_000];
    let attributes = json!({ "resource": "pods", "verb": "get", "fieldSelector": { "requirements": requirements } });
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let answer =
        cluster.post(path, review("SelfSubjectAccessReview", json!({ "resourceAttributes": attributes }))).await;
    assert_eq!(answer.code, 422);
    assert_eq!(answer.body["details"]["causes"].as_array().unwrap().len(), 1_000);
    assert!(answer.message().ends_with("requirements[999].key: Required value: must be specified, and 99000 more]"));
}

#[tokio::test]
async fn who_somebody_is_is_told_in_full() {
    let cluster = Cluster::new().await;
    let mut asked = request(
        Method::POST,
        "/apis/authentication.k8s.io/v1/selfsubjectreviews",
        json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview" }),
    );
    for (name, value) in [
        ("impersonate-user", "jane"),
        ("impersonate-uid", "7"),
        ("impersonate-group", "dev"),
        ("impersonate-extra-acme.io%2fscopes", "view"),
        ("impersonate-extra-acme.io%2fscopes", "edit"),
    ] {
        asked.headers_mut().append(name, value.parse().unwrap());
    }
    let me = cluster.send(asked).await.ok();
    let expected = json!({
        "username": "jane", "uid": "7", "groups": ["dev", "system:authenticated"],
        "extra": { "acme.io/scopes": ["view", "edit"] },
    });
    assert_eq!(me["status"]["userInfo"], expected);
}

#[tokio::test]
async fn the_rules_of_a_user_are_told_as_far_as_they_are_known() {
    let cluster = Cluster::new().await;
    let rules = async |user: coracle_server::User, namespace: &str| {
        let body = review("SelfSubjectRulesReview", json!({ "namespace": namespace }));
        crate::authorizing::by(&cluster, user, Method::POST, &format!("{AUTHORIZATION}/selfsubjectrulesreviews"), body)
            .await
    };
    let jane = || coracle_server::User::new("jane", []);
    let status = rules(jane(), "default").await.ok()["status"].clone();
    assert_eq!((&status["incomplete"], status.get("evaluationError")), (&json!(false), None));
    let own = json!({
        "verbs": ["create"], "apiGroups": ["authorization.k8s.io"],
        "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
    });
    assert!(status["resourceRules"].as_array().unwrap().contains(&own), "{status}");
    let paths = status["nonResourceRules"].as_array().unwrap();
    assert!(
        paths.iter().any(|rule| rule["nonResourceURLs"].as_array().unwrap().contains(&json!("/healthz"))),
        "{status}"
    );
    rules(jane(), "").await.fails(400, "no namespace on request");
    let node = coracle_server::User::new("system:node:n1", ["system:nodes".to_string()]);
    let status = rules(node, "default").await.ok()["status"].clone();
    assert_eq!(status["incomplete"], true);
    assert_eq!(status["evaluationError"], "node authorizer does not support user rule resolution");
}

#[tokio::test]
async fn rules_are_listed() {
    let cluster = Cluster::new().await;
    let body = review("SelfSubjectRulesReview", json!({ "namespace": "default" }));
    let answer = cluster.post(&format!("{AUTHORIZATION}/selfsubjectrulesreviews"), body).await.ok();
    assert_eq!(answer["status"]["resourceRules"][0]["verbs"], json!(["*"]));
    assert_eq!(answer["status"]["incomplete"], false);
}

/// `Servers with support for Table transformation should return a 406 for a backend which does not implement metadata`
#[tokio::test]
async fn a_review_has_no_table() {
    let cluster = Cluster::new().await;
    let body = review("SelfSubjectAccessReview", json!({ "nonResourceAttributes": { "verb": "get", "path": "/" } }));
    let mut asked = request(Method::POST, &format!("{AUTHORIZATION}/selfsubjectaccessreviews"), body);
    asked.headers_mut().insert(ACCEPT, "application/json;as=Table;v=v1;g=meta.k8s.io".parse().unwrap());
    assert_eq!(cluster.send(asked).await.code, 406);
}

fn books(object: &Value) -> Vec<(String, String, String)> {
    let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or_default().to_string();
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    entries.map(|e| (text(e, "manager"), text(e, "operation"), text(e, "subresource"))).collect()
}

fn book(manager: &str, operation: &str, subresource: &str) -> (String, String, String) {
    (manager.into(), operation.into(), subresource.into())
}

#[tokio::test]
async fn every_write_is_in_the_books() {
    let cluster = Cluster::new().await;
    let mut create = request(Method::POST, DEPLOYMENTS, deployment("web"));
    create.headers_mut().insert(USER_AGENT, "kubectl/v1.36.0 (linux/amd64)".parse().unwrap());
    let created = cluster.send(create).await.ok();
    assert_eq!(books(&created), [book("kubectl", "Update", "")]);
    let fields = &created["metadata"]["managedFields"][0]["fieldsV1"];
    assert!(fields["f:spec"]["f:replicas"].is_object(), "defaults are the author's: {fields}");
    assert!(fields.get("f:status").is_none() && fields["f:metadata"].get("f:uid").is_none());
    let status = json!({ "status": { "replicas": 1 } });
    let path = format!("{DEPLOYMENTS}/web");
    let told = cluster.merge(&format!("{path}/status?fieldManager=controller"), status).await.ok();
    assert_eq!(books(&told), [book("controller", "Update", "status"), book("kubectl", "Update", "")]);
    let scaled = cluster.merge(&format!("{path}?fieldManager=scaler"), json!({ "spec": { "replicas": 3 } })).await.ok();
    assert!(books(&scaled).contains(&book("scaler", "Update", "")));
    let owners = scaled["metadata"]["managedFields"].as_array().unwrap();
    let owning = owners.iter().filter(|e| !e["fieldsV1"]["f:spec"]["f:replicas"].is_null());
    assert_eq!(owning.map(|e| e["manager"].clone()).collect::<Vec<_>>(), [json!("scaler")]);
}

#[tokio::test]
async fn books_can_be_thrown_away_and_stay_away() {
    let cluster = Cluster::new().await;
    let created = cluster.post(MAPS, map("a", json!({}))).await.ok();
    assert_eq!(books(&created).len(), 1);
    let path = format!("{MAPS}/a");
    let reset = cluster.merge(&path, json!({ "metadata": { "managedFields": [{}] } })).await.ok();
    assert!(books(&reset).is_empty());
    let later = cluster.merge(&path, json!({ "data": { "x": "y" } })).await.ok();
    assert!(books(&later).is_empty());
}

#[tokio::test]
async fn a_cluster_starts_with_its_flow_schemas() {
    const FLOW: &str = "/apis/flowcontrol.apiserver.k8s.io/v1";
    let cluster = Cluster::new().await;
    let schemas = cluster.get(&format!("{FLOW}/flowschemas")).await.ok();
    assert_eq!(schemas["items"].as_array().unwrap().len(), 13);
    for schema in schemas["items"].as_array().unwrap() {
        let condition = &schema["status"]["conditions"][0];
        assert_eq!((&condition["type"], &condition["status"]), (&json!("Dangling"), &json!("False")));
        assert_eq!(schema["metadata"]["annotations"]["apf.kubernetes.io/autoupdate-spec"], "true");
    }
    let exempt = cluster.get(&format!("{FLOW}/prioritylevelconfigurations/exempt")).await.ok();
    assert_eq!(exempt["spec"]["type"], "Exempt");
    // What is missing comes back.
    cluster.delete(&format!("{FLOW}/flowschemas/probes")).await.ok();
    let cluster = cluster.restarted().await;
    assert_eq!(cluster.get(&format!("{FLOW}/flowschemas/probes")).await.code, 200);
}
