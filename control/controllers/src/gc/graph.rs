//! Who owns whom, over all resources.
//!
//! Invariant: `dependents` of a node are exactly the objects that name its uid as an owner, whether or not the owner
//! itself was ever seen: an owner known only by name is *virtual*, and to be looked for.

use super::node::{FOREGROUND, Identity, Node, ORPHAN};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use std::collections::{HashMap, HashSet};

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
        look.extend(self.unblocked(before.as_ref(), &owners));
        self.unlink(&uid, &before, &owners);
        look.extend(self.link(&uid, &owners));
        if owners.iter().any(|owner| self.is_suspect(&uid, owner)) {
            look.push(uid.clone());
        }
        look.extend(self.woken_by_deletion(&uid, before.as_ref()));
        look
    }

    /// Whether an owner can't simply be relied on: it waits for its dependents, is elsewhere or something else.
    fn is_suspect(&self, uid: &str, reference: &OwnerReference) -> bool {
        let (Some(node), Some(owner)) = (self.nodes.get(uid), self.nodes.get(&reference.uid)) else { return false };
        if owner.is_virtual {
            // Looked for in one place only: whoever says it is in another has to be looked at too.
            return !owner.identity.is_meant(reference) || owner.identity.namespace != node.identity.namespace;
        }
        let elsewhere = !owner.identity.namespace.is_empty() && owner.identity.namespace != node.identity.namespace;
        owner.foreground || elsewhere || !owner.identity.is_meant(reference)
    }

    /// Owners that wait for their dependents, and that an object held back until now.
    fn unblocked(&self, before: Option<&Node>, owners: &[OwnerReference]) -> Vec<String> {
        let blocks = |owner: &OwnerReference| owner.block_owner_deletion == Some(true);
        let freed = before
            .iter()
            .flat_map(|node| &node.owners)
            .filter(|old| blocks(old) && !owners.iter().any(|new| new.uid == old.uid && blocks(new)));
        let waits = |owner: &&OwnerReference| self.nodes.get(&owner.uid).is_some_and(|node| node.foreground);
        freed.filter(waits).map(|owner| owner.uid.clone()).collect()
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

    /// An owner is not where it was looked for. As long as a dependent says that it is in another place, which `known` does
    /// not know to be empty, that is where to look next; the uids to look at.
    pub fn not_found(&mut self, uid: &str, known: impl Fn(&Identity) -> bool) -> Vec<String> {
        let Some(node) = self.nodes.get(uid).filter(|node| node.is_virtual) else { return Vec::new() };
        let dependents = node.dependents.iter().filter_map(|dependent| self.nodes.get(dependent));
        let places = dependents.flat_map(|dependent| {
            let references = dependent.owners.iter().filter(|owner| owner.uid == uid);
            references.map(|owner| Identity::of_owner(owner, &dependent.identity.namespace))
        });
        let next = places.filter(|place| !known(place)).min();
        match (next, self.nodes.get_mut(uid)) {
            (Some(place), Some(node)) => {
                node.identity = place;
                node.dependents.iter().cloned().chain([uid.to_owned()]).collect()
            }
            _ => self.remove(uid),
        }
    }

    /// Nobody watches a resource any more, which says nothing about its objects: those that own something are to be looked
    /// for again, the others are forgotten.
    pub fn forget(&mut self, api_version: &str, kind: &str) {
        for uid in self.missing(api_version, kind, &HashSet::new()) {
            let before = self.nodes.get(&uid).cloned();
            self.unlink(&uid, &before, &[]);
            match self.nodes.get_mut(&uid).filter(|node| !node.dependents.is_empty()) {
                Some(node) => {
                    let dependents = std::mem::take(&mut node.dependents);
                    *node = Node { dependents, ..Node::unseen(node.identity.clone()) };
                }
                None => drop(self.nodes.remove(&uid)),
            }
        }
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
                Node::unseen(Identity::of_owner(owner, &namespace))
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
mod tests;
