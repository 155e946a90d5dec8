//! Names of things: what an object is called, and which objects a list or a watch is about.
//! Plain values; nothing here knows what a resource means.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Where one object lives. Ordered by resource, then namespace, then name, as lists are.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Key {
    /// The resource with its group, e.g. `pods` or `deployments.apps`. Opaque to the store.
    pub resource: Arc<str>,
    /// The namespace, or the empty string for a cluster-scoped object.
    pub namespace: Arc<str>,
    /// The object's name.
    pub name: Arc<str>,
}

impl Key {
    /// A key from its three parts; `namespace` is empty for a cluster-scoped object.
    pub fn new(resource: impl Into<Arc<str>>, namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { resource: resource.into(), namespace: namespace.into(), name: name.into() }
    }

    /// The place of this key within its resource.
    pub(crate) fn place(&self) -> Place {
        Place { namespace: self.namespace.clone(), name: self.name.clone() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{}/{}", self.resource, self.name)
        } else {
            write!(f, "{}/{}/{}", self.resource, self.namespace, self.name)
        }
    }
}

/// A key within one resource: what the table of that resource is sorted by.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Place {
    pub(crate) namespace: Arc<str>,
    pub(crate) name: Arc<str>,
}

/// What a list is about: all objects of a resource, or those of one namespace.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Scope {
    /// The resource with its group, as in [`Key::resource`].
    pub resource: Arc<str>,
    /// Only this namespace; `None` means all of them (and is what cluster-scoped resources use).
    pub namespace: Option<Arc<str>>,
}

impl Scope {
    /// All objects of `resource`.
    pub fn all(resource: impl Into<Arc<str>>) -> Self {
        Self { resource: resource.into(), namespace: None }
    }

    /// The objects of `resource` in `namespace`.
    pub fn namespaced(resource: impl Into<Arc<str>>, namespace: impl Into<Arc<str>>) -> Self {
        Self { resource: resource.into(), namespace: Some(namespace.into()) }
    }

    /// Whether `key` is inside this scope.
    pub fn contains(&self, key: &Key) -> bool {
        self.resource == key.resource && self.namespace.as_ref().is_none_or(|namespace| *namespace == key.namespace)
    }
}

/// What a watch is about: a scope, narrowed to one name or to one value of a lifted field.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct WatchScope {
    /// The resource and perhaps the namespace.
    pub scope: Scope,
    /// Only the object with this name (`metadata.name=…`).
    pub name: Option<String>,
    /// Only objects whose lifted field has this value now or had it before the event,
    /// e.g. `("spec.nodeName", "n1")`. Delivery is indexed by it.
    pub field: Option<(String, String)>,
}

impl WatchScope {
    /// A watch of everything in `scope`.
    pub fn new(scope: Scope) -> Self {
        Self { scope, name: None, field: None }
    }

    /// Narrowed to the object called `name`.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Narrowed to objects whose lifted field `field` is or was `value`.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>, value: impl Into<String>) -> Self {
        self.field = Some((field.into(), value.into()));
        self
    }
}

impl From<Scope> for WatchScope {
    fn from(scope: Scope) -> Self {
        Self::new(scope)
    }
}
