//! The roles and bindings that every cluster has, brought up to date at each start: what is missing in one is added,
//! what somebody has added stays (`component-helpers`' `auth/rbac/reconciliation`).

use coracle_api::meta;
use coracle_store::Key;
use futures::future::try_join_all;
use serde_json::{Map, Value, json};

use super::{create, failed, policy, row};
use crate::authz::rbac::{Rule, all_missing};
use crate::hub::Hub;
use crate::server::StartError;
use crate::write::{Author, Next, Part, edit, revise};

const VERSION: &str = "rbac.authorization.k8s.io/v1";
/// With the value `false` on a default role or binding, the server keeps its hands off it.
const AUTO_UPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";

/// Makes what is missing, and adds what is missing to what is there.
pub(super) async fn ensure(hub: &Hub) -> Result<(), StartError> {
    // A server may be given a catalogue without them.
    if hub.row(VERSION, "clusterroles").is_err() {
        return Ok(());
    }
    let kinds = [
        ("clusterroles", policy::cluster_roles()),
        ("clusterrolebindings", policy::cluster_role_bindings()),
        ("roles", policy::roles()),
        ("rolebindings", policy::role_bindings()),
    ];
    let all = kinds.into_iter().flat_map(|(plural, objects)| objects.into_iter().map(move |object| (plural, object)));
    try_join_all(all.map(|(plural, object)| reconcile(hub, plural, object))).await.map(|_| ())
}

async fn reconcile(hub: &Hub, plural: &str, wanted: Value) -> Result<(), StartError> {
    let (namespace, name) = (meta::namespace(&wanted).to_string(), meta::name(&wanted).to_string());
    let failed = || failed(format!("{plural}/{name}"));
    let resource = row(hub, VERSION, plural).map_err(failed())?;
    let key = Key::new(resource.storage_key(), namespace.as_str(), name.as_str());
    if hub.store.get(&key).is_some() {
        let author = Author::server();
        let decide = |old: &Value| match completed(old, &wanted) {
            Completed::Same => Ok(Next::Keep),
            Completed::Changed(new) => {
                Ok(Next::Write { object: revise(&resource, Part::Main, *new, old, &author)?, pinned: false })
            }
            // Which role a binding gives can't be changed; this one was made by somebody under our name.
            Completed::Another => Ok(Next::Remove(old.clone())),
        };
        let edited = edit(hub, &resource, &key, false, decide).await.map_err(failed())?;
        if !edited.removed {
            return Ok(());
        }
    }
    create(hub, VERSION, plural, &namespace, wanted).await
}

/// What becomes of a stored role or binding.
#[derive(Debug, PartialEq)]
enum Completed {
    Same,
    Changed(Box<Value>),
    Another,
}

/// The stored object with what is missing in it.
fn completed(old: &Value, wanted: &Value) -> Completed {
    if old["metadata"]["annotations"][AUTO_UPDATE] == "false" {
        return Completed::Same;
    }
    if old["roleRef"] != wanted["roleRef"] {
        return Completed::Another;
    }
    let mut new = old.clone();
    for field in ["labels", "annotations"] {
        add_pairs(&mut new, wanted, field);
    }
    let gathered = &wanted["aggregationRule"]["clusterRoleSelectors"];
    if gathered.is_array() {
        add_items(&mut new["aggregationRule"]["clusterRoleSelectors"], gathered);
    } else if wanted["roleRef"].is_null() {
        let rules = all_missing(&Rule::all_of(old), &Rule::all_of(wanted));
        add_items(&mut new["rules"], &json!(rules.iter().map(Rule::to_json).collect::<Vec<_>>()));
    } else {
        add_items(&mut new["subjects"], &wanted["subjects"]);
    }
    if new == *old { Completed::Same } else { Completed::Changed(Box::new(new)) }
}

/// Adds labels or annotations whose keys are not there.
fn add_pairs(new: &mut Value, wanted: &Value, field: &str) {
    let Some(wanted) = wanted["metadata"][field].as_object() else { return };
    let own = &mut new["metadata"][field];
    if !own.is_object() {
        *own = Value::Object(Map::new());
    }
    for (key, value) in wanted {
        if own[key].is_null() {
            own[key] = value.clone();
        }
    }
}

/// Adds items that are not there.
fn add_items(own: &mut Value, wanted: &Value) {
    let known = own.as_array().cloned().unwrap_or_default();
    let lacking: Vec<Value> =
        wanted.as_array().into_iter().flatten().filter(|item| !known.contains(item)).cloned().collect();
    if !lacking.is_empty() {
        *own = json!([known, lacking].concat());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(rules: Value) -> Value {
        json!({ "metadata": { "name": "r", "labels": { "a": "1" }, "annotations": { AUTO_UPDATE: "true" } }, "rules": rules })
    }

    fn rule(verbs: &[&str]) -> Value {
        json!({ "apiGroups": [""], "resources": ["pods"], "verbs": verbs })
    }

    #[test]
    fn what_is_missing_in_a_role_is_added_and_what_is_more_stays() {
        let old = role(json!([rule(&["get", "delete"])]));
        let wanted = role(json!([rule(&["get", "list"])]));
        let Completed::Changed(new) = completed(&old, &wanted) else { panic!("unchanged") };
        let added = json!({ "verbs": ["list"], "apiGroups": [""], "resources": ["pods"] });
        assert_eq!(new["rules"], json!([rule(&["get", "delete"]), added]));
        assert_eq!(completed(&new, &wanted), Completed::Same);
    }

    #[test]
    fn an_administrator_may_keep_a_role_as_it_is() {
        let mut old = role(json!([]));
        old["metadata"]["annotations"][AUTO_UPDATE] = json!("false");
        assert_eq!(completed(&old, &role(json!([rule(&["get"])]))), Completed::Same);
    }

    #[test]
    fn labels_of_ones_own_stay() {
        let (mut old, wanted) = (role(json!([])), role(json!([])));
        old["metadata"]["labels"] = json!({ "b": "2" });
        let Completed::Changed(new) = completed(&old, &wanted) else { panic!("unchanged") };
        assert_eq!(new["metadata"]["labels"], json!({ "a": "1", "b": "2" }));
    }

    #[test]
    fn a_binding_gets_its_subjects_back_but_not_another_role() {
        let binding = |role: &str, subjects: &[&str]| {
            let subjects: Vec<Value> = subjects.iter().map(|name| json!({ "kind": "Group", "name": name })).collect();
            json!({ "metadata": { "name": "b" }, "roleRef": { "name": role }, "subjects": subjects })
        };
        let Completed::Changed(new) = completed(&binding("r", &["mine"]), &binding("r", &["ours"])) else {
            panic!("unchanged")
        };
        assert_eq!(*new, binding("r", &["mine", "ours"]));
        assert_eq!(completed(&binding("other", &[]), &binding("r", &[])), Completed::Another);
    }
}
