//! Rules: which requests a webhook wants to see (`apiserver/pkg/admission/plugin/webhook/predicates/rules`).

use serde_json::Value;

use super::asked::Place;

/// `RuleWithOperations`
#[derive(Debug, Clone)]
pub(in super::super) struct Rule {
    operations: Vec<String>,
    groups: Vec<String>,
    versions: Vec<String>,
    /// Each as resource and subresource, the latter empty for the resource itself.
    resources: Vec<(String, String)>,
    scope: Scope,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    All,
    Cluster,
    Namespaced,
}

impl Rule {
    /// From the object.
    pub(in super::super) fn of(rule: &Value) -> Self {
        let split = |text: String| match text.split_once('/') {
            Some((resource, subresource)) => (resource.to_string(), subresource.to_string()),
            None => (text, String::new()),
        };
        Self {
            operations: texts(&rule["operations"]),
            groups: texts(&rule["apiGroups"]),
            versions: texts(&rule["apiVersions"]),
            resources: texts(&rule["resources"]).into_iter().map(split).collect(),
            scope: match rule["scope"].as_str() {
                Some("Cluster") => Scope::Cluster,
                Some("Namespaced") => Scope::Namespaced,
                _ => Scope::All,
            },
        }
    }

    /// Whether it is about this operation at this place.
    pub(in super::super) fn matches(&self, operation: &str, place: &Place<'_>) -> bool {
        self.covers(place)
            && contains(&self.operations, operation)
            && contains(&self.groups, place.group)
            && contains(&self.versions, place.version)
            && self
                .resources
                .iter()
                .any(|(resource, subresource)| is(resource, place.resource) && is(subresource, place.subresource))
    }

    /// Namespaces belong to the cluster, although what is asked about one is asked in it.
    fn covers(&self, place: &Place<'_>) -> bool {
        let of_cluster = place.namespace.is_empty() || place.is_of_namespaces();
        match self.scope {
            Scope::All => true,
            Scope::Cluster => of_cluster,
            Scope::Namespaced => !of_cluster,
        }
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_string)).collect()
}

fn contains(list: &[String], wanted: &str) -> bool {
    list.iter().any(|item| is(item, wanted))
}

fn is(item: &str, wanted: &str) -> bool {
    item == "*" || item == wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const MAPS: Place<'static> =
        Place { group: "", version: "v1", resource: "configmaps", subresource: "", namespace: "n" };

    fn rule(resources: &[&str], scope: &str) -> Rule {
        Rule::of(&json!({
            "operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["*"], "resources": resources, "scope": scope,
        }))
    }

    #[test]
    fn every_part_must_match() {
        let place = MAPS;
        assert!(rule(&["configmaps"], "*").matches("CREATE", &place));
        assert!(!rule(&["configmaps"], "*").matches("UPDATE", &place));
        assert!(!rule(&["secrets"], "*").matches("CREATE", &place));
        assert!(!rule(&["configmaps"], "*").matches("CREATE", &Place { group: "apps", ..place }));
        let exact = json!({ "operations": ["*"], "apiGroups": ["*"], "apiVersions": ["v1"], "resources": ["*"] });
        assert!(Rule::of(&exact).matches("CONNECT", &place));
        assert!(!Rule::of(&exact).matches("CONNECT", &Place { version: "v2", ..place }));
    }

    #[test]
    fn stars_stand_for_resources_or_subresources() {
        let of = |subresource| Place { resource: "pods", subresource, ..MAPS };
        for (resources, whole, status) in [
            (["pods"], true, false),
            (["*"], true, false),
            (["pods/*"], true, true),
            (["pods/status"], false, true),
            (["*/status"], false, true),
            (["*/*"], true, true),
        ] {
            let rule = rule(&resources, "*");
            let found = (rule.matches("CREATE", &of("")), rule.matches("CREATE", &of("status")));
            assert_eq!(found, (whole, status), "{resources:?}");
        }
    }

    #[test]
    fn a_namespace_belongs_to_the_cluster() {
        let namespace = Place { resource: "namespaces", ..MAPS };
        let node = Place { resource: "nodes", namespace: "", ..MAPS };
        for (scope, expected) in
            [("*", [true, true, true]), ("Namespaced", [true, false, false]), ("Cluster", [false, true, true])]
        {
            let rule = rule(&["*"], scope);
            let found = [MAPS, namespace, node].map(|place| rule.matches("CREATE", &place));
            assert_eq!(found, expected, "{scope}");
        }
    }
}
