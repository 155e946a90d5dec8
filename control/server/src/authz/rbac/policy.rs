//! All roles and bindings at one moment, found by who has them.

use std::collections::HashMap;
use std::sync::Arc;

use coracle_api::meta;
use coracle_store::{Record, Scope, Snapshot, Store};
use serde_json::Value;

use super::rule::Rule;
use crate::identity::User;

/// The group that roles and bindings belong to.
const GROUP: &str = "rbac.authorization.k8s.io";
/// What a user's name begins with who is a service account.
const ACCOUNT_PREFIX: &str = "system:serviceaccount:";

/// The four lists that a policy is made of.
struct Lists {
    cluster_roles: Snapshot,
    roles: Snapshot,
    cluster_bindings: Snapshot,
    bindings: Snapshot,
}

impl Lists {
    fn read(store: &Store) -> Self {
        let list = |plural: &str| store.list(&Scope::all(format!("{plural}.{GROUP}")));
        Self {
            cluster_roles: list("clusterroles"),
            roles: list("roles"),
            cluster_bindings: list("clusterrolebindings"),
            bindings: list("rolebindings"),
        }
    }

    fn are_unchanged_since(&self, other: &Self) -> bool {
        self.cluster_roles.is_unchanged_since(&other.cluster_roles)
            && self.roles.is_unchanged_since(&other.roles)
            && self.cluster_bindings.is_unchanged_since(&other.cluster_bindings)
            && self.bindings.is_unchanged_since(&other.bindings)
    }
}

/// The role that a binding gives: of a namespace, or of the cluster when that is empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RoleRef {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl RoleRef {
    /// The `roleRef` of a binding in a namespace (empty for one of the cluster).
    pub(crate) fn of(binding: &Value, namespace: &str) -> Self {
        let reference = &binding["roleRef"];
        let in_namespace = reference["kind"] == "Role";
        Self {
            namespace: if in_namespace { namespace.to_string() } else { String::new() },
            name: reference["name"].as_str().unwrap_or_default().to_string(),
        }
    }

    /// The plural of the kind that it is of.
    pub(crate) fn plural(&self) -> &'static str {
        if self.namespace.is_empty() { "clusterroles" } else { "roles" }
    }

    /// The same, as errors about it name it.
    pub(crate) fn singular(&self) -> &'static str {
        if self.namespace.is_empty() { "clusterrole" } else { "role" }
    }

    fn kind(&self) -> &'static str {
        if self.namespace.is_empty() { "ClusterRole" } else { "Role" }
    }

    /// Why it gives nothing, when there is no such role.
    fn missing(&self) -> String {
        format!("{}.{GROUP} {:?} not found", self.singular(), self.name)
    }
}

/// What one binding gives to one of its subjects.
struct Grant {
    /// Where its binding stands among all: the first that allows something is the one that is told.
    order: usize,
    role: RoleRef,
    /// `ClusterRoleBinding "a" of ClusterRole "b" to User "c"`
    text: Arc<str>,
}

/// Grants by the subject's name, of one namespace or of the cluster.
#[derive(Default)]
struct Grants {
    users: HashMap<String, Vec<Grant>>,
    groups: HashMap<String, Vec<Grant>>,
}

/// A parsed role, and the revision that it was parsed from.
type Parsed = (u64, Arc<[Rule]>);

/// See the module's documentation.
pub(crate) struct Policy {
    lists: Lists,
    roles: HashMap<RoleRef, Parsed>,
    cluster: Grants,
    namespaces: HashMap<String, Grants>,
}

/// The rules that one binding gives to a user, or why it gives none.
pub(crate) type Granted<'a> = (Result<&'a [Rule], String>, &'a Arc<str>);

impl Policy {
    /// The policy of this moment; `known` itself when nothing has changed since.
    pub(crate) fn read(store: &Store, known: Option<&Arc<Self>>) -> Arc<Self> {
        let lists = Lists::read(store);
        match known {
            Some(known) if lists.are_unchanged_since(&known.lists) => known.clone(),
            _ => Arc::new(Self::build(lists, known.map(|known| &known.roles))),
        }
    }

