//! The checks that the Pod Security Standards are made of, each with the versions in which it changed
//! (`k8s.io/pod-security-admission/policy`, as of 1.36).

mod app_armor;
mod capabilities;
mod context;
mod host;
mod probes;
mod run_as;
mod seccomp;
#[cfg(test)]
mod tests;
mod volumes;

use std::collections::BTreeSet;

use serde_json::Value;

use super::standard::{Level, Standard, Version};
use crate::value::items;

/// The newest version in which a check changed: what `latest` and everything newer means.
pub(super) const NEWEST: u64 = 35;

/// What the checks look at: a pod, or the template of one.
#[derive(Clone, Copy)]
pub(super) struct Pod<'a> {
    metadata: &'a Value,
    pub(super) spec: &'a Value,
}

impl<'a> Pod<'a> {
    /// Of an object with `metadata` and `spec`.
    pub(super) fn of(object: &'a Value) -> Self {
        Self { metadata: &object["metadata"], spec: &object["spec"] }
    }

    /// The containers of all three lists, in the order in which they are named.
    fn containers(self) -> impl Iterator<Item = &'a Value> {
        ["initContainers", "containers", "ephemeralContainers"]
            .into_iter()
            .flat_map(move |list| items(&self.spec[list]))
    }

    /// The names of the containers of which something holds.
    fn containers_where(self, holds: impl Fn(&Value) -> bool) -> Vec<&'a str> {
        self.containers().filter(|container| holds(container)).map(name).collect()
    }

    fn annotations(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let annotations = self.metadata["annotations"].as_object().into_iter().flatten();
        annotations.map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default()))
    }

    /// Whether it says that it runs on Windows, where much of what is checked does not exist.
    fn is_of_windows(self) -> bool {
        self.spec["os"]["name"] == "windows"
    }

    /// Whether its users are not those of its node (KEP-127): root inside is nobody outside.
    fn has_own_users(self) -> bool {
        self.spec["hostUsers"] == false
    }
}

/// Why a pod does not meet a standard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    /// Which rule it breaks.
    reason: &'static str,
    /// What in it does.
    detail: String,
}

