//! The resource catalogue: one row per resource that the API serves.
//!
//! Everything generic (routing, discovery, storage keys, strategies, tables, selectors) reads rows. Serving a new
//! resource means adding a row in [`rows`] and, where the kind has rules of its own, a module in [`crate::kinds`].

mod behaviour;
mod rows;
mod rules;
mod subresource;
mod updates;

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

pub use behaviour::{Scale, TableColumn};
pub use rules::{Column, ColumnType, RowCells, Rules, ScalePaths, SelectableField};
pub use subresource::Subresource;

use crate::custom::CustomKind;

/// A verb as discovery lists it.
pub type Verb = &'static str;

/// The verbs of an ordinary resource.
pub const ALL_VERBS: &[Verb] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// What becomes of the objects that a deleted one owns, unless the request says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dependents {
    /// They go too.
    Deleted,
    /// They stay, without an owner: what batch/v1 Jobs and ReplicationControllers have always done.
    Orphaned,
    /// The garbage collector does not look at the kind (events), so that nothing may wait for it.
    Ignored,
}

/// One row: everything generic code needs to know of a resource.
#[derive(Debug, Clone)]
pub struct Resource {
    /// API group, empty for core.
    pub group: Cow<'static, str>,
    /// Version of the group.
    pub version: Cow<'static, str>,
    /// Kind in CamelCase.
    pub kind: Cow<'static, str>,
    /// Path segment.
    pub plural: Cow<'static, str>,
    /// Singular name that kubectl accepts.
    pub singular: Cow<'static, str>,
    /// Short names that kubectl accepts.
    pub short_names: Vec<Cow<'static, str>>,
    /// Categories such as `all`.
    pub categories: Vec<Cow<'static, str>>,
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// Verbs served.
    pub verbs: &'static [Verb],
    /// Subresources served.
    pub subresources: Vec<Subresource>,
    /// Storage key when it differs from [`Self::qualified`]: two API groups may show the same objects.
    pub stored_as: Option<&'static str>,
    /// Deletion waits for a grace period (pods).
    pub graceful: bool,
    /// `spec` changes bump `metadata.generation`, `status` belongs to controllers.
    pub has_status: bool,
    /// What a deletion that does not say so means for the objects that the deleted one owns.
    pub dependents: Dependents,
    /// A deletion that is done at once is answered with the object, not with a Status that names it.
    pub shows_deleted: bool,
    /// Nothing is stored: a create asks a question, and the server answers with the object's `status` filled in.
    pub review: bool,
    /// What a CustomResourceDefinition says about the kind, when it comes from one; it may change or go.
    pub custom: Option<Arc<CustomKind>>,
    /// What is particular to a built-in kind. Generic code asks the methods of [`Resource`] instead.
    pub rules: &'static Rules,
}

impl Resource {
    /// `pods`, `deployments.apps`: how error texts and the RBAC world name the resource.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.to_string() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// Under which name the objects are stored.
    pub fn storage_key(&self) -> String {
        self.stored_as.map_or_else(|| self.qualified(), str::to_string)
    }

    /// `v1`, `apps/v1`
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_string() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `PodList`
    pub fn list_kind(&self) -> String {
        self.custom.as_ref().map_or_else(|| format!("{}List", self.kind), |custom| custom.list_kind.clone())
    }

    /// Whether the subresource is served.
    pub fn has(&self, subresource: Subresource) -> bool {
        self.subresources.contains(&subresource)
    }

    /// Whether the verb is served.
    pub fn allows(&self, verb: &str) -> bool {
        self.verbs.contains(&verb)
    }
}

/// A row for what the `scale` subresource shows. No path leads to it.
pub fn scale() -> Arc<Resource> {
    static ROW: LazyLock<Arc<Resource>> = LazyLock::new(|| Arc::new(rows::scale()));
    ROW.clone()
}

/// The rows of `metrics.k8s.io`: what pods and nodes use. Nothing of them is stored, so they are no part of
/// [`Catalog::builtin`]; whoever can tell the usage serves them beside it.
pub fn usage() -> Vec<Arc<Resource>> {
    rows::usage().into_iter().map(Arc::new).collect()
}

/// The rows, looked up by path or by kind.
#[derive(Debug, Clone)]
pub struct Catalog {
    rows: Vec<Arc<Resource>>,
}

impl Catalog {
    /// The resources that every cluster serves.
    pub fn builtin() -> Self {
        Self { rows: rows::builtin().into_iter().map(Arc::new).collect() }
    }

    /// These rows with others behind them.
    #[must_use]
    pub fn with(&self, more: Vec<Arc<Resource>>) -> Self {
        Self { rows: self.rows.iter().cloned().chain(more).collect() }
    }

    /// All rows, in discovery order.
    pub fn rows(&self) -> &[Arc<Resource>] {
        &self.rows
    }

    /// The row that a path names.
    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Resource>> {
        let found = self.rows.iter().find(|r| r.plural == plural && r.group == group && r.version == version);
        found.cloned()
    }

    /// The row that an object's `apiVersion` and `kind` name.
    pub fn find_kind(&self, api_version: &str, kind: &str) -> Option<Arc<Resource>> {
        self.rows.iter().find(|r| r.kind == kind && r.api_version() == api_version).cloned()
    }

    /// The row whose objects are stored under this key; the group that owns the storage comes first.
    pub fn find_stored(&self, storage_key: &str) -> Option<Arc<Resource>> {
        let owner = self.rows.iter().find(|r| r.stored_as.is_none() && r.storage_key() == storage_key);
        owner.cloned()
    }

    /// Groups in discovery order, without core, each with its versions.
    pub fn groups(&self) -> Vec<(String, Vec<String>)> {
        let mut groups: Vec<(String, Vec<String>)> = Vec::new();
        for row in self.rows.iter().filter(|r| !r.group.is_empty()) {
            let (group, version) = (row.group.to_string(), row.version.to_string());
            match groups.iter_mut().find(|(g, _)| *g == group) {
                Some((_, versions)) if versions.contains(&version) => {}
                Some((_, versions)) => versions.push(version),
                None => groups.push((group, vec![version])),
            }
        }
        groups
    }
}
