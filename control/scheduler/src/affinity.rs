//! Node affinity: which nodes a pod's node selector terms name.
//!
//! Terms are alternatives; within one term every requirement must hold. A term without requirements names no node.

use k8s_openapi::api::core::v1::{NodeSelectorRequirement, NodeSelectorTerm};
use std::collections::BTreeMap;

/// Whether any of `terms` names the node.
pub fn any_term_matches(terms: &[NodeSelectorTerm], name: &str, labels: &BTreeMap<String, String>) -> bool {
    terms.iter().any(|term| term_matches(term, name, labels))
}

/// Whether `term` names the node called `name` with these labels.
pub fn term_matches(term: &NodeSelectorTerm, name: &str, labels: &BTreeMap<String, String>) -> bool {
    let expressions = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    if expressions.is_empty() && fields.is_empty() {
        return false;
    }
    expressions.iter().all(|r| requirement_holds(r, labels.get(&r.key).map(String::as_str)))
        && fields.iter().all(|r| requirement_holds(r, (r.key == "metadata.name").then_some(name)))
}

/// Whether `found`, the value of the key (None: the node has no such key), meets the requirement.
fn requirement_holds(requirement: &NodeSelectorRequirement, found: Option<&str>) -> bool {
    let values = requirement.values.as_deref().unwrap_or_default();
    let listed = |value: &str| values.iter().any(|v| v == value);
    match requirement.operator.as_str() {
        "In" => found.is_some_and(listed),
        "NotIn" => !found.is_some_and(listed),
        "Exists" => found.is_some(),
        "DoesNotExist" => found.is_none(),
        "Gt" => compare(found, values).is_some_and(|(have, bound)| have > bound),
        "Lt" => compare(found, values).is_some_and(|(have, bound)| have < bound),
        _ => false,
    }
}

/// Both sides of a numeric comparison, if both are whole numbers.
fn compare(found: Option<&str>, values: &[String]) -> Option<(i64, i64)> {
    match values {
        [bound] => Some((found?.parse().ok()?, bound.parse().ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(key: &str, operator: &str, values: &[&str]) -> NodeSelectorTerm {
        NodeSelectorTerm {
            match_expressions: Some(vec![requirement(key, operator, values)]),
            ..NodeSelectorTerm::default()
        }
    }

    fn requirement(key: &str, operator: &str, values: &[&str]) -> NodeSelectorRequirement {
        NodeSelectorRequirement {
            key: key.to_owned(),
            operator: operator.to_owned(),
            values: Some(values.iter().map(|v| (*v).to_owned()).collect()),
        }
    }

    #[test]
    fn operators() {
        let labels = BTreeMap::from([("zone".to_owned(), "a".to_owned()), ("cores".to_owned(), "8".to_owned())]);
        let holds = |key: &str, op: &str, values: &[&str]| term_matches(&term(key, op, values), "n1", &labels);
        assert!(holds("zone", "In", &["a", "b"]));
        assert!(!holds("zone", "NotIn", &["a"]));
        assert!(holds("rack", "NotIn", &["a"]), "an absent label is in no list");
        assert!(!holds("rack", "In", &["a"]));
        assert!(holds("zone", "Exists", &[]));
        assert!(holds("rack", "DoesNotExist", &[]));
        assert!(holds("cores", "Gt", &["4"]));
        assert!(!holds("cores", "Lt", &["4"]));
        assert!(!holds("zone", "Gt", &["4"]), "a label that is no number compares with nothing");
        assert!(!holds("zone", "Near", &["a"]));
    }

    #[test]
    fn fields_and_empty_terms() {
        let by_name = NodeSelectorTerm {
            match_fields: Some(vec![requirement("metadata.name", "In", &["n1"])]),
            ..NodeSelectorTerm::default()
        };
        assert!(term_matches(&by_name, "n1", &BTreeMap::new()));
        assert!(!term_matches(&by_name, "n2", &BTreeMap::new()));
        assert!(!term_matches(&NodeSelectorTerm::default(), "n1", &BTreeMap::new()));
        assert!(!any_term_matches(&[], "n1", &BTreeMap::new()));
    }
}
