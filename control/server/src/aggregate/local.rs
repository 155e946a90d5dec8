//! The APIServices of what this server serves itself. Nothing depends on them; they are there to be seen.

use std::collections::BTreeMap;

use coracle_api::{ApiResult, Resource};
use coracle_store::{Expect, Key, Op, Record, Scope, Txn};
use serde_json::{Value, json};

use super::priorities::{self, CUSTOM_GROUP, CUSTOM_VERSION};
use super::{API_SERVICES, OWN_GROUP, priorities::version as version_priority};
use crate::custom::conditions::Condition;
use crate::hub::Hub;
use crate::write::{commit, now, prepare_create, stored_as_is};

/// Says that an object is kept by the server: `onstart` for built-in groups, `true` for those that come and go.
const MANAGED: &str = "kube-aggregator.kubernetes.io/automanaged";

/// Objects in one transaction.
const MAX_OPS: usize = 64;

/// A group version that should have an APIService.
struct Wanted {
    group: String,
    version: String,
    managed: &'static str,
    priorities: (i64, i64),
}

impl Wanted {
    fn name(&self) -> String {
        format!("{}.{}", self.version, self.group)
    }

    fn object(&self, resource: &Resource) -> Value {
        let mut object = json!({
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": { "name": self.name(), "labels": { MANAGED: self.managed } },
            "spec": {
                "version": self.version,
                "groupPriorityMinimum": self.priorities.0,
                "versionPriority": self.priorities.1,
            },
        });
        if !self.group.is_empty() {
            object["spec"]["group"] = json!(self.group);
        }
        prepare_create(resource, &mut object);
        let text = "Local APIServices are always available";
        Condition::new("Available", true, "Local", text).set(&mut object, &now());
        object
    }
}

/// Makes the APIServices that are missing and takes away those of group versions that are gone. `at_start` also makes
/// those of built-in groups, which somebody may have deleted since.
pub(super) async fn reconcile(hub: &Hub, at_start: bool) -> ApiResult<()> {
    let resource = hub.row("apiregistration.k8s.io/v1", "apiservices")?;
    let wanted: BTreeMap<String, Wanted> = wanted(hub).into_iter().map(|wanted| (wanted.name(), wanted)).collect();
    let mut ops = Vec::new();
    for wanted in wanted.values().filter(|wanted| at_start || wanted.managed == "true") {
        let key = Key::new(API_SERVICES, "", wanted.name());
        if hub.store.get(&key).is_none() {
            let object = stored_as_is(&resource, wanted.object(&resource))?;
            ops.push(Op::Put { key, object, expect: Expect::Absent });
        }
    }
    for record in hub.store.list(&Scope::all(API_SERVICES)).iter() {
        if record.lifted.label(MANAGED).is_some() && !wanted.contains_key(&*record.key.name) && is_local(record) {
            ops.push(Op::Delete { key: record.key.clone(), expect: Expect::Revision(record.revision), last: None });
        }
    }
    while !ops.is_empty() {
        let rest = ops.split_off(ops.len().min(MAX_OPS));
        commit(hub, &resource, "", Txn::new(ops)).await?;
        ops = rest;
    }
    Ok(())
}

fn is_local(record: &Record) -> bool {
    serde_json::from_slice::<Value>(&record.json).is_ok_and(|object| object["spec"]["service"].is_null())
}

/// Every group version that is served here.
fn wanted(hub: &Hub) -> Vec<Wanted> {
    let mut all = Vec::new();
    let built_in = &hub.config.catalog;
    all.push(Wanted { group: String::new(), version: "v1".into(), managed: "onstart", priorities: (18_000, 1) });
    // The group that APIServices are in answers for itself.
    for (group, versions) in built_in.groups().into_iter().filter(|(group, _)| group != OWN_GROUP) {
        for version in versions {
            let priorities = (priorities::group(&group), version_priority(&group, &version));
            all.push(Wanted { group: group.clone(), version, managed: "onstart", priorities });
        }
    }
    let mut custom: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in hub.custom.rows() {
        let versions = custom.entry(row.group.to_string()).or_default();
        if !versions.contains(&row.version.to_string()) {
            versions.push(row.version.to_string());
        }
    }
    for (group, versions) in custom {
        for version in versions {
            if all.iter().any(|known| known.group == group && known.version == version) {
                continue;
            }
            // All of one rank: which is better their names say.
            let priorities = (CUSTOM_GROUP, CUSTOM_VERSION);
            all.push(Wanted { group: group.clone(), version, managed: "true", priorities });
        }
    }
    all
}
