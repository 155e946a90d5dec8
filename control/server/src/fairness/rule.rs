//! Whether a FlowSchema is about a request (`k8s.io/apiserver/pkg/util/flowcontrol/rule.go`).

use serde_json::Value;

use crate::authz::{Attributes, Subject as Target};
use crate::identity::User;

/// Stands for all verbs, groups, resources, namespaces, paths, users or accounts.
const ALL: &str = "*";
/// What the user's name of a service account begins with.
const ACCOUNT_PREFIX: &str = "system:serviceaccount:";

/// Who, and what they do.
#[derive(Debug)]
pub(super) struct Rule {
    subjects: Vec<Subject>,
    resources: Vec<ResourceRule>,
    paths: Vec<PathRule>,
}

#[derive(Debug)]
enum Subject {
    User(String),
    Group(String),
    Account { namespace: String, name: String },
}

#[derive(Debug)]
struct ResourceRule {
    verbs: Names,
    groups: Names,
    resources: Names,
    namespaces: Names,
    cluster: bool,
}

#[derive(Debug)]
struct PathRule {
    verbs: Names,
    paths: Vec<String>,
}

/// A list that may stand for everything.
#[derive(Debug)]
enum Names {
    All,
    These(Vec<String>),
}

impl Names {
    fn of(rule: &Value, field: &str) -> Self {
        let names = texts(rule, field);
        if names.iter().any(|name| name == ALL) { Self::All } else { Self::These(names) }
    }

    fn have(&self, wanted: &str) -> bool {
        match self {
            Self::All => true,
            Self::These(names) => names.iter().any(|name| name == wanted),
        }
    }

    /// The same for a resource, which a rule names together with its subresource.
    fn have_resource(&self, resource: &str, subresource: &str) -> bool {
        let Self::These(names) = self else { return true };
        names.iter().any(|name| match name.split_once('/') {
            None => subresource.is_empty() && name == resource,
            Some((of, part)) => part == subresource && of == resource,
        })
    }
}

fn texts(rule: &Value, field: &str) -> Vec<String> {
    let items = rule[field].as_array().into_iter().flatten();
    items.filter_map(|item| item.as_str().map(str::to_string)).collect()
}

impl Rule {
    /// An element of `spec.rules`.
    pub(super) fn read(rule: &Value) -> Self {
        let each = |field: &str| rule[field].as_array().map(Vec::as_slice).unwrap_or_default();
        Self {
            subjects: each("subjects").iter().filter_map(Subject::read).collect(),
            resources: each("resourceRules").iter().map(ResourceRule::read).collect(),
            paths: each("nonResourceRules").iter().map(PathRule::read).collect(),
        }
    }

    /// Whether the rule is about a request.
    pub(super) fn matches(&self, user: &User, attributes: &Attributes<'_>) -> bool {
        if !self.subjects.iter().any(|subject| subject.is(user)) {
            return false;
        }
        match attributes.target {
            Target::Path(path) => self.paths.iter().any(|rule| rule.covers(attributes.verb, path)),
            Target::Resource { .. } => self.resources.iter().any(|rule| rule.covers(attributes)),
        }
    }
}

impl Subject {
    fn read(subject: &Value) -> Option<Self> {
        let text = |of: &str, field: &str| subject[of][field].as_str().map(str::to_string);
        match subject["kind"].as_str()? {
            "User" => Some(Self::User(text("user", "name")?)),
            "Group" => Some(Self::Group(text("group", "name")?)),
            "ServiceAccount" => Some(Self::Account {
                namespace: text("serviceAccount", "namespace")?,
                name: text("serviceAccount", "name")?,
            }),
            _ => None,
        }
    }

    fn is(&self, user: &User) -> bool {
        match self {
            Self::User(name) => name == ALL || *name == user.name,
            Self::Group(name) => name == ALL || user.in_group(name),
            Self::Account { namespace, name } => {
                let account = user.name.strip_prefix(ACCOUNT_PREFIX).and_then(|rest| rest.split_once(':'));
                account.is_some_and(|(of, own)| of == namespace && (name == ALL || own == name))
            }
        }
    }
}

impl ResourceRule {
    fn read(rule: &Value) -> Self {
        Self {
            verbs: Names::of(rule, "verbs"),
            groups: Names::of(rule, "apiGroups"),
            resources: Names::of(rule, "resources"),
            namespaces: Names::of(rule, "namespaces"),
            cluster: rule["clusterScope"] == true,
        }
    }

