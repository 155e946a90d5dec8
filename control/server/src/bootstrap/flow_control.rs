//! How requests queue from the start: the priority levels and flow schemas that every cluster has
//! (`k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap`), the mandatory and the suggested ones.

use futures::future::try_join_all;
use serde_json::{Value, json};

use super::{create, note};
use crate::hub::Hub;
use crate::server::StartError;
use coracle_api::meta;

const VERSION: &str = "flowcontrol.apiserver.k8s.io/v1";
/// Marks the objects whose spec nobody has made his own.
const AUTO_UPDATE: &str = "apf.kubernetes.io/autoupdate-spec";
const EVERYBODY: [&str; 2] = ["system:unauthenticated", "system:authenticated"];
const CONTROLLERS: &str = "system:kube-controller-manager";
const SCHEDULER: &str = "system:kube-scheduler";

/// A level that queues: name, shares, percentage that others may borrow, queues, size of a hand.
const QUEUES: [(&str, u32, u32, u32, u32); 6] = [
    ("system", 30, 33, 64, 6),
    ("node-high", 40, 25, 64, 6),
    ("leader-election", 10, 0, 16, 4),
    ("workload-high", 40, 50, 128, 6),
    ("workload-low", 100, 90, 128, 6),
    ("global-default", 20, 50, 128, 6),
];
const QUEUE_LENGTH: u32 = 50;

/// Makes what is missing, and says of each schema that its level exists.
pub(super) async fn ensure(hub: &Hub) -> Result<(), StartError> {
    // A server may be given a catalogue without them.
    if hub.row(VERSION, "flowschemas").is_err() {
        return Ok(());
    }
    let levels = levels().into_iter().map(|level| create(hub, VERSION, "prioritylevelconfigurations", "", level));
    let schemas = schemas().into_iter().map(|schema| async move {
        let name = meta::name(&schema).to_string();
        create(hub, VERSION, "flowschemas", "", schema).await?;
        note_level(hub, &name).await
    });
    futures::try_join!(try_join_all(levels), try_join_all(schemas)).map(|_| ())
}

fn object(kind: &str, name: &str, spec: Value) -> Value {
    let annotations = json!({ AUTO_UPDATE: "true" });
    let metadata = json!({ "name": name, "annotations": annotations });
    json!({ "apiVersion": VERSION, "kind": kind, "metadata": metadata, "spec": spec })
}

/// The levels, as they are created.
pub(crate) fn levels() -> Vec<Value> {
    let level = |name: &str, spec| object("PriorityLevelConfiguration", name, spec);
    let exempt = json!({ "type": "Exempt", "exempt": { "nominalConcurrencyShares": 0, "lendablePercent": 0 } });
    let limited = |shares: u32, lendable: u32, response: Value| {
        let limits =
            json!({ "nominalConcurrencyShares": shares, "lendablePercent": lendable, "limitResponse": response });
        json!({ "type": "Limited", "limited": limits })
    };
    let mut all = vec![level("exempt", exempt), level("catch-all", limited(5, 0, json!({ "type": "Reject" })))];
    all.extend(QUEUES.into_iter().map(|(name, shares, lendable, queues, hand)| {
        let queuing = json!({ "queues": queues, "handSize": hand, "queueLengthLimit": QUEUE_LENGTH });
        level(name, limited(shares, lendable, json!({ "type": "Queue", "queuing": queuing })))
    }));
    all
}

fn groups(names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| json!({ "kind": "Group", "group": { "name": name } })).collect()
}

fn users(names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| json!({ "kind": "User", "user": { "name": name } })).collect()
}

/// Service accounts of `kube-system`.
fn accounts(names: &[&str]) -> Vec<Value> {
    let account = |name: &&str| json!({ "name": name, "namespace": "kube-system" });
    names.iter().map(|name| json!({ "kind": "ServiceAccount", "serviceAccount": account(name) })).collect()
}

fn on_resources(verbs: &[&str], group: &str, resources: &[&str], cluster: bool) -> Value {
    let mut rule = json!({ "verbs": verbs, "apiGroups": [group], "resources": resources, "namespaces": ["*"] });
    if cluster {
        rule["clusterScope"] = json!(true);
    }
    rule
}

/// All that somebody asks for.
fn everything(subjects: Vec<Value>) -> Value {
    json!({
        "subjects": subjects,
        "resourceRules": [on_resources(&["*"], "*", &["*"], true)],
        "nonResourceRules": [{ "verbs": ["*"], "nonResourceURLs": ["*"] }],
    })
}

