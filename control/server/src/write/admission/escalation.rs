//! Nobody gives what they do not have: what Kubernetes checks before it stores a role or a binding
//! (`pkg/registry/rbac/…/policybased`).

use async_trait::async_trait;
use coracle_api::{ApiError, ApiResult, Reason, meta};
use serde_json::Value;

use super::{Action, Admitted, Plugin};
use crate::authz::rbac::{RoleRef, Rule, missing, quoted};
use crate::authz::{Attributes, Subject};
use crate::hub::Hub;
use crate::identity::MASTERS;

const GROUP: &str = "rbac.authorization.k8s.io";

/// See the module's documentation.
pub(super) struct Escalation;

#[async_trait]
impl Plugin for Escalation {
    fn handles(&self, write: &Admitted<'_>) -> bool {
        let trusted = write.user.is_component() || write.user.in_group(MASTERS);
        write.resource.group == GROUP && write.action != Action::Delete && !trusted
    }

    async fn validate(&self, hub: &Hub, write: &Admitted<'_>, object: &Value) -> ApiResult<()> {
        if write.old.is_some_and(|old| only_lets_go(object, old)) {
            return Ok(());
        }
        match write.resource.plural.as_ref() {
            "roles" | "clusterroles" => check_role(hub, write, object),
            _ => check_binding(hub, write, object),
        }
    }
}

/// Whether the change is what the garbage collector needs to delete the object: owners and finalizers.
fn only_lets_go(new: &Value, old: &Value) -> bool {
    let rest = |object: &Value| {
        let mut rest = object.clone();
        let metadata = meta::metadata_mut(&mut rest);
        for field in ["ownerReferences", "finalizers", "managedFields", "resourceVersion", "generation"] {
            metadata.remove(field);
        }
        rest
    };
    rest(new) == rest(old)
}

fn check_role(hub: &Hub, write: &Admitted<'_>, role: &Value) -> ApiResult<()> {
    let plural = write.resource.plural.as_ref();
    if may(hub, write, "escalate", plural, write.name) {
        return Ok(());
    }
    confirm(hub, write, &Rule::all_of(role))?;
    let gathers = |role: &Value| role["aggregationRule"].is_object();
    // It can gather anything later, and keep others from taking it back.
    if (gathers(role) || write.old.is_some_and(gathers)) && confirm(hub, write, &Rule::everything()).is_err() {
        return Err(write.forbidden("must have cluster-admin privileges to use an aggregationRule"));
    }
    Ok(())
}

fn check_binding(hub: &Hub, write: &Admitted<'_>, binding: &Value) -> ApiResult<()> {
    let role = RoleRef::of(binding, write.namespace);
    if may(hub, write, "bind", role.plural(), &role.name) {
        return Ok(());
    }
    let rules = hub.authorizer.rbac.rules_of_role(&role).map_err(|why| {
        let mut error = ApiError::new(Reason::NotFound, why);
        for (field, value) in [("name", role.name.as_str()), ("group", GROUP), ("kind", role.singular())] {
            error.details.insert(field.into(), value.into());
        }
        error
    })?;
    confirm(hub, write, &rules)
}

fn may(hub: &Hub, write: &Admitted<'_>, verb: &str, resource: &str, name: &str) -> bool {
    let namespace = write.namespace;
    let target = Subject::Resource { group: GROUP, resource, subresource: "", namespace, name };
    hub.authorizer.allows(write.user, &Attributes::new(verb, target))
}

/// The author has all of the rules.
fn confirm(hub: &Hub, write: &Admitted<'_>, wanted: &[Rule]) -> ApiResult<()> {
    let user = write.user;
    let (owned, errors) = hub.authorizer.rbac.rules_of(user, write.namespace);
    let missing = missing(&owned, wanted);
    if missing.is_empty() {
        return Ok(());
    }
    let mut why = format!(
        "user {:?} (groups={}) is attempting to grant RBAC permissions not currently held:\n{}",
        user.name,
        quoted(&user.groups),
        missing.describe().join("\n")
    );
    if !errors.is_empty() {
        why.push_str(&format!("; resolution errors: {}", quoted(&errors)));
    }
    Err(write.forbidden(&why))
}
