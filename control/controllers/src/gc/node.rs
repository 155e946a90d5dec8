//! What the graph knows of one object.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use std::collections::HashSet;

/// Holds an owner until its blocking dependents are gone.
pub const FOREGROUND: &str = "foregroundDeletion";
/// Holds an owner until its dependents have forgotten it.
pub const ORPHAN: &str = "orphan";

/// Where an object is to be found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

impl Identity {
    /// Where a reference of an object in `namespace` says that its owner is.
    pub fn of_owner(owner: &OwnerReference, namespace: &str) -> Identity {
        Identity {
            api_version: owner.api_version.clone(),
            kind: owner.kind.clone(),
            namespace: namespace.to_owned(),
            name: owner.name.clone(),
        }
    }

    /// Whether a reference means this object, in whichever version of its group. The namespace is not in a reference.
    pub fn is_meant(&self, owner: &OwnerReference) -> bool {
        let group = |api_version: &str| api_version.split_once('/').map_or("", |(group, _)| group).to_owned();
        self.name == owner.name && self.kind == owner.kind && group(&self.api_version) == group(&owner.api_version)
    }
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

impl Node {
    /// An object known only from a reference.
    pub fn unseen(identity: Identity) -> Node {
        Node {
            identity,
            owners: Vec::new(),
            dependents: HashSet::new(),
            deleting: false,
            foreground: false,
            orphan: false,
            is_virtual: true,
        }
    }
}
