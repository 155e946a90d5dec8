//! `SubjectAccessReview` and its siblings: may somebody do something?

use serde_json::{Value, json};

use super::text;
use crate::authz::{Attributes, Subject};
use crate::hub::Hub;
use crate::identity::User;

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
    let verdict = hub.authorizer.decide(user, &Attributes::new(verb, target));
    let mut status = json!({ "allowed": verdict.allowed });
    if !verdict.reason.is_empty() {
        status["reason"] = json!(verdict.reason);
    }
    status
}
