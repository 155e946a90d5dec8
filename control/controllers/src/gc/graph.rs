//! Who owns whom, over all resources.
//!
//! Invariant: `dependents` of a node are exactly the objects that name its uid as an owner, whether or not the owner
//! itself was ever seen: an owner known only by name is *virtual*, and to be looked for.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use std::collections::{HashMap, HashSet};

/// Holds an owner until its blocking dependents are gone.
pub const FOREGROUND: &str = "foregroundDeletion";
/// Holds an owner until its dependents have forgotten it.
pub const ORPHAN: &str = "orphan";

/// Where an object is to be found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// Empty for cluster-wide objects.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

/// One object.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it is.
    pub identity: Identity,
    /// `metadata.ownerReferences`.
    pub owners: Vec<OwnerReference>,
    /// Uids of the objects that name it as an owner.
    pub dependents: HashSet<String>,
    /// Whether deletion was asked for.
    pub deleting: bool,
    /// Whether it waits for its dependents.
    pub foreground: bool,
    /// Whether its dependents are to forget it.
    pub orphan: bool,
    /// Known only from a dependent's reference.
    pub is_virtual: bool,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Graph {
    nodes: HashMap<String, Node>,
}

impl Graph {
    /// The node of this uid.
    pub fn get(&self, uid: &str) -> Option<&Node> {
        self.nodes.get(uid)
    }

    /// Takes in an object; the uids to look at because of it.
    pub fn apply(&mut self, identity: Identity, meta: &ObjectMeta) -> Vec<String> {
        let Some(uid) = meta.uid.clone() else { return Vec::new() };
        let owners = meta.owner_references.clone().unwrap_or_default();
        let has = |finalizer: &str| meta.finalizers.iter().flatten().any(|f| f == finalizer);
        let deleting = meta.deletion_timestamp.is_some();
        let node = Node {
            identity,
            owners: owners.clone(),
            dependents: HashSet::new(),
            deleting,
            foreground: deleting && has(FOREGROUND),
            orphan: deleting && has(ORPHAN),
            is_virtual: false,
        };
        let mut look = Vec::new();
        let before = self.replace(&uid, node);
        self.unlink(&uid, &before, &owners);
        look.extend(self.link(&uid, &owners));
        if owners.iter().any(|owner| self.is_suspect(&uid, owner)) {
            look.push(uid.clone());
        }
        look.extend(self.woken_by_deletion(&uid, before.as_ref()));
        look
    }

    /// Whether an owner that was seen can't simply be relied on: it waits for its dependents, or is elsewhere.
    fn is_suspect(&self, uid: &str, owner: &OwnerReference) -> bool {
        let (Some(node), Some(owner)) = (self.nodes.get(uid), self.nodes.get(&owner.uid)) else { return false };
        let elsewhere = !owner.identity.namespace.is_empty() && owner.identity.namespace != node.identity.namespace;
        !owner.is_virtual && (owner.foreground || elsewhere)
    }

    /// Puts the node in, keeping the dependents known before.
    fn replace(&mut self, uid: &str, mut node: Node) -> Option<Node> {
        let before = self.nodes.get(uid).cloned();
        if let Some(before) = &before {
            node.dependents.clone_from(&before.dependents);
        }
        self.nodes.insert(uid.to_owned(), node);
        before
    }

    /// What a deletion that was just asked for concerns.
    fn woken_by_deletion(&self, uid: &str, before: Option<&Node>) -> Vec<String> {
        let Some(node) = self.nodes.get(uid) else { return Vec::new() };
        let mut woken = Vec::new();
        let newly = |now: bool, was: fn(&Node) -> bool| now && !before.is_some_and(was);
        if newly(node.orphan, |b| b.orphan) {
            woken.push(uid.to_owned());
        }
        if newly(node.foreground, |b| b.foreground) {
            woken.push(uid.to_owned());
            woken.extend(node.dependents.iter().cloned());
        }
        woken
    }

    /// Takes an object out; the uids to look at because it is gone.
    pub fn remove(&mut self, uid: &str) -> Vec<String> {
        let Some(node) = self.nodes.remove(uid) else { return Vec::new() };
        let waiting: Vec<String> = node
            .owners
            .iter()
            .filter(|owner| self.nodes.get(&owner.uid).is_some_and(|o| o.foreground))
            .map(|owner| owner.uid.clone())
            .collect();
        self.unlink(uid, &Some(node.clone()), &[]);
        node.dependents.into_iter().chain(waiting).collect()
    }

    /// The uids of a resource's objects, except those in `present`.
    pub fn missing(&self, api_version: &str, kind: &str, present: &HashSet<String>) -> Vec<String> {
        let of_kind = |node: &Node| node.identity.api_version == api_version && node.identity.kind == kind;
        self.nodes
            .iter()
            .filter(|(uid, node)| !node.is_virtual && of_kind(node) && !present.contains(*uid))
            .map(|(uid, _)| uid.clone())
            .collect()
    }

