//! Which checks make up a standard.

use serde_json::json;

use super::super::{Level, NEWEST, Pod, RULES, Standard, Verdict, Version, checks_of};

fn standard(level: Level, minor: u64) -> Standard {
    Standard { level, version: Version::Minor(minor) }
}

/// The ids of the checks of a standard.
fn ids(level: Level, minor: u64) -> Vec<&'static str> {
    checks_of(standard(level, minor)).map(|(id, _)| id).collect()
}

#[test]
fn rules_are_ordered_and_their_revisions_too() {
    let order: Vec<_> = RULES.iter().map(|rule| (rule.level, rule.id)).collect();
    assert!(order.is_sorted(), "{order:?}");
    for rule in &RULES {
        assert!(rule.revisions.is_sorted_by(|(a, _), (b, _)| a < b), "{}", rule.id);
        assert!(rule.replaces.is_none_or(|id| RULES.iter().any(|other| other.id == id && other.level < rule.level)));
    }
    let newest = RULES.iter().flat_map(|rule| rule.revisions).map(|(since, _)| *since).max();
    assert_eq!(newest, Some(NEWEST));
}

#[test]
fn each_version_has_the_checks_that_it_had() {
    let oldest = [
        "appArmorProfile",
        "capabilities_baseline",
        "hostNamespaces",
        "hostPathVolumes",
        "hostPorts",
        "privileged",
        "procMount",
        "seLinuxOptions",
        "seccompProfile_baseline",
        "sysctls",
        "windowsHostProcess",
    ];
    let newest = [
        "appArmorProfile",
        "hostNamespaces",
        "hostPorts",
        "hostProbesAndHostLifecycle",
        "privileged",
        "seLinuxOptions",
        "sysctls",
        "windowsHostProcess",
        "allowPrivilegeEscalation",
        "capabilities_restricted",
        "procMount_restricted",
        "restrictedVolumes",
        "runAsNonRoot",
        "runAsUser",
        "seccompProfile_restricted",
    ];
    assert_eq!(ids(Level::Privileged, 35), Vec::<&str>::new());
    assert_eq!(ids(Level::Baseline, 0), oldest);
    assert_eq!(ids(Level::Restricted, 35), newest);
    let counts = |minor: u64| [Level::Baseline, Level::Restricted].map(|level| ids(level, minor).len());
    assert_eq!([0, 7, 8, 18].map(counts), [[11, 12], [11, 12], [11, 13], [11, 13]]);
    // From here on a stricter check stands for one of the baseline.
    assert_eq!([19, 22, 23, 33].map(counts), [[11, 13], [11, 13], [11, 14], [11, 14]]);
    assert_eq!([34, 35].map(counts), [[12, 15], [12, 15]]);
}

#[test]
fn newer_versions_are_the_newest_that_is_known() {
    let pod = json!({ "spec": { "containers": [{ "name": "a" }], "hostUsers": false } });
    let detail = |version: Version| {
        let standard = Standard { level: Level::Restricted, version };
        Verdict::of(Pod::of(&pod), standard).detail()
    };
    assert_eq!(detail(Version::Latest), detail(Version::Minor(35)));
    assert_eq!(detail(Version::Latest), detail(Version::Minor(u64::MAX)));
    assert_ne!(detail(Version::Latest), detail(Version::Minor(34)));
}

#[test]
fn violations_are_told_in_order_baseline_first() {
    let pod = json!({
        "spec": {
            "hostPID": true,
            "volumes": [{ "name": "v", "hostPath": { "path": "/" } }],
            "containers": [{ "name": "a", "securityContext": { "privileged": true } }],
        },
    });
    let verdict = Verdict::of(Pod::of(&pod), standard(Level::Baseline, 35));
    assert_eq!(verdict.reason(), "host namespaces, hostPath volumes, privileged");
    let detail = "host namespaces (hostPID=true), hostPath volumes (volume \"v\"), \
                  privileged (container \"a\" must not set securityContext.privileged=true)";
    assert_eq!(verdict.detail(), detail);
    // The volume is told once, by the stricter check.
    let verdict = Verdict::of(Pod::of(&pod), standard(Level::Restricted, 35));
    let reasons = "host namespaces, privileged, allowPrivilegeEscalation != false, unrestricted capabilities, \
                   restricted volume types, runAsNonRoot != true, seccompProfile";
    assert_eq!(verdict.reason(), reasons);
    assert!(Verdict::of(Pod::of(&pod), standard(Level::Privileged, 35)).is_allowed());
}
