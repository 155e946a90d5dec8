//! What everybody may do from the start: the default roles and who has them, as Kubernetes 1.36 has them with its
//! feature gates at their defaults (`plugin/pkg/auth/authorizer/rbac/bootstrappolicy`).
//!
//! Roles of components that do not exist here are there all the same: what somebody installs may be bound to them, and
//! tools look for them. Invariant: every list in a rule is in alphabetic order, as upstream's are, so that a role is
//! found unchanged when it is compared.

mod cluster_controllers;
mod components;
mod namespaced;
mod own;
mod users;
mod words;
mod workload_controllers;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use words::{group, verb};

const API_GROUP: &str = "rbac.authorization.k8s.io";
/// Where the accounts of controllers are.
const SYSTEM: &str = "kube-system";
/// What the role and the binding of a controller are called, before the name of its account.
const CONTROLLER: &str = "system:controller:";

type Texts = &'static [&'static str];

/// What a role allows: verbs on resources, or on paths.
#[derive(Clone, Copy)]
struct Rule {
    groups: Texts,
    resources: Texts,
    /// Only objects of these names.
    names: Texts,
    urls: Texts,
    verbs: Texts,
}

/// A rule about resources.
const fn on(groups: Texts, resources: Texts, verbs: Texts) -> Rule {
    Rule { groups, resources, names: &[], urls: &[], verbs }
}

/// A rule about resources of some names.
const fn on_named(groups: Texts, resources: Texts, names: Texts, verbs: Texts) -> Rule {
    Rule { names, ..on(groups, resources, verbs) }
}

/// A rule about paths.
const fn at(urls: Texts, verbs: Texts) -> Rule {
    Rule { groups: &[], resources: &[], names: &[], urls, verbs }
}

/// Nearly everybody records events.
const RECORDS_EVENTS: Rule = on(group::EVENTS, &["events"], verb::RECORD);

impl Rule {
    fn to_json(self) -> Value {
        let fields = [
            ("apiGroups", self.groups),
            ("nonResourceURLs", self.urls),
            ("resourceNames", self.names),
            ("resources", self.resources),
            ("verbs", self.verbs),
        ];
        let named = fields.into_iter().filter(|(_, texts)| !texts.is_empty());
        Value::Object(named.map(|(field, texts)| (field.to_string(), json!(texts))).collect::<Map<_, _>>())
    }
}

struct Role {
    name: &'static str,
    /// The role whose rules this one's are a part of.
    joins: Option<&'static str>,
    /// Whether its own rules are those of the roles that join it.
    gathers: bool,
    rules: &'static [Rule],
}

const fn role(name: &'static str, rules: &'static [Rule]) -> Role {
    Role { name, joins: None, gathers: false, rules }
}

/// A role that has the rules of the roles that join it.
const fn gathering(name: &'static str, joins: Option<&'static str>) -> Role {
    Role { name, joins, gathers: true, rules: &[] }
}

/// A role whose rules are a part of another's.
const fn joining(joins: &'static str, name: &'static str, rules: &'static [Rule]) -> Role {
    Role { name, joins: Some(joins), gathers: false, rules }
}

impl Role {
    fn to_json(&self, namespace: Option<&str>) -> Value {
        let kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
        let mut role = object(kind, self.name, namespace);
        if let Some(other) = self.joins {
            role["metadata"]["labels"][aggregation_label(other)] = json!("true");
        }
        if self.gathers {
            let selector = json!({ "matchLabels": { aggregation_label(self.name): "true" } });
            role["aggregationRule"] = json!({ "clusterRoleSelectors": [selector] });
        } else {
            role["rules"] = json!(self.rules.iter().map(|rule| rule.to_json()).collect::<Vec<_>>());
        }
        role
    }
}

