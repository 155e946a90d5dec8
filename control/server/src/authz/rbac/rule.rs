//! One rule of a role, and what it matches (`rbac/v1`'s evaluation helpers).

use serde_json::{Map, Value, json};

use crate::authz::{Attributes, Subject};

/// Stands for all verbs, groups, resources or paths.
pub(crate) const ALL: &str = "*";

/// A `PolicyRule`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Rule {
    pub(crate) verbs: Vec<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) resources: Vec<String>,
    pub(crate) names: Vec<String>,
    pub(crate) urls: Vec<String>,
}

impl Rule {
    /// The rules of a role.
    pub(crate) fn all_of(role: &Value) -> Vec<Self> {
        role["rules"].as_array().into_iter().flatten().map(Self::read).collect()
    }

    fn read(rule: &Value) -> Self {
        let texts = |field: &str| {
            let items = rule[field].as_array().into_iter().flatten();
            items.filter_map(|item| item.as_str().map(str::to_string)).collect()
        };
        Self {
            verbs: texts("verbs"),
            groups: texts("apiGroups"),
            resources: texts("resources"),
            names: texts("resourceNames"),
            urls: texts("nonResourceURLs"),
        }
    }

    /// Everything that there is.
    pub(crate) fn everything() -> [Self; 2] {
        let all = || vec![ALL.to_string()];
        [
            Self { verbs: all(), groups: all(), resources: all(), ..Self::default() },
            Self { verbs: all(), urls: all(), ..Self::default() },
        ]
    }

    /// The rule as `PolicyRule`, without what it does not name.
    pub(crate) fn to_json(&self) -> Value {
        let fields = [
            ("verbs", &self.verbs),
            ("apiGroups", &self.groups),
            ("resources", &self.resources),
            ("resourceNames", &self.names),
            ("nonResourceURLs", &self.urls),
        ];
        let named = fields.into_iter().filter(|(_, values)| !values.is_empty());
        Value::Object(named.map(|(field, values)| (field.to_string(), json!(values))).collect::<Map<_, _>>())
    }

    /// Whether the rule allows it.
    pub(crate) fn allows(&self, attributes: &Attributes<'_>) -> bool {
        if !has(&self.verbs, attributes.verb) {
            return false;
        }
        match attributes.target {
            Subject::Path(path) => self.urls.iter().any(|url| url_covers(url, path)),
            Subject::Resource { group, resource, subresource, name, .. } => {
                has(&self.groups, group)
                    && self.has_resource(resource, subresource)
                    && (self.names.is_empty() || self.names.iter().any(|own| own == name))
            }
        }
    }

    fn has_resource(&self, resource: &str, subresource: &str) -> bool {
        self.resources.iter().any(|own| {
            // Not only resources are asked about: names of audiences have slashes too.
            if own == ALL || (subresource.is_empty() && own == resource) {
                return true;
            }
            match own.split_once('/') {
                None => false,
                Some((of, part)) => !subresource.is_empty() && part == subresource && (of == ALL || of == resource),
            }
        })
    }
}

/// Whether a list names the value or everything.
fn has(own: &[String], value: &str) -> bool {
    own.iter().any(|item| item == ALL || item == value)
}

/// Whether a path of a rule, which may end in `*`, is this path or leads to it.
pub(super) fn url_covers(own: &str, path: &str) -> bool {
    own == path || own.strip_suffix('*').is_some_and(|_| path.starts_with(own.trim_end_matches('*')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(verbs: &[&str], resources: &[&str], names: &[&str]) -> Rule {
        let texts = |items: &[&str]| items.iter().map(|item| (*item).to_string()).collect();
        Rule {
            verbs: texts(verbs),
            groups: texts(&["apps"]),
            resources: texts(resources),
            names: texts(names),
            ..Rule::default()
        }
    }

    fn may(rule: &Rule, verb: &str, resource: &str, subresource: &str, name: &str) -> bool {
        let target = Subject::Resource { group: "apps", resource, subresource, namespace: "", name };
        rule.allows(&Attributes::new(verb, target))
    }

    #[test]
    fn a_rule_is_about_its_resources_and_not_about_their_parts() {
        let own = rule(&["get", "list"], &["deployments"], &[]);
        assert!(may(&own, "get", "deployments", "", "a"));
        assert!(!may(&own, "get", "deployments", "scale", "a"));
        assert!(!may(&own, "delete", "deployments", "", "a"));
        assert!(!may(&own, "get", "daemonsets", "", "a"));
        let part = rule(&["*"], &["deployments/scale"], &[]);
        assert!(may(&part, "patch", "deployments", "scale", "a"));
        assert!(!may(&part, "patch", "deployments", "", "a"));
        let parts = rule(&["*"], &["*/scale"], &[]);
        assert!(may(&parts, "get", "replicasets", "scale", "a"));
        assert!(!may(&parts, "get", "replicasets", "", "a"));
        assert!(may(&rule(&["*"], &["*"], &[]), "get", "replicasets", "status", "a"));
        let audience = rule(&["*"], &["https://vault/a"], &[]);
        assert!(may(&audience, "get", "https://vault/a", "", "a"));
        assert!(!may(&audience, "get", "https://vault/b", "", "a"));
    }

    #[test]
    fn names_narrow_a_rule() {
        let own = rule(&["*"], &["deployments"], &["a"]);
        assert!(may(&own, "get", "deployments", "", "a"));
        assert!(!may(&own, "get", "deployments", "", "b"));
        assert!(!may(&own, "list", "deployments", "", ""));
    }

    #[test]
    fn another_group_is_another_resource() {
        let target = Subject::Resource { group: "", resource: "deployments", subresource: "", namespace: "", name: "" };
        assert!(!rule(&["*"], &["*"], &[]).allows(&Attributes::new("get", target)));
    }

    #[test]
    fn paths_may_end_in_anything() {
        let own =
            Rule { verbs: vec!["get".into()], urls: vec!["/healthz".into(), "/apis/*".into()], ..Rule::default() };
        let may = |path| own.allows(&Attributes::new("get", Subject::Path(path)));
        assert!(may("/healthz") && may("/apis/") && may("/apis/apps/v1"));
        assert!(!may("/healthz/etcd") && !may("/apis") && !may("/apisx"));
    }
}