impl Violation {
    fn new(reason: &'static str, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

/// One check in one version.
type Check = fn(Pod<'_>) -> Option<Violation>;

/// A check with its history.
struct Rule {
    /// The name that Kubernetes gives it, by which the checks of a level are ordered.
    id: &'static str,
    level: Level,
    /// The check of the level below that it makes superfluous.
    replaces: Option<&'static str>,
    /// The minor version that each revision begins with, oldest first.
    revisions: &'static [(u64, Check)],
}

impl Rule {
    const fn baseline(id: &'static str, revisions: &'static [(u64, Check)]) -> Self {
        Self { id, level: Level::Baseline, replaces: None, revisions }
    }

    const fn restricted(id: &'static str, replaces: Option<&'static str>, revisions: &'static [(u64, Check)]) -> Self {
        Self { id, level: Level::Restricted, replaces, revisions }
    }

    /// The check of a version, if there was one.
    fn at(&self, minor: u64) -> Option<Check> {
        self.revisions.iter().rev().find(|(since, _)| *since <= minor).map(|(_, check)| *check)
    }
}

/// All checks in the order in which violations are told: baseline first, each level by id.
static RULES: [Rule; 19] = [
    Rule::baseline("appArmorProfile", &[(0, app_armor::profile)]),
    Rule::baseline("capabilities_baseline", &[(0, capabilities::baseline)]),
    Rule::baseline("hostNamespaces", &[(0, host::namespaces)]),
    Rule::baseline("hostPathVolumes", &[(0, volumes::host_path)]),
    Rule::baseline("hostPorts", &[(0, host::ports)]),
    Rule::baseline("hostProbesAndHostLifecycle", &[(34, probes::hosts)]),
    Rule::baseline("privileged", &[(0, context::privileged)]),
    Rule::baseline("procMount", &[(0, context::proc_mount), (35, context::proc_mount_of_host_users)]),
    Rule::baseline("seLinuxOptions", &[(0, context::selinux), (31, context::selinux_since_31)]),
    Rule::baseline("seccompProfile_baseline", &[(0, seccomp::annotations), (19, seccomp::baseline)]),
    Rule::baseline(
        "sysctls",
        &[
            (0, context::sysctls),
            (27, context::sysctls_since_27),
            (29, context::sysctls_since_29),
            (32, context::sysctls_since_32),
        ],
    ),
    Rule::baseline("windowsHostProcess", &[(0, host::processes)]),
    Rule::restricted(
        "allowPrivilegeEscalation",
        None,
        &[(8, context::escalation), (25, |pod| unless(pod.is_of_windows(), pod, context::escalation))],
    ),
    Rule::restricted(
        "capabilities_restricted",
        Some("capabilities_baseline"),
        &[(22, capabilities::restricted), (25, |pod| unless(pod.is_of_windows(), pod, capabilities::restricted))],
    ),
    Rule::restricted("procMount_restricted", Some("procMount"), &[(35, context::proc_mount)]),
    Rule::restricted("restrictedVolumes", Some("hostPathVolumes"), &[(0, volumes::restricted)]),
    Rule::restricted(
        "runAsNonRoot",
        None,
        &[(0, run_as::non_root), (35, |pod| unless(pod.has_own_users(), pod, run_as::non_root))],
    ),
    Rule::restricted(
        "runAsUser",
        None,
        &[(23, run_as::user), (35, |pod| unless(pod.has_own_users(), pod, run_as::user))],
    ),
    Rule::restricted(
        "seccompProfile_restricted",
        Some("seccompProfile_baseline"),
        &[(19, seccomp::restricted), (25, |pod| unless(pod.is_of_windows(), pod, seccomp::restricted))],
    ),
];

fn unless(spared: bool, pod: Pod<'_>, check: Check) -> Option<Violation> {
    if spared { None } else { check(pod) }
}

/// What the checks of a standard found in a pod.
#[derive(Debug, Default)]
pub(super) struct Verdict(Vec<Violation>);

impl Verdict {
    /// Checks a pod.
    pub(super) fn of(pod: Pod<'_>, standard: Standard) -> Self {
        Self(checks_of(standard).filter_map(|(_, check)| check(pod)).collect())
    }

    pub(super) fn is_allowed(&self) -> bool {
        self.0.is_empty()
    }

    /// The rules that are broken: `host namespaces, hostPort`.
    pub(super) fn reason(&self) -> String {
        self.0.iter().map(|violation| violation.reason).collect::<Vec<_>>().join(", ")
    }

    /// The rules that are broken, and by what: `host namespaces (hostPID=true), hostPort (…)`.
    pub(super) fn detail(&self) -> String {
        let text = |violation: &Violation| match violation.detail.as_str() {
            "" => violation.reason.to_string(),
            detail => format!("{} ({detail})", violation.reason),
        };
        self.0.iter().map(text).collect::<Vec<_>>().join(", ")
    }
}

/// The checks of a standard with their ids, in order.
fn checks_of(standard: Standard) -> impl Iterator<Item = (&'static str, Check)> {
    let minor = match standard.version {
        Version::Minor(minor) => minor.min(NEWEST),
        Version::Latest => NEWEST,
    };
    let in_force = move || RULES.iter().filter(move |rule| rule.level <= standard.level && rule.at(minor).is_some());
    let replaced = move |id: &str| in_force().any(|rule| rule.replaces == Some(id));
    in_force().filter(move |rule| !replaced(rule.id)).filter_map(move |rule| Some((rule.id, rule.at(minor)?)))
}

fn name(object: &Value) -> &str {
    object["name"].as_str().unwrap_or_default()
}

/// `"a", "b"`
fn quoted<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> String {
    let quoted: Vec<String> = texts.into_iter().map(|text| format!("\"{}\"", text.as_ref())).collect();
    quoted.join(", ")
}

fn plural(count: usize, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
}

/// `container "a"`, `containers "a", "b"`
fn containers_named(names: &[&str]) -> String {
    format!("{} {}", plural(names.len(), "container", "containers"), quoted(names))
}

/// `pod and containers "a", "b"`: who does something wrong, if anybody.
fn culprits(pod: bool, containers: &[&str]) -> Option<String> {
    match (pod, containers) {
        (false, []) => None,
        (true, []) => Some("pod".into()),
        (false, names) => Some(containers_named(names)),
        (true, names) => Some(format!("pod and {}", containers_named(names))),
    }
}

/// A sorted set of texts.
type Texts<'a> = BTreeSet<&'a str>;
