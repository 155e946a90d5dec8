//! `ValidatingAdmissionPolicy`

use coracle_server::{AuditConfig, LogConfig, Policy};
use http::Method;
use serde_json::{Value, json};

use super::{GROUP, bind, validating, with};
use crate::pod_security::header;
use crate::support::{Cluster, DEPLOYMENTS, MAPS, PATIENCE, config, deployment, map, pod, request};

const SMALL: &str = "!has(object.data) || object.data.size() < 2";

fn large(name: &str) -> Value {
    with(map(name, json!({})), json!({ "data": { "a": "1", "b": "2" } }))
}

#[tokio::test]
async fn what_does_not_hold_is_refused_where_the_policy_is_bound() {
    let cluster = Cluster::new().await;
    let validations =
        json!([{ "expression": SMALL }, { "expression": "object.metadata.name != 'q'", "reason": "Forbidden" }]);
    validating(&cluster, "p", json!({ "validations": validations })).await;
    cluster.post(MAPS, large("free")).await.ok();
    bind(&cluster, "b", "p", json!({})).await;
    let refused = cluster.post(MAPS, large("m")).await;
    let why = format!("ValidatingAdmissionPolicy 'p' with binding 'b' denied request: failed expression: {SMALL}");
    assert_eq!(refused.body["reason"], "Invalid");
    let details = json!({ "name": "m", "kind": "configmaps", "causes": [{ "message": why }] });
    assert_eq!(refused.body["details"], details);
    refused.fails(422, &format!("configmaps \"m\" is forbidden: {why}"));
    let named = cluster.post(MAPS, map("q", json!({}))).await;
    assert_eq!((named.code, &named.body["reason"]), (403, &json!("Forbidden")));
    // What is stored is left alone, and judged when it changes.
    let changed = cluster.merge(&format!("{MAPS}/free?dryRun=All"), json!({ "data": { "c": "3" } })).await;
    assert_eq!(changed.code, 422);
    cluster.post(MAPS, map("m", json!({}))).await.ok();
    cluster.delete(&format!("{MAPS}/free")).await.ok();
    // A binding that goes takes its effect with it.
    cluster.delete(&format!("{GROUP}/validatingadmissionpolicybindings/b")).await.ok();
    cluster.post(MAPS, large("n")).await.ok();
}

#[tokio::test]
async fn a_binding_says_where_a_policy_is_about_things() {
    let cluster = Cluster::new().await;
    let team = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "team", "labels": { "strict": "yes" } } });
    cluster.post("/api/v1/namespaces", team).await.ok();
    let rule =
        json!({ "operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["configmaps", "pods"] });
    let constraints = json!({
        "resourceRules": [rule],
        "excludeResourceRules": [with(rule.clone(), json!({ "resourceNames": ["excepted"] }))],
    });
    validating(&cluster, "p", json!({ "matchConstraints": constraints, "validations": [{ "expression": "false" }] }))
        .await;
    let only_maps = with(rule, json!({ "resources": ["configmaps"] }));
    let resources =
        json!({ "resourceRules": [only_maps], "namespaceSelector": { "matchLabels": { "strict": "yes" } } });
    bind(&cluster, "b", "p", json!({ "matchResources": resources })).await;
    let maps = "/api/v1/namespaces/team/configmaps";
    assert_eq!(cluster.post(maps, map("m", json!({}))).await.code, 422);
    cluster.post(maps, map("excepted", json!({}))).await.ok();
    cluster.post(MAPS, map("m", json!({}))).await.ok();
    let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "default" } });
    cluster.post("/api/v1/namespaces/team/serviceaccounts", account).await.ok();
    cluster.post("/api/v1/namespaces/team/pods", pod("p")).await.ok();
}

