//! Whether a node's labels are those that a pod wants (`nodeSelector`, required node affinity).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{NodeSelectorRequirement, NodeSelectorTerm, Pod};

/// Whether the node of this name and these labels is one the pod wants.
pub fn matches(pod: &Pod, name: &str, labels: &BTreeMap<String, String>) -> bool {
    let Some(spec) = &pod.spec else { return true };
    let selected = spec.node_selector.iter().flatten().all(|(key, value)| labels.get(key) == Some(value));
    let affinity = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
    let required = affinity.and_then(|it| it.required_during_scheduling_ignored_during_execution.as_ref());
    selected && required.is_none_or(|it| any_term_is_met(&it.node_selector_terms, name, labels))
}

/// Whether one of the terms names the node.
pub fn any_term_is_met(terms: &[NodeSelectorTerm], name: &str, labels: &BTreeMap<String, String>) -> bool {
    terms.iter().any(|term| is_met(term, name, labels))
}

/// A term without anything in it is met by no node.
fn is_met(term: &NodeSelectorTerm, name: &str, labels: &BTreeMap<String, String>) -> bool {
    let expressions = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    let named = |key: &str| (key == "metadata.name").then_some(name);
    !(expressions.is_empty() && fields.is_empty())
        && expressions.iter().all(|it| holds(it, labels.get(&it.key).map(String::as_str)))
        && fields.iter().all(|it| holds(it, named(&it.key)))
}

fn holds(requirement: &NodeSelectorRequirement, value: Option<&str>) -> bool {
    let values = requirement.values.as_deref().unwrap_or_default();
    let listed = value.is_some_and(|value| values.iter().any(|it| it == value));
    let numbers = || {
        let bound: i64 = values.first()?.parse().ok()?;
        Some((value?.parse::<i64>().ok()?, bound))
    };
    match requirement.operator.as_str() {
        "In" => listed,
        "NotIn" => !listed,
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => numbers().is_some_and(|(value, bound)| value > bound),
        "Lt" => numbers().is_some_and(|(value, bound)| value < bound),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn wanted(spec: Value) -> bool {
        let mut pod = json!({"metadata": {"name": "p"}, "spec": {"containers": []}});
        pod["spec"].as_object_mut().unwrap().extend(spec.as_object().cloned().unwrap());
        let labels = [("zone", "a"), ("cores", "8")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        matches(&serde_json::from_value(pod).unwrap(), "n1", &labels.into())
    }

    fn affine(terms: Value) -> bool {
        let required = json!({"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}});
        wanted(json!({"affinity": {"nodeAffinity": required}}))
    }

    #[test]
    fn selectors_and_terms_are_matched_as_the_scheduler_does() {
        let one = |operator: &str, key: &str, values: Value| {
            affine(json!([{"matchExpressions": [{"key": key, "operator": operator, "values": values}]}]))
        };
        assert!(wanted(json!({})) && wanted(json!({"nodeSelector": {"zone": "a"}})));
        assert!(!wanted(json!({"nodeSelector": {"zone": "b"}})) && !wanted(json!({"nodeSelector": {"disk": ""}})));
        assert!(one("In", "zone", json!(["b", "a"])) && !one("In", "disk", json!(["a"])));
        assert!(one("NotIn", "zone", json!(["b"])) && one("NotIn", "disk", json!(["b"])));
        assert!(one("Exists", "zone", json!([])) && one("DoesNotExist", "disk", json!([])));
        assert!(
            one("Gt", "cores", json!(["4"])) && !one("Lt", "cores", json!(["8"])) && !one("Gt", "zone", json!(["1"]))
        );
        assert!(
            !affine(json!([{}])) && affine(json!([{}, {"matchExpressions": [{"key": "zone", "operator": "Exists"}]}]))
        );
        let field =
            |name: &str| json!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [name]}]}]);
        assert!(affine(field("n1")) && !affine(field("n2")));
    }
}