    /// Adds `uid` to its owners' dependents; owners never seen become virtual, and are returned.
    fn link(&mut self, uid: &str, owners: &[OwnerReference]) -> Vec<String> {
        let namespace = self.nodes.get(uid).map(|n| n.identity.namespace.clone()).unwrap_or_default();
        let mut unseen = Vec::new();
        for owner in owners {
            let node = self.nodes.entry(owner.uid.clone()).or_insert_with(|| {
                unseen.push(owner.uid.clone());
                Node {
                    identity: Identity {
                        api_version: owner.api_version.clone(),
                        kind: owner.kind.clone(),
                        namespace: namespace.clone(),
                        name: owner.name.clone(),
                    },
                    owners: Vec::new(),
                    dependents: HashSet::new(),
                    deleting: false,
                    foreground: false,
                    orphan: false,
                    is_virtual: true,
                }
            });
            node.dependents.insert(uid.to_owned());
        }
        unseen
    }

    /// Takes `uid` from the dependents of owners it no longer names.
    fn unlink(&mut self, uid: &str, before: &Option<Node>, owners: &[OwnerReference]) {
        for old in before.iter().flat_map(|node| &node.owners) {
            if owners.iter().any(|owner| owner.uid == old.uid) {
                continue;
            }
            if let Some(owner) = self.nodes.get_mut(&old.uid) {
                owner.dependents.remove(uid);
                if owner.is_virtual && owner.dependents.is_empty() {
                    self.nodes.remove(&old.uid);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    fn identity(name: &str) -> Identity {
        Identity { api_version: "v1".into(), kind: "ConfigMap".into(), namespace: "d".into(), name: name.into() }
    }

    fn meta(uid: &str, owners: &[&str]) -> ObjectMeta {
        let owner =
            |uid: &&str| OwnerReference { uid: (*uid).into(), name: (*uid).into(), ..OwnerReference::default() };
        ObjectMeta {
            uid: Some(uid.into()),
            owner_references: Some(owners.iter().map(owner).collect()),
            ..ObjectMeta::default()
        }
    }

    #[test]
    fn an_unseen_owner_is_looked_for_until_it_is_seen() {
        let mut graph = Graph::default();
        assert_eq!(graph.apply(identity("pod"), &meta("pod", &["set"])), ["set"]);
        assert!(graph.get("set").unwrap().is_virtual);
        assert!(graph.apply(identity("set"), &meta("set", &[])).is_empty());
        assert!(!graph.get("set").unwrap().is_virtual);
        assert!(graph.get("set").unwrap().dependents.contains("pod"));
        assert!(graph.apply(identity("pod"), &meta("pod", &["set"])).is_empty(), "nothing changed");
    }

    #[test]
    fn dependents_of_what_is_gone_are_looked_at() {
        let mut graph = Graph::default();
        graph.apply(identity("set"), &meta("set", &[]));
        graph.apply(identity("pod"), &meta("pod", &["set"]));
        assert_eq!(graph.remove("set"), ["pod"]);
        assert!(graph.remove("pod").is_empty());
        assert!(graph.nodes.is_empty());
    }

    #[test]
    fn foreground_and_orphan_wake_those_concerned() {
        let mut graph = Graph::default();
        graph.apply(identity("set"), &meta("set", &[]));
        graph.apply(identity("pod"), &meta("pod", &["set"]));
        let mut deleted = meta("set", &[]);
        deleted.deletion_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH));
        deleted.finalizers = Some(vec![FOREGROUND.into()]);
        assert_eq!(graph.apply(identity("set"), &deleted), ["set", "pod"]);
        assert!(graph.apply(identity("set"), &deleted).is_empty(), "woken once");
        assert_eq!(graph.remove("pod"), ["set"], "the owner waited for it");
        deleted.finalizers = Some(vec![ORPHAN.into()]);
        assert_eq!(graph.apply(identity("set"), &deleted), ["set"]);
    }

    #[test]
    fn an_owner_in_another_namespace_is_suspect() {
        let mut graph = Graph::default();
        graph.apply(Identity { namespace: "other".into(), ..identity("set") }, &meta("set", &[]));
        assert_eq!(graph.apply(identity("pod"), &meta("pod", &["set"])), ["pod"]);
    }

    #[test]
    fn a_reference_taken_off_is_forgotten() {
        let mut graph = Graph::default();
        graph.apply(identity("pod"), &meta("pod", &["a", "b"]));
        graph.apply(identity("pod"), &meta("pod", &["b"]));
        assert!(graph.get("a").is_none() && graph.get("b").is_some());
        assert_eq!(graph.missing("v1", "ConfigMap", &HashSet::new()), ["pod"]);
        assert!(graph.missing("v1", "Pod", &HashSet::new()).is_empty());
    }
}