#[tokio::test]
async fn a_policy_sees_the_version_that_it_names_and_what_goes() {
    let cluster = Cluster::new().await;
    let rule = |operations: Value, version: &str| {
        json!({ "resourceRules": [{
            "operations": operations, "apiGroups": ["autoscaling"], "apiVersions": [version],
            "resources": ["horizontalpodautoscalers"],
        }] })
    };
    let expression = "object.apiVersion == 'autoscaling/v1' && request.resource.version == 'v1' && \
                      request.requestResource.version == 'v2' && has(object.spec.targetCPUUtilizationPercentage)";
    let spec = json!({
        "matchConstraints": rule(json!(["CREATE"]), "v1"),
        "validations": [{ "expression": format!("!({expression})"), "message": "seen as v1" }],
    });
    validating(&cluster, "p", spec).await;
    bind(&cluster, "b", "p", json!({})).await;
    let path = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers";
    let metric = json!({ "type": "Resource", "resource": {
        "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 50 },
    } });
    let scaler = json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": { "name": "h" },
        "spec": {
            "maxReplicas": 2, "metrics": [metric],
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "d" },
        },
    });
    let text = "horizontalpodautoscalers.autoscaling \"h\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' \
                denied request: seen as v1";
    cluster.post(path, scaler).await.fails(422, text);
    let rule =
        json!({ "operations": ["DELETE"], "apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"] });
    let spec = json!({
        "matchConstraints": { "resourceRules": [rule] },
        "validations": [{
            "expression": "object != null || !has(oldObject.metadata.labels.keep)",
            "messageExpression": "oldObject.metadata.name + ' is kept in ' + namespaceObject.metadata.name",
        }],
    });
    validating(&cluster, "keep", spec).await;
    bind(&cluster, "keep", "keep", json!({})).await;
    let mut kept = deployment("kept");
    kept["metadata"]["labels"] = json!({ "keep": "" });
    cluster.post(DEPLOYMENTS, kept).await.ok();
    let text = "deployments.apps \"kept\" is forbidden: ValidatingAdmissionPolicy 'keep' with binding 'keep' denied \
                request: kept is kept in default";
    cluster.delete(&format!("{DEPLOYMENTS}/kept")).await.fails(422, text);
    cluster.delete(DEPLOYMENTS).await.fails(422, text);
    cluster
        .merge(&format!("{DEPLOYMENTS}/kept"), json!({ "metadata": { "labels": { "keep": null, "app": "a" } } }))
        .await
        .ok();
    cluster.delete(&format!("{DEPLOYMENTS}/kept")).await.ok();
}

#[tokio::test]
async fn a_failure_is_decided_by_the_policy() {
    let cluster = Cluster::new().await;
    let spec =
        |policy: &str| json!({ "failurePolicy": policy, "validations": [{ "expression": "object.data.none == ''" }] });
    validating(&cluster, "open", spec("Ignore")).await;
    bind(&cluster, "open", "open", json!({})).await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    validating(&cluster, "closed", spec("Fail")).await;
    bind(&cluster, "closed", "closed", json!({})).await;
    let text = "configmaps \"b\" is forbidden: ValidatingAdmissionPolicy 'closed' with binding 'closed' denied request: \
                expression 'object.data.none == ''' resulted in error: no such key: none";
    cluster.post(MAPS, map("b", json!({}))).await.fails(422, text);
}

#[tokio::test]
async fn policies_do_not_stand_in_the_way_of_policies() {
    let cluster = Cluster::new().await;
    let rule = json!({ "operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"] });
    let nothing =
        json!({ "matchConstraints": { "resourceRules": [rule] }, "validations": [{ "expression": "false" }] });
    validating(&cluster, "nothing", nothing).await;
    bind(&cluster, "b", "nothing", json!({})).await;
    assert_eq!(cluster.post(MAPS, map("a", json!({}))).await.code, 422);
    let review = json!({ "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": { "resourceAttributes": { "resource": "pods", "verb": "get" } } });
    cluster.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review).await.ok();
    let loosened = json!({ "spec": { "validations": [{ "expression": "true" }] } });
    cluster.merge(&format!("{GROUP}/validatingadmissionpolicies/nothing"), loosened).await.ok();
    cluster.post(MAPS, map("a", json!({}))).await.ok();
}