    fn build(lists: Lists, known: Option<&HashMap<RoleRef, Parsed>>) -> Self {
        let mut roles = HashMap::new();
        for record in lists.cluster_roles.iter().chain(lists.roles.iter()) {
            let role = RoleRef { namespace: record.key.namespace.to_string(), name: record.key.name.to_string() };
            let same = known.and_then(|known| known.get(&role)).filter(|(revision, _)| *revision == record.revision);
            let parsed = same.cloned().unwrap_or_else(|| (record.revision, Rule::all_of(&object(record)).into()));
            roles.insert(role, parsed);
        }
        let mut cluster = Grants::default();
        for (order, record) in lists.cluster_bindings.iter().enumerate() {
            cluster.add(order, record);
        }
        let mut namespaces: HashMap<String, Grants> = HashMap::new();
        for (order, record) in lists.bindings.iter().enumerate() {
            namespaces.entry(record.key.namespace.to_string()).or_default().add(order, record);
        }
        Self { lists, roles, cluster, namespaces }
    }

    /// What a user has been given, in the order of the bindings: those of the cluster, then those of the namespace.
    pub(crate) fn granted<'a>(&'a self, user: &User, namespace: &str) -> impl Iterator<Item = Granted<'a>> {
        let of_cluster = self.cluster.of(user);
        let of_namespace = self.namespaces.get(namespace).map(|grants| grants.of(user)).unwrap_or_default();
        of_cluster.into_iter().chain(of_namespace).map(|grant| (self.rules(&grant.role), &grant.text))
    }

    /// The rules of a role, or that there is none.
    pub(crate) fn rules(&self, role: &RoleRef) -> Result<&[Rule], String> {
        self.roles.get(role).map(|(_, rules)| &**rules).ok_or_else(|| role.missing())
    }
}

impl Grants {
    fn add(&mut self, order: usize, record: &Record) {
        let (binding, namespace) = (object(record), &*record.key.namespace);
        let role = RoleRef::of(&binding, namespace);
        let of = match namespace {
            "" => format!("ClusterRoleBinding {:?}", meta::name(&binding)),
            namespace => format!("RoleBinding {:?}", format!("{}/{namespace}", meta::name(&binding))),
        };
        for subject in binding["subjects"].as_array().into_iter().flatten() {
            let field = |name: &str| subject[name].as_str().unwrap_or_default();
            let (kind, name) = (field("kind"), field("name"));
            let at = if field("namespace").is_empty() { namespace } else { field("namespace") };
            let (place, key, shown) = match kind {
                "User" => (&mut self.users, name.to_string(), name.to_string()),
                "Group" => (&mut self.groups, name.to_string(), name.to_string()),
                "ServiceAccount" if !at.is_empty() => {
                    (&mut self.users, format!("{ACCOUNT_PREFIX}{at}:{name}"), format!("{name}/{at}"))
                }
                _ => continue,
            };
            let text = format!("{of} of {} {:?} to {kind} {shown:?}", role.kind(), role.name).into();
            place.entry(key).or_default().push(Grant { order, role: role.clone(), text });
        }
    }

    /// What the user has by name or group, each binding once.
    fn of(&self, user: &User) -> Vec<&Grant> {
        let by_group = user.groups.iter().filter_map(|group| self.groups.get(group));
        let mut grants: Vec<&Grant> = self.users.get(&user.name).into_iter().chain(by_group).flatten().collect();
        grants.sort_by_key(|grant| grant.order);
        grants.dedup_by_key(|grant| grant.order);
        grants
    }
}

fn object(record: &Record) -> Value {
    serde_json::from_slice(&record.json).unwrap_or_else(|error| {
        tracing::error!(key = %record.key, %error, "a stored object does not parse");
        Value::Null
    })
}