fn some_resources(subjects: Vec<Value>, rules: Vec<Value>) -> Value {
    json!({ "subjects": subjects, "resourceRules": rules })
}

/// The schemas, as they are created.
pub(crate) fn schemas() -> Vec<Value> {
    const ELECT: [&str; 3] = ["get", "create", "update"];
    let elects = || on_resources(&ELECT, "coordination.k8s.io", &["leases"], false);
    let candidates = users(&[CONTROLLERS, SCHEDULER]).into_iter().chain(accounts(&["*"])).collect();
    let slicers = users(&[CONTROLLERS])
        .into_iter()
        .chain(accounts(&["endpoint-controller", "endpointslicemirroring-controller"]))
        .collect();
    let nodes = vec![
        on_resources(&["*"], "", &["nodes", "nodes/status"], true),
        on_resources(&["*"], "coordination.k8s.io", &["leases"], false),
    ];
    let probes = json!({ "subjects": groups(&EVERYBODY),
        "nonResourceRules": [{ "verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"] }] });
    let endpoints = vec![on_resources(&ELECT, "", &["endpoints"], false)];
    let (by_user, by_namespace) = (Some("ByUser"), Some("ByNamespace"));
    [
        ("exempt", "exempt", 1, None, everything(groups(&["system:masters"]))),
        ("catch-all", "catch-all", 10_000, by_user, everything(groups(&EVERYBODY))),
        ("probes", "exempt", 2, None, probes),
        ("system-leader-election", "leader-election", 100, by_user, some_resources(candidates, vec![elects()])),
        ("endpoint-controller", "workload-high", 150, by_user, some_resources(slicers, endpoints)),
        ("workload-leader-election", "leader-election", 200, by_user, some_resources(accounts(&["*"]), vec![elects()])),
        ("system-node-high", "node-high", 400, by_user, some_resources(groups(&["system:nodes"]), nodes)),
        ("system-nodes", "system", 500, by_user, everything(groups(&["system:nodes"]))),
        ("kube-controller-manager", "workload-high", 800, by_namespace, everything(users(&[CONTROLLERS]))),
        ("kube-scheduler", "workload-high", 800, by_namespace, everything(users(&[SCHEDULER]))),
        ("kube-system-service-accounts", "workload-high", 900, by_namespace, everything(accounts(&["*"]))),
        ("service-accounts", "workload-low", 9000, by_user, everything(groups(&["system:serviceaccounts"]))),
        ("global-default", "global-default", 9900, by_user, everything(groups(&EVERYBODY))),
    ]
    .into_iter()
    .map(|(name, level, precedence, distinguisher, rule)| {
        let mut spec = json!({
            "priorityLevelConfiguration": { "name": level }, "matchingPrecedence": precedence, "rules": [rule],
        });
        if let Some(method) = distinguisher {
            spec["distinguisherMethod"] = json!({ "type": method });
        }
        object("FlowSchema", name, spec)
    })
    .collect()
}

/// The condition that the level of a schema is there.
async fn note_level(hub: &Hub, name: &str) -> Result<(), StartError> {
    note(hub, (VERSION, "flowschemas", name), |schema| {
        let level = schema["spec"]["priorityLevelConfiguration"]["name"].as_str().unwrap_or_default();
        json!({
            "type": "Dangling", "status": "False", "reason": "Found",
            "message": format!(
                "This FlowSchema references the PriorityLevelConfiguration object named {level:?} and it exists"
            ),
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_api::Catalog;

    #[test]
    fn what_a_cluster_starts_with_is_valid_and_complete() {
        let catalog = Catalog::builtin();
        let levels = levels();
        let names: Vec<&str> = levels.iter().map(meta::name).collect();
        for (plural, object) in levels
            .iter()
            .map(|level| ("prioritylevelconfigurations", level))
            .chain(schemas().iter().map(|schema| ("flowschemas", schema)))
        {
            let row = catalog.find("flowcontrol.apiserver.k8s.io", "v1", plural).unwrap();
            let mut defaulted = object.clone();
            row.defaults(&mut defaulted);
            assert_eq!(row.create_errors(&defaulted), [], "{}", meta::name(object));
            assert_eq!(object["spec"], defaulted["spec"], "{} leaves nothing to defaults", meta::name(object));
        }
        for schema in schemas() {
            let level = schema["spec"]["priorityLevelConfiguration"]["name"].as_str().unwrap();
            assert!(names.contains(&level), "{level}");
        }
        assert_eq!((levels.len(), schemas().len()), (8, 13));
    }
}