#[tokio::test]
async fn expressions_can_ask_who_may_do_what() {
    let cluster = Cluster::new().await;
    let own = "authorizer.requestResource.check('delete').allowed()";
    let robot = "authorizer.serviceAccount('default', 'robot').group('').resource('secrets').namespace('default')\
                 .check('get').allowed()";
    let validations =
        json!([{ "expression": own }, { "expression": format!("!{robot}"), "message": "robots read secrets" }]);
    validating(&cluster, "p", json!({ "validations": validations })).await;
    bind(&cluster, "b", "p", json!({})).await;
    let rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
    let bound = |name: &str, role: &str, subject: Value| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": name },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role }, "subjects": [subject],
        })
    };
    let role = |name: &str, resource: &str, verbs: Value| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": { "name": name },
            "rules": [{ "apiGroups": [""], "resources": [resource], "verbs": verbs }],
        })
    };
    cluster.post(&format!("{rbac}/roles"), role("writer", "configmaps", json!(["create"]))).await.ok();
    let jane = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane" });
    cluster.post(&format!("{rbac}/rolebindings"), bound("writer", "writer", jane)).await.ok();
    let mut asked = request(Method::POST, MAPS, map("m", json!({})));
    asked.extensions_mut().insert(coracle_server::User::new("jane", []));
    let refused = cluster.send(asked).await;
    let why = "configmaps \"m\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: ";
    refused.fails(422, &format!("{why}failed expression: {own}"));
    cluster.post(MAPS, map("m", json!({}))).await.ok();
    cluster.post(&format!("{rbac}/roles"), role("reader", "secrets", json!(["get"]))).await.ok();
    let account = json!({ "kind": "ServiceAccount", "name": "robot", "namespace": "default" });
    cluster.post(&format!("{rbac}/rolebindings"), bound("reader", "reader", account)).await.ok();
    let text = "configmaps \"n\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: robots read \
                secrets";
    cluster.post(MAPS, map("n", json!({}))).await.fails(422, text);
}

/// A cluster with an audit log of what is done to config maps.
async fn audited(directory: &std::path::Path) -> Cluster {
    let policy = "{ apiVersion: audit.k8s.io/v1, kind: Policy, omitStages: [RequestReceived], rules: [{ \
                  level: Metadata, resources: [{ group: '', resources: [configmaps] }] }] }";
    let log = LogConfig { path: directory.join("audit.log"), max_megabytes: 100, max_backups: 0, max_days: 0 };
    let mut config = config();
    config.audit = Some(AuditConfig { policy: Policy::parse(policy).unwrap(), log });
    Cluster::with(config, |_| {}).await
}

/// The annotations of the first event in the log, once it is there.
async fn noted(directory: &std::path::Path) -> Value {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let text = std::fs::read_to_string(directory.join("audit.log")).unwrap_or_default();
        if let Some(line) = text.split_inclusive('\n').next().filter(|line| line.ends_with('\n')) {
            return serde_json::from_str::<Value>(line).unwrap()["annotations"].clone();
        }
        assert!(tokio::time::Instant::now() < deadline, "no event");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn what_does_not_hold_can_be_told_instead_of_refused() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = audited(directory.path()).await;
    let validations =
        json!([{ "expression": "true" }, { "expression": "object.data.size() < 2", "message": "a < \"b\"" }]);
    let annotations = json!([
        { "key": "count", "valueExpression": "string(object.data.size())" }, { "key": "no", "valueExpression": "null" },
    ]);
    validating(&cluster, "p", json!({ "validations": validations, "auditAnnotations": annotations })).await;
    bind(&cluster, "b", "p", json!({ "validationActions": ["Warn", "Audit"] })).await;
    let created = cluster.post(MAPS, large("m")).await;
    let warning = "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': a < \"b\"";
    assert_eq!((created.code, created.warnings()), (201, vec![header(warning)]));
    let noted = noted(directory.path()).await;
    assert_eq!(noted["p/count"], "2");
    assert_eq!(noted.get("p/no"), None);
    let failure = r#"[{"message":"a \u003c \"b\"","policy":"p","binding":"b","expressionIndex":1,"validationActions":["Warn","Audit"]}]"#;
    assert_eq!(noted["validation.policy.admission.k8s.io/validation_failure"], failure);
}
