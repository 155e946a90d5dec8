//! `NodeRestriction`: a node writes its own Node, its own pods' status, tokens for its own pods, and nothing else that the
//! Node authorizer lets through (Kubernetes' `plugin/pkg/admission/noderestriction`).

mod audience;
mod csr;
mod labels;
mod node;
mod pod;
mod token;

use async_trait::async_trait;
use coracle_api::{ApiResult, meta};
use serde_json::Value;

use super::{Action, Admitted, Plugin};
use crate::authz::node::node_of;
use crate::hub::Hub;

/// Where the Leases of nodes are.
const LEASES: &str = "kube-node-lease";

/// See the module's documentation.
pub(super) struct NodeRestriction;

/// What a node wants to write.
struct Deed<'a> {
    hub: &'a Hub,
    write: &'a Admitted<'a>,
    /// The new version, of a deletion the last one.
    object: &'a Value,
    node: &'a str,
}

#[async_trait]
impl Plugin for NodeRestriction {
    fn handles(&self, write: &Admitted<'_>) -> bool {
        !write.user.is_component() && node_of(write.user).is_some()
    }

    async fn admit(&self, hub: &Hub, write: &Admitted<'_>, object: &mut Value) -> ApiResult<()> {
        check(hub, write, object)
    }

    async fn validate(&self, hub: &Hub, write: &Admitted<'_>, object: &Value) -> ApiResult<()> {
        // Once more, for what others have made of it; and a deletion is only judged.
        check(hub, write, object)
    }
}

fn check(hub: &Hub, write: &Admitted<'_>, object: &Value) -> ApiResult<()> {
    let node = node_of(write.user).unwrap_or_default();
    let deed = Deed { hub, write, object, node };
    if node.is_empty() {
        return deed.refuse(format!("could not determine node from user {:?}", write.user.name));
    }
    match (write.resource.group.as_ref(), write.resource.plural.as_ref()) {
        ("", "pods") => pod::check(&deed),
        ("", "nodes") => node::check(&deed),
        ("", "persistentvolumeclaims") => deed.claim(),
        ("", "serviceaccounts") => token::check(&deed),
        ("coordination.k8s.io", "leases") => deed.lease(),
        ("storage.k8s.io", "csinodes") => deed.of_own_name("CSINode"),
        ("resource.k8s.io", "resourceslices") => deed.slice(),
        ("certificates.k8s.io", "certificatesigningrequests") => csr::check(&deed),
        _ => Ok(()),
    }
}

impl Deed<'_> {
    /// 403 with the reason.
    fn refuse(&self, why: impl Into<String>) -> ApiResult<()> {
        Err(self.write.forbidden(&why.into()))
    }

    /// The action as upstream's texts name it.
    fn operation(&self) -> &'static str {
        match self.write.action {
            Action::Create => "CREATE",
            Action::Update => "UPDATE",
            Action::Delete => "DELETE",
            Action::Connect => "CONNECT",
        }
    }

    fn lease(&self) -> ApiResult<()> {
        if self.write.namespace != LEASES {
            return self.refuse(format!("can only access leases in the {LEASES:?} system namespace"));
        }
        self.of_own_name("node lease")
    }

    fn of_own_name(&self, what: &str) -> ApiResult<()> {
        let name = if self.write.action == Action::Create { meta::name(self.object) } else { self.write.name };
        if name == self.node {
            return Ok(());
        }
        self.refuse(format!("can only access {what} with the same name as the requesting node"))
    }

    /// Which devices the node has. Of an update, the authorizer has looked at the one that is there, and the name stays.
    fn slice(&self) -> ApiResult<()> {
        let verb = match self.write.action {
            Action::Create => "create",
            Action::Delete => "delete",
            Action::Update | Action::Connect => return Ok(()),
        };
        let slice = self.write.old.unwrap_or(self.object);
        if slice["spec"]["nodeName"] == self.node {
            return Ok(());
        }
        self.refuse(format!("can only {verb} ResourceSlice with the same NodeName as the requesting node"))
    }

    fn claim(&self) -> ApiResult<()> {
        if self.write.subresource != "status" {
            return self.refuse("may only update PVC status");
        }
        if self.write.action != Action::Update {
            return self.refuse(format!("unexpected operation {:?}", self.operation()));
        }
        let rest = |claim: &Value| {
            let mut rest = claim.clone();
            if let Some(status) = rest["status"].as_object_mut() {
                let of_node = ["capacity", "conditions", "allocatedResources", "allocatedResourceStatuses"];
                of_node.iter().for_each(|field| drop(status.remove(*field)));
            }
            let metadata = meta::metadata_mut(&mut rest);
            ["resourceVersion", "managedFields"].iter().for_each(|field| drop(metadata.remove(*field)));
            rest
        };
        if rest(self.object) == rest(self.write.old.unwrap_or(&Value::Null)) {
            return Ok(());
        }
        let why = format!(
            "node {:?} is not allowed to update fields other than status.quantity and status.conditions",
            self.node
        );
        self.refuse(why)
    }
}