    fn covers(&self, attributes: &Attributes<'_>) -> bool {
        let Target::Resource { group, resource, subresource, namespace, .. } = attributes.target else { return false };
        self.verbs.have(attributes.verb)
            && self.groups.have(group)
            && self.resources.have_resource(resource, subresource)
            // What is asked of all namespaces at once is asked of the cluster.
            && if namespace.is_empty() { self.cluster } else { self.namespaces.have(namespace) }
    }
}

impl PathRule {
    fn read(rule: &Value) -> Self {
        Self { verbs: Names::of(rule, "verbs"), paths: texts(rule, "nonResourceURLs") }
    }

    fn covers(&self, verb: &str, path: &str) -> bool {
        self.verbs.have(verb) && self.paths.iter().any(|own| leads_to(own, path))
    }
}

/// Whether a path of a rule is this path, or one above it, with a `*` at its end or without.
fn leads_to(own: &str, path: &str) -> bool {
    if own == ALL || own == path {
        return true;
    }
    let above = own.strip_suffix('*').unwrap_or(own);
    let above = above.strip_suffix('/').unwrap_or(above);
    path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rule(subject: Value, resources: Value) -> Rule {
        Rule::read(&json!({
            "subjects": [subject],
            "resourceRules": [resources],
            "nonResourceRules": [{ "verbs": ["get"], "nonResourceURLs": ["/healthz", "/apis/*"] }],
        }))
    }

    fn group(name: &str) -> Value {
        json!({ "kind": "Group", "group": { "name": name } })
    }

    fn everything() -> Value {
        json!({ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": true })
    }

    fn asks(rule: &Rule, user: &User, verb: &str, resource: (&str, &str, &str), namespace: &str) -> bool {
        let (group, resource, subresource) = resource;
        let target = Target::Resource { group, resource, subresource, namespace, name: "" };
        rule.matches(user, &Attributes::new(verb, target))
    }

    #[test]
    fn subjects_are_users_groups_and_accounts() {
        let is = |subject: Value, user: &User| asks(&rule(subject, everything()), user, "get", ("", "pods", ""), "a");
        let jane = User::new("jane", ["devs".to_string()]);
        assert!(is(group("devs"), &jane) && is(group("*"), &jane) && !is(group("ops"), &jane));
        let user = |name: &str| json!({ "kind": "User", "user": { "name": name } });
        assert!(is(user("jane"), &jane) && is(user("*"), &jane) && !is(user("joe"), &jane));
        let account = |namespace: &str, name: &str| json!({ "kind": "ServiceAccount", "serviceAccount": { "namespace": namespace, "name": name } });
        let robot = User::new("system:serviceaccount:team:robot", []);
        assert!(is(account("team", "robot"), &robot) && is(account("team", "*"), &robot));
        assert!(!is(account("tea", "*"), &robot) && !is(account("team", "rob"), &robot));
        assert!(!is(account("team", "*"), &jane) && !is(json!({ "kind": "User" }), &jane));
    }

    #[test]
    fn a_request_without_a_namespace_is_the_clusters() {
        let jane = User::new("jane", ["devs".to_string()]);
        let mut inside = everything();
        inside["clusterScope"] = json!(false);
        let inside = rule(group("devs"), inside);
        assert!(asks(&inside, &jane, "list", ("", "pods", ""), "a"));
        assert!(!asks(&inside, &jane, "list", ("", "pods", ""), ""));
        let mut cluster = everything();
        cluster["namespaces"] = json!([]);
        let cluster = rule(group("devs"), cluster);
        assert!(asks(&cluster, &jane, "list", ("", "pods", ""), ""));
        assert!(!asks(&cluster, &jane, "list", ("", "pods", ""), "a"));
    }

    #[test]
    fn subresources_are_named_and_never_meant() {
        let jane = User::new("jane", ["devs".to_string()]);
        let mut nodes = everything();
        nodes["resources"] = json!(["nodes", "nodes/status"]);
        let nodes = rule(group("devs"), nodes);
        assert!(asks(&nodes, &jane, "get", ("", "nodes", ""), ""));
        assert!(asks(&nodes, &jane, "get", ("", "nodes", "status"), ""));
        assert!(!asks(&nodes, &jane, "get", ("", "nodes", "proxy"), ""));
    }

    #[test]
    fn paths_lead_to_what_is_below_them() {
        let jane = User::new("jane", ["devs".to_string()]);
        let own = rule(group("devs"), everything());
        let asks = |verb, path| own.matches(&jane, &Attributes::new(verb, Target::Path(path)));
        assert!(asks("get", "/healthz") && asks("get", "/healthz/ping") && asks("get", "/apis/apps"));
        assert!(!asks("get", "/healthzz") && !asks("post", "/healthz") && !asks("get", "/metrics"));
    }
}