#[derive(Clone, Copy)]
enum Subject {
    User(&'static str),
    Group(&'static str),
    /// A service account of `kube-system`.
    Account(&'static str),
}

impl Subject {
    fn to_json(self) -> Value {
        match self {
            Self::User(name) => json!({ "apiGroup": API_GROUP, "kind": "User", "name": name }),
            Self::Group(name) => json!({ "apiGroup": API_GROUP, "kind": "Group", "name": name }),
            Self::Account(name) => json!({ "kind": "ServiceAccount", "name": name, "namespace": SYSTEM }),
        }
    }
}

/// Who has a role. In a namespace it is a role of that namespace.
struct Binding {
    name: &'static str,
    role: &'static str,
    subjects: &'static [Subject],
}

/// A binding that is called as its role.
const fn binding(role: &'static str, subjects: &'static [Subject]) -> Binding {
    Binding { name: role, role, subjects }
}

impl Binding {
    fn to_json(&self, namespace: Option<&str>) -> Value {
        binding_object(self.name, self.role, namespace, self.subjects)
    }
}

fn binding_object(name: &str, role: &str, namespace: Option<&str>, subjects: &[Subject]) -> Value {
    let (kind, role_kind) =
        if namespace.is_some() { ("RoleBinding", "Role") } else { ("ClusterRoleBinding", "ClusterRole") };
    let mut binding = object(kind, name, namespace);
    binding["roleRef"] = json!({ "apiGroup": API_GROUP, "kind": role_kind, "name": role });
    if !subjects.is_empty() {
        binding["subjects"] = json!(subjects.iter().map(|subject| subject.to_json()).collect::<Vec<_>>());
    }
    binding
}

fn aggregation_label(role: &str) -> String {
    format!("{API_GROUP}/aggregate-to-{role}")
}

fn object(kind: &str, name: &str, namespace: Option<&str>) -> Value {
    let mut metadata = json!({
        "name": name,
        "labels": { "kubernetes.io/bootstrapping": "rbac-defaults" },
        "annotations": { "rbac.authorization.kubernetes.io/autoupdate": "true" },
    });
    if let Some(namespace) = namespace {
        metadata["namespace"] = json!(namespace);
    }
    json!({ "apiVersion": format!("{API_GROUP}/v1"), "kind": kind, "metadata": metadata })
}

/// The rules of each controller, by the name of its account.
fn controllers() -> impl Iterator<Item = &'static (&'static str, &'static [Rule])> {
    cluster_controllers::RULES.iter().chain(workload_controllers::RULES)
}

/// The ClusterRoles that every cluster has.
pub(crate) fn cluster_roles() -> Vec<Value> {
    let own = users::ROLES.iter().chain(components::ROLES).chain(own::ROLES).map(|role| role.to_json(None));
    let of_controllers = controllers().map(|(account, rules)| {
        let mut role = object("ClusterRole", &format!("{CONTROLLER}{account}"), None);
        role["rules"] = json!(rules.iter().map(|rule| rule.to_json()).collect::<Vec<_>>());
        role
    });
    own.chain(of_controllers).collect()
}

/// The ClusterRoleBindings that every cluster has.
pub(crate) fn cluster_role_bindings() -> Vec<Value> {
    let own =
        users::BINDINGS.iter().chain(components::BINDINGS).chain(own::BINDINGS).map(|binding| binding.to_json(None));
    let of_controllers = controllers().map(|(account, _)| {
        let name = format!("{CONTROLLER}{account}");
        binding_object(&name, &name, None, &[Subject::Account(account)])
    });
    own.chain(of_controllers).collect()
}

/// The Roles that every cluster has, with their namespaces.
pub(crate) fn roles() -> Vec<Value> {
    namespaced::ROLES.iter().map(|(namespace, role)| role.to_json(Some(namespace))).collect()
}

/// The RoleBindings that every cluster has, with their namespaces.
pub(crate) fn role_bindings() -> Vec<Value> {
    namespaced::BINDINGS
        .iter()
        .chain(own::NAMESPACED_BINDINGS)
        .map(|(namespace, binding)| binding.to_json(Some(namespace)))
        .collect()
}
