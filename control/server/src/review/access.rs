//! `SubjectAccessReview` and its siblings: may somebody do something?

use coracle_api::selector::FieldSelector;
use serde_json::{Value, json};

use super::text;
use crate::authz::{Attributes, Subject};
use crate::hub::Hub;
use crate::identity::User;

/// The field by which authorizers may narrow a list down.
const NODE_OF_POD: &str = "spec.nodeName";

/// What the author of the request may do.
pub(super) fn of_self(hub: &Hub, user: &User, spec: &Value) -> Value {
    decide(hub, user, spec)
}

/// What the user named in the spec may do.
pub(super) fn of_subject(hub: &Hub, spec: &Value) -> Value {
    // Exactly the groups that are named: whoever asks knows which the user is in.
    let mut user = User::new(text(spec, "user"), []);
    user.groups =
        spec["groups"].as_array().into_iter().flatten().filter_map(|g| g.as_str().map(str::to_string)).collect();
    user.uid = text(spec, "uid").to_string();
    user.extra = spec["extra"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, values)| {
            let values = values.as_array().into_iter().flatten().filter_map(|value| value.as_str().map(str::to_string));
            (key.clone(), values.collect())
        })
        .collect();
    decide(hub, &user, spec)
}

fn decide(hub: &Hub, user: &User, spec: &Value) -> Value {
    let (of_resource, of_path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    let (verb, target) = if of_resource.is_null() {
        (text(of_path, "verb"), Subject::Path(text(of_path, "path")))
    } else {
        let field = |name| text(of_resource, name);
        let target = Subject::Resource {
            group: field("group"),
            resource: field("resource"),
            subresource: field("subresource"),
            namespace: field("namespace"),
            name: field("name"),
        };
        (field("verb"), target)
    };
    let node = selected_node(&of_resource["fieldSelector"]);
    let attributes = Attributes { selected_node: node.as_deref(), ..Attributes::new(verb, target) };
    let verdict = hub.authorizer.decide(user, &attributes);
    let mut status = json!({ "allowed": verdict.allowed });
    if !verdict.reason.is_empty() {
        status["reason"] = json!(verdict.reason);
    }
    status
}

/// The one node whose pods a selector asks for (KEP-4601), given as requirements or as text. What makes no sense narrows
/// nothing, and so allows no more.
fn selected_node(selector: &Value) -> Option<String> {
    let parsed = FieldSelector::parse(text(selector, "rawSelector")).ok();
    let of_text = parsed.as_ref().and_then(|selector| selector.required_value(NODE_OF_POD)).map(str::to_string);
    let names_one = |requirement: &&Value| requirement["key"] == NODE_OF_POD && requirement["operator"] == "In";
    let of_requirement = selector["requirements"].as_array().into_iter().flatten().find(names_one);
    of_text.or_else(|| match of_requirement?["values"].as_array()?.as_slice() {
        [node] => node.as_str().map(str::to_string),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_names_one_node_or_none() {
        let requirement = |operator: &str, values: Value| {
            selected_node(
                &json!({ "requirements": [{ "key": "spec.nodeName", "operator": operator, "values": values }] }),
            )
        };
        assert_eq!(requirement("In", json!(["n1"])).as_deref(), Some("n1"));
        assert_eq!(requirement("In", json!(["n1", "n2"])), None);
        assert_eq!(requirement("NotIn", json!(["n1"])), None);
        let raw = |text: &str| selected_node(&json!({ "rawSelector": text }));
        assert_eq!(raw("status.phase!=Failed,spec.nodeName=n1").as_deref(), Some("n1"));
        assert_eq!(raw("spec.nodeName!=n1"), None);
        assert_eq!(raw("==,"), None);
        assert_eq!(selected_node(&Value::Null), None);
    }
}
