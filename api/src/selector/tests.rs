use std::collections::BTreeMap;

use serde_json::json;

use super::*;

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_string(), (*v).to_string())).collect()
}

fn matches(selector: &str, pairs: &[(&str, &str)]) -> bool {
    LabelSelector::parse(selector).unwrap().matches(&labels(pairs))
}

#[test]
fn operators() {
    let web = [("app", "web"), ("n", "5")];
    for yes in [
        "",
        "app=web",
        "app==web",
        "app!=db",
        "x!=y",
        "app in (web,db)",
        "app notin (db)",
        "x notin (y)",
        "app",
        "!x",
        "n>4",
        "n<6",
        " app = web , n ",
        "app=web,!x,n in (5)",
        "app in (,web)",
    ] {
        assert!(matches(yes, &web), "{yes}");
    }
    for no in ["app=db", "app!=web", "app in (db)", "x in (a)", "app notin (web)", "x", "!app", "n>5", "app>1", "x="] {
        assert!(!matches(no, &web), "{no}");
    }
    assert!(matches("x=", &[("x", "")]));
}

#[test]
fn printing_sorts_by_key() {
    let selector = LabelSelector::parse("z=1,a in (c,b),!m,k,q!=2,p>3").unwrap();
    assert_eq!(selector.to_string(), "a in (b,c),k,!m,p>3,q!=2,z=1");
    assert_eq!(LabelSelector::parse(&selector.to_string()).unwrap(), selector);
}

#[test]
fn syntax_errors() {
    let error = |text: &str| LabelSelector::parse(text).unwrap_err().to_string();
    assert_eq!(error("a=b,"), "found '', expected: identifier after ','");
    assert_eq!(error(",a"), "found ',', expected: !, identifier, or 'end of string'");
    assert_eq!(error("a b"), "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt");
    assert_eq!(error("a in b"), "unable to parse requirement: found 'b' expected: '('");
    assert_eq!(error("a in (b"), "unable to parse requirement: found '', expected: ',' or ')'");
    assert_eq!(error("a=b c"), "found 'c', expected: ',' or 'end of string'");
    assert_eq!(error("a==="), "unable to parse requirement: found '=', expected: identifier");
    assert_eq!(
        error("a in ()"),
        "unable to parse requirement: values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty"
    );
    assert!(
        error("-a=b").starts_with("unable to parse requirement: <nil>: Invalid value: \"-a\": name part must consist")
    );
    assert!(
        error("a=-b").starts_with("unable to parse requirement: values[0][a]: Invalid value: \"-b\": a valid label")
    );
}

#[test]
fn from_objects_and_maps() {
    let object = json!({ "matchLabels": { "a": "b" }, "matchExpressions": [
        { "key": "t", "operator": "In", "values": ["x", "y"] }, { "key": "u", "operator": "DoesNotExist" } ] });
    let selector = LabelSelector::from_value(Some(&object)).unwrap();
    assert_eq!(selector.to_string(), "a=b,t in (x,y),!u");
    assert!(LabelSelector::from_value(Some(&json!({}))).unwrap().is_everything());
    assert!(!LabelSelector::from_value(None).unwrap().matches(&labels(&[])));
    assert_eq!(LabelSelector::from_value(Some(&json!({ "app": "x" }))).unwrap().to_string(), "app=x");
    let bad = json!({ "matchExpressions": [{ "key": "t", "operator": "Gt", "values": ["1"] }] });
    let error = LabelSelector::from_value(Some(&bad)).unwrap_err();
    assert_eq!(error.to_string(), "\"Gt\" is not a valid label selector operator");
}

#[test]
fn field_selectors() {
    let selector = FieldSelector::parse(r"status.phase=Running,spec.nodeName!=n1,x==a\,b").unwrap();
    assert_eq!(selector.to_string(), r"status.phase=Running,spec.nodeName!=n1,x=a\,b");
    assert_eq!(selector.required_value("status.phase"), Some("Running"));
    assert_eq!(selector.required_value("spec.nodeName"), None);
    let fields = labels(&[("status.phase", "Running"), ("x", "a,b")]);
    assert!(selector.matches_with(|f| fields.get(f).map(String::as_str)));
    let phase = |label: &str| match label {
        "phase" => Ok("status.phase".to_string()),
        other => Err(FieldSelectorError::Unsupported(other.to_string())),
    };
    assert_eq!(
        FieldSelector::parse("phase=Running").unwrap().transformed(phase).unwrap().to_string(),
        "status.phase=Running"
    );
    assert_eq!(selector.transformed(phase).unwrap_err().to_string(), "field label not supported: status.phase");
    assert_eq!(
        FieldSelector::parse("status.phase").unwrap_err().to_string(),
        "invalid selector: 'status.phase'; can't understand 'status.phase'"
    );
    assert!(FieldSelector::parse("a=b=c").is_err());
    assert!(FieldSelector::parse("a!==c").is_err());
    for (text, written) in [("a!b=c", "a!b=c"), ("a!!=c", "a!!=c"), ("!=c", "!=c"), ("=", "="), ("a==", "a=")] {
        assert_eq!(FieldSelector::parse(text).unwrap().to_string(), written);
    }
    assert!(FieldSelector::parse("a!b").is_err());
    assert!(FieldSelector::parse("").unwrap().is_everything());
}

#[test]
fn a_thousand_values_are_as_good_as_one() {
    // Looking through all values for each of them, or for each object, would be minutes.
    let values: Vec<String> = (0..100_000).map(|index| format!("v{index}")).collect();
    let selector = LabelSelector::parse(&format!("a in ({},v7)", values.join(","))).unwrap();
    assert_eq!(selector.requirements()[0].values().len(), values.len());
    assert!(values.iter().all(|value| selector.matches(&labels(&[("a", value)]))));
    let object = json!({ "matchExpressions": [{ "key": "a", "operator": "NotIn", "values": ["z", "b", "m"] }] });
    let selector = LabelSelector::from_value(Some(&object)).unwrap();
    for (value, expected) in [("z", false), ("b", false), ("m", false), ("a", true)] {
        assert_eq!(selector.matches(&labels(&[("a", value)])), expected, "{value}");
    }
}
