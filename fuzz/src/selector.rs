//! Label and field selectors, as texts and as objects.
//!
//! Promises: a selector that is written out and read again is the same; written out again it is the same text; it selects
//! the same; a requirement and its opposite never agree.

use coracle_api::selector::{FieldSelector, LabelSelector, Operator};
use serde_json::{Value, json};

use super::supply::Supply;

/// Checks one input: a text, or (from `{` on) a selector as an object.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    labels(text);
    fields(text);
    if let Ok(object) = serde_json::from_str::<Value>(text)
        && let Ok(selector) = LabelSelector::from_value(Some(&object))
    {
        let _ = selector.to_string();
        selects(&selector, &selector);
    }
    let mut supply = Supply::new(data);
    let words: Vec<String> =
        (0..supply.below(4)).map(|_| String::from_utf8_lossy(supply.take(8)).into_owned()).collect();
    let operator = supply.pick(&["In", "NotIn", "Exists", "DoesNotExist", "Gt"]);
    let object = json!({ "matchExpressions": [{ "key": words.first(), "operator": operator, "values": words }] });
    if let Ok(selector) = LabelSelector::from_value(Some(&object))
        && words.iter().any(|word| !word.is_empty())
    {
        // Values come as the object has them, perhaps twice.
        let again = LabelSelector::parse(&selector.to_string()).unwrap_or_else(|error| panic!("{selector}: {error}"));
        selects(&selector, &again);
    }
}

fn labels(text: &str) {
    let Ok(selector) = LabelSelector::parse(text) else { return };
    // The one list that is written as none, as upstream: `a in ()`, read from `a in (,)`.
    let is_nothing = |values: &[String]| values.len() == 1 && values[0].is_empty();
    let lists = selector.requirements().iter().filter(|own| matches!(own.operator(), Operator::In | Operator::NotIn));
    if lists.map(|own| own.values()).any(is_nothing) {
        return;
    }
    let written = selector.to_string();
    let again = LabelSelector::parse(&written).unwrap_or_else(|error| panic!("{text:?} as {written:?}: {error}"));
    assert_eq!(selector, again, "{text:?} as {written:?}");
    assert_eq!(written, again.to_string());
    selects(&selector, &again);
    for requirement in selector.requirements() {
        let opposite = match requirement.operator() {
            Operator::Equals | Operator::DoubleEquals => Operator::NotEquals,
            Operator::NotEquals => Operator::Equals,
            Operator::In => Operator::NotIn,
            Operator::NotIn => Operator::In,
            Operator::Exists => Operator::DoesNotExist,
            Operator::DoesNotExist => Operator::Exists,
            Operator::GreaterThan | Operator::LessThan => continue,
        };
        let values = requirement.values().to_vec();
        let opposite = coracle_api::selector::Requirement::new(requirement.key(), opposite, values);
        let opposite = opposite.expect("the opposite takes the same values");
        for value in [None, Some(""), Some("a"), requirement.values().first().map(String::as_str)] {
            assert_ne!(
                requirement.matches(value),
                opposite.matches(value),
                "{requirement} and {opposite} on {value:?}"
            );
        }
    }
}

/// Both select the same of some objects.
fn selects(one: &LabelSelector, other: &LabelSelector) {
    let mut samples = vec![json!({}), json!({ "a": "b", "app": "web", "n": "5" })];
    for requirement in one.requirements() {
        samples.push(json!({ requirement.key(): requirement.values().first().map_or("", String::as_str) }));
    }
    for labels in samples {
        let object = json!({ "metadata": { "labels": labels } });
        assert_eq!(one.matches_object(&object), other.matches_object(&object), "{one} on {labels}");
    }
}

fn fields(text: &str) {
    let Ok(selector) = FieldSelector::parse(text) else { return };
    let written = selector.to_string();
    let again = FieldSelector::parse(&written).unwrap_or_else(|error| panic!("{text:?} as {written:?}: {error}"));
    assert_eq!(selector, again, "{text:?} as {written:?}");
    assert_eq!(written, again.to_string());
    if let [term] = selector.terms() {
        let matches = selector.matches_with(|_| Some(term.value.as_str()));
        assert_eq!(matches, !term.negated, "{written} does not select what it names");
    }
}
