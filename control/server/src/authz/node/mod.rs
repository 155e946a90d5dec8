//! The Node authorizer: a node may read what its own pods need, write what it is responsible for, and nothing else
//! (Kubernetes' `plugin/pkg/auth/authorizer/node`). What it writes is looked at once more by NodeRestriction.

mod references;

pub(crate) use references::{Vertex, references};

use coracle_store::Store;

use super::rbac::Rule;
use super::{Attributes, Authorizer, Subject, Verdict};
use crate::bootstrap::node_rules;
use crate::identity::{NODES, User};
use references::Graph;

/// Where the Leases of nodes are.
const LEASES: &str = "kube-node-lease";

/// The node that a user is, if it is one. Its name is empty for a user that only says so.
pub(crate) fn node_of(user: &User) -> Option<&str> {
    if !user.in_group(NODES) {
        return None;
    }
    Some(user.name.strip_prefix("system:node:").unwrap_or_default())
}

/// The authorizer.
pub(crate) struct NodeAuthorizer {
    graph: Graph,
    /// What any node may do that is about no object in particular: the rules of the ClusterRole `system:node`.
    rules: Vec<Rule>,
}

/// A question about a resource, taken apart.
#[derive(Clone, Copy)]
struct Question<'a> {
    node: &'a str,
    verb: &'a str,
    subresource: &'a str,
    namespace: &'a str,
    name: &'a str,
    /// The node that its field selector names.
    selected_node: Option<&'a str>,
}

impl NodeAuthorizer {
    pub(crate) fn new(store: Store) -> Self {
        Self { graph: Graph::new(store), rules: node_rules() }
    }

    fn read_in_namespace(&self, of: Question<'_>, vertex: Vertex) -> Result<(), String> {
        if !matches!(of.verb, "get" | "list" | "watch") {
            return Err("can only read resources of this type".into());
        }
        if !of.subresource.is_empty() {
            return Err("cannot read subresource".into());
        }
        if of.namespace.is_empty() {
            return Err("can only read namespaced object of this type".into());
        }
        self.reach(of, |graph| graph.reaches(of.node, vertex, of.namespace, of.name))
    }

    fn get(&self, of: Question<'_>, reaches: impl FnOnce(&Graph) -> bool) -> Result<(), String> {
        if of.verb != "get" {
            return Err("can only get individual resources of this type".into());
        }
        if !of.subresource.is_empty() {
            return Err("cannot get subresource".into());
        }
        self.reach(of, reaches)
    }

    fn reach(&self, of: Question<'_>, reaches: impl FnOnce(&Graph) -> bool) -> Result<(), String> {
        if of.name.is_empty() {
            return Err("No Object name found".into());
        }
        if reaches(&self.graph) {
            return Ok(());
        }
        Err(unrelated(of.node))
    }

    fn claim(&self, of: Question<'_>) -> Result<(), String> {
        let reaches = |graph: &Graph| graph.reaches(of.node, Vertex::Claim, of.namespace, of.name);
        if of.subresource != "status" {
            return self.get(of, reaches);
        }
        if !matches!(of.verb, "update" | "patch") {
            return Err("can only get/update/patch this type".into());
        }
        self.reach(of, reaches)
    }

    /// Its account is read to ask for credentials that images are pulled with (KEP-4412).
    fn account(&self, of: Question<'_>) -> Result<(), String> {
        if (of.verb, of.subresource) == ("get", "") {
            return self.read_in_namespace(of, Vertex::ServiceAccount);
        }
        self.token(of)
    }

    fn token(&self, of: Question<'_>) -> Result<(), String> {
        if of.verb != "create" || of.name.is_empty() {
            return Err("can only create tokens for individual service accounts".into());
        }
        if of.subresource != "token" {
            return Err("can only create token subresource of serviceaccount".into());
        }
        self.reach(of, |graph| graph.reaches(of.node, Vertex::ServiceAccount, of.namespace, of.name))
    }

    fn pod(&self, of: Question<'_>) -> Result<(), String> {
        match (of.subresource, of.verb) {
            // Whose pods it may write is NodeRestriction's business.
            ("", "create" | "delete") | ("status", "update" | "patch") | ("eviction", "create") => Ok(()),
            ("", "get") => self.get(of, |graph| graph.has_pod(of.node, of.namespace, of.name)),
            ("", "list" | "watch") if of.selected_node == Some(of.node) => Ok(()),
            ("", "list" | "watch") if !of.name.is_empty() => {
                self.reach(of, |graph| graph.has_pod(of.node, of.namespace, of.name))
            }
            ("", "list" | "watch") => Err("can only list/watch pods with spec.nodeName field selector".into()),
            _ => Err(String::new()),
        }
    }
}

