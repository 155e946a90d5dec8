use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::config::PodSecurityConfig;
use super::super::namespace::{in_vain, needs_a_look};
use super::super::standard::{Level, Policy, Standard, Version};

fn read(labels: &[(&str, &str)]) -> (Policy, Vec<String>) {
    let labels: BTreeMap<String, &str> =
        labels.iter().map(|(key, value)| (format!("pod-security.kubernetes.io/{key}"), *value)).collect();
    let (policy, errors) = Policy::of_labels(|key| labels.get(key).copied(), Policy::default());
    (policy, errors.iter().map(ToString::to_string).collect())
}

fn texts(policy: &Policy) -> [String; 3] {
    policy.modes().map(|(_, standard)| standard.to_string())
}

#[test]
fn each_mode_has_two_labels() {
    let (policy, errors) = read(&[
        ("enforce", "baseline"),
        ("enforce-version", "v1.25"),
        ("audit", "restricted"),
        ("warn-version", "v1.0"),
    ]);
    assert_eq!(texts(&policy), ["baseline:v1.25", "restricted:latest", "privileged:v1.0"]);
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!(texts(&read(&[]).0), ["privileged:latest"; 3]);
    assert!(read(&[("enforce-version", "v1.2")]).0.is_fully_privileged());
    assert!(!policy.is_fully_privileged());
}

#[test]
fn what_makes_no_sense_fails_closed_where_it_is_enforced_and_open_elsewhere() {
    let (policy, errors) = read(&[
        ("enforce", "Baseline"),
        ("enforce-version", "1.25"),
        ("audit", ""),
        ("audit-version", "v1.01"),
        ("warn", "strict"),
        ("warn-version", "v2.0"),
    ]);
    assert_eq!(texts(&policy), ["restricted:latest", "privileged:latest", "privileged:latest"]);
    let (level, version) = ("must be one of privileged, baseline, restricted", r#"must be "latest" or "v1.x""#);
    let error = |key: &str, value: &str, why: &str| {
        format!("metadata.labels[pod-security.kubernetes.io/{key}]: Invalid value: \"{value}\": {why}")
    };
    assert_eq!(
        errors,
        [
            error("enforce", "Baseline", level),
            error("enforce-version", "1.25", version),
            error("audit", "", level),
            error("audit-version", "v1.01", version),
            error("warn", "strict", level),
            error("warn-version", "v2.0", version),
        ]
    );
}

#[test]
fn versions_are_numbers_without_ornament() {
    for good in ["v1.0", "v1.9", "v1.36", "v1.9223372036854775807", "latest"] {
        assert_eq!(Version::parse(good).map(|version| version.to_string()), Ok(good.to_string()));
    }
    for bad in ["", "v1", "v1.", "v1.00", "v1.+1", "v1.-1", "v1.1.0", "V1.1", "Latest", "v1.9223372036854775808"] {
        assert!(Version::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn pods_are_looked_at_when_the_policy_may_have_become_stricter() {
    let of = |level: Level, version: Version| Standard { level, version };
    let (old, new) = (Version::Minor(1), Version::Minor(2));
    assert!(needs_a_look(of(Level::Baseline, old), of(Level::Privileged, old)));
    assert!(needs_a_look(of(Level::Baseline, new), of(Level::Restricted, old)));
    assert!(!needs_a_look(of(Level::Baseline, old), of(Level::Restricted, old)));
    assert!(!needs_a_look(of(Level::Restricted, old), of(Level::Restricted, old)));
    assert!(!needs_a_look(of(Level::Privileged, new), of(Level::Privileged, old)));
}

#[test]
fn labels_of_exempt_namespaces_are_in_vain() {
    let namespace = |labels: Value| json!({ "metadata": { "name": "n", "labels": labels } });
    let said = |labels: &[(&str, &str)]| {
        let object: Value =
            labels.iter().map(|(key, value)| (format!("pod-security.kubernetes.io/{key}"), json!(value))).collect();
        in_vain(&PodSecurityConfig::default(), &read(labels).0, &namespace(object))
    };
    assert_eq!(said(&[("enforce", "privileged"), ("warn-version", "v1.1")]), None);
    let text = "namespace \"n\" is exempt from Pod Security, and the policy \
                (enforce=baseline:v1.2, warn=restricted:latest) will be ignored";
    assert_eq!(
        said(&[("enforce", "baseline"), ("enforce-version", "v1.2"), ("audit", "privileged"), ("warn", "restricted")])
            .as_deref(),
        Some(text)
    );
}