/// What devices a node has. Whose a new one is, NodeRestriction looks at.
fn slice(of: Question<'_>, is_own: impl Fn() -> bool) -> Result<(), String> {
    const VERBS: &str = "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, \
                         delete, deletecollection";
    if !of.subresource.is_empty() {
        return Err("cannot authorize ResourceSlice subresources".into());
    }
    match of.verb {
        "create" => Ok(()),
        "get" | "update" | "patch" | "delete" if of.name.is_empty() => Err("No Object name found".into()),
        "get" | "update" | "patch" | "delete" if is_own() => Ok(()),
        "get" | "update" | "patch" | "delete" => Err(unrelated(of.node)),
        "list" | "watch" | "deletecollection" if of.selected_node == Some(of.node) => Ok(()),
        "list" | "watch" | "deletecollection" => {
            Err("can only list/watch/deletecollection resourceslices with nodeName field selector".into())
        }
        _ => Err(VERBS.into()),
    }
}

fn unrelated(node: &str) -> String {
    format!("no relationship found between node '{node}' and this object")
}

fn lease(of: Question<'_>) -> Result<(), String> {
    if !matches!(of.verb, "get" | "create" | "update" | "patch" | "delete") {
        return Err("can only get, create, update, patch, or delete a node lease".into());
    }
    if of.namespace != LEASES {
        return Err(format!("can only access leases in the {LEASES:?} system namespace"));
    }
    // A creation has no name yet.
    if of.verb != "create" && of.name != of.node {
        return Err("can only access node lease with the same name as the requesting node".into());
    }
    Ok(())
}

fn csi_node(of: Question<'_>) -> Result<(), String> {
    if !of.subresource.is_empty() {
        return Err("cannot authorize CSINode subresources".into());
    }
    if !matches!(of.verb, "get" | "create" | "update" | "patch" | "delete") {
        return Err("can only get, create, update, patch, or delete a CSINode".into());
    }
    if of.verb != "create" && of.name != of.node {
        return Err("can only access CSINode with the same name as the requesting node".into());
    }
    Ok(())
}

fn node(of: Question<'_>) -> Result<(), String> {
    match (of.subresource, of.verb) {
        // Which Node, and what of it, is NodeRestriction's business.
        ("", "create" | "update" | "patch") | ("status", "update" | "patch") => Ok(()),
        ("", "get" | "list" | "watch") if of.name == of.node => Ok(()),
        ("", "get" | "list" | "watch") => Err(match of.name {
            "" => format!("node '{}' cannot read all nodes, only its own Node object", of.node),
            other => format!("node '{}' cannot read '{other}', only its own Node object", of.node),
        }),
        _ => Err(String::new()),
    }
}

impl Authorizer for NodeAuthorizer {
    fn decide(&self, user: &User, attributes: &Attributes<'_>) -> Verdict {
        let Some(own) = node_of(user) else { return Verdict::no_opinion("") };
        if own.is_empty() {
            return Verdict::no_opinion(format!("unknown node for user {:?}", user.name));
        }
        let by_rules = || self.rules.iter().any(|rule| rule.allows(attributes)).then_some(()).ok_or_else(String::new);
        let Subject::Resource { group, resource, subresource, namespace, name } = attributes.target else {
            return verdict(by_rules());
        };
        let selected_node = attributes.selected_node;
        let of = Question { node: own, verb: attributes.verb, subresource, namespace, name, selected_node };
        verdict(match (group, resource) {
            ("", "secrets") => self.read_in_namespace(of, Vertex::Secret),
            ("", "configmaps") => self.read_in_namespace(of, Vertex::ConfigMap),
            ("", "persistentvolumeclaims") => self.claim(of),
            ("", "persistentvolumes") => self.get(of, |graph| graph.reaches_volume(own, name)),
            ("", "serviceaccounts") => self.account(of),
            ("", "nodes") => node(of),
            ("", "pods") => self.pod(of),
            ("coordination.k8s.io", "leases") => lease(of),
            ("storage.k8s.io", "csinodes") => csi_node(of),
            ("storage.k8s.io", "volumeattachments") => self.get(of, |graph| graph.has_attachment(own, name)),
            ("resource.k8s.io", "resourceclaims") => {
                self.get(of, |graph| graph.reaches(own, Vertex::ResourceClaim, namespace, name))
            }
            ("resource.k8s.io", "resourceslices") => slice(of, || self.graph.has_slice(own, name)),
            _ => by_rules(),
        })
    }
}

fn verdict(decided: Result<(), String>) -> Verdict {
    match decided {
        Ok(()) => Verdict::allowed(""),
        Err(why) => Verdict::no_opinion(why),
    }
}
