//! `PodSecurity` (KEP-2579): pods keep to the Pod Security Standard that the labels of their namespace name
//! (`plugin/pkg/admission/security/podsecurity`, `k8s.io/pod-security-admission`).
//!
//! Only pods are refused. Authors of what makes pods (Deployments, Jobs …) are warned, and the audit log told, when
//! those would not pass.

mod checks;
mod config;
mod existing;
mod namespace;
mod significant;
mod standard;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use coracle_api::field::{FieldError, join};
use coracle_api::{ApiError, ApiResult};
use coracle_store::Key;
use serde_json::Value;

use super::{Action, Admitted, Plugin};
use crate::hub::Hub;
use checks::{Pod, Verdict};
use standard::{Level, PREFIX, Policy, Standard};

pub use config::{PodSecurityConfig, PodSecurityError};

/// What below a pod can't make it break a standard. Whatever else there is is looked at: it might.
const IGNORED_SUBRESOURCES: [&str; 8] =
    ["exec", "attach", "binding", "eviction", "log", "portforward", "proxy", "status"];

/// See the module's documentation.
pub(super) struct PodSecurity;

/// What is written, as far as the standards are concerned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Concern {
    Namespace,
    Pod,
    /// Something that pods are made from; where their template is.
    Template(&'static str),
}

impl Concern {
    fn of(write: &Admitted<'_>) -> Option<Self> {
        let concern = match (write.resource.group.as_ref(), write.resource.plural.as_ref()) {
            ("", "namespaces") => Self::Namespace,
            ("", "pods") => Self::Pod,
            ("", "podtemplates") => Self::Template("/template"),
            ("", "replicationcontrollers")
            | ("apps", "replicasets" | "deployments" | "statefulsets" | "daemonsets")
            | ("batch", "jobs") => Self::Template("/spec/template"),
            ("batch", "cronjobs") => Self::Template("/spec/jobTemplate/spec/template"),
            _ => return None,
        };
        let ignored = match concern {
            Self::Pod => IGNORED_SUBRESOURCES.contains(&write.subresource),
            Self::Namespace | Self::Template(_) => !write.subresource.is_empty(),
        };
        (!ignored).then_some(concern)
    }
}

#[async_trait]
impl Plugin for PodSecurity {
    fn handles(&self, write: &Admitted<'_>) -> bool {
        matches!(write.action, Action::Create | Action::Update) && Concern::of(write).is_some()
    }

    async fn validate(&self, hub: &Hub, write: &Admitted<'_>, object: &Value) -> ApiResult<()> {
        match Concern::of(write) {
            None => Ok(()),
            Some(Concern::Namespace) => namespace::check(hub, write, object).await,
            Some(Concern::Pod) => check_pod(hub, write, object),
            Some(Concern::Template(path)) => {
                check_template(hub, write, object.pointer(path));
                Ok(())
            }
        }
    }
}

fn check_pod(hub: &Hub, write: &Admitted<'_>, pod: &Value) -> ApiResult<()> {
    if is_exempt(&hub.config.pod_security, write) {
        return Ok(());
    }
    let Some((policy, errors)) = policy_of(hub, write.namespace) else {
        let error = ApiError::internal(format_args!("failed to lookup namespace {:?}", write.namespace));
        note(write, "error", format!("{}: {}", error.message, missing(write.namespace)));
        return Err(error);
    };
    if errors.is_empty() && policy.is_fully_privileged() {
        note(write, "enforce-policy", Standard::ANYTHING.to_string());
        return Ok(());
    }
    if write.old.is_some_and(|old| write.action == Action::Update && !significant::is_significant(pod, old)) {
        return Ok(());
    }
    judge(&hub.config.pod_security, write, (policy, &errors), (Pod::of(pod), true))
}

fn check_template(hub: &Hub, write: &Admitted<'_>, template: Option<&Value>) {
    if is_exempt(&hub.config.pod_security, write) {
        return;
    }
    let Some((policy, errors)) = policy_of(hub, write.namespace) else {
        let namespace = write.namespace;
        note(write, "error", format!("failed to lookup namespace {namespace:?}: {}", missing(namespace)));
        return;
    };
    let silent = policy.warn.level == Level::Privileged && policy.audit.level == Level::Privileged;
    let Some(template) = template.filter(|template| template.is_object()) else { return };
    if !errors.is_empty() || !silent {
        // Templates are never refused.
        judge(&hub.config.pod_security, write, (policy, &errors), (Pod::of(template), false)).ok();
    }
}

/// Holds a pod against the policy of its namespace.
fn judge(
    config: &PodSecurityConfig,
    write: &Admitted<'_>,
    (policy, errors): (Policy, &[FieldError]),
    (pod, enforce): (Pod<'_>, bool),
) -> ApiResult<()> {
    let class = pod.spec["runtimeClassName"].as_str().unwrap_or_default();
    if config.exempt.runtime_classes.iter().any(|exempt| exempt == class) {
        note(write, "exempt", "runtimeClass");
        return Ok(());
    }
    if !errors.is_empty() {
        note(write, "error", format!("Failed to parse policy: {}", join(errors)));
    }
    let mut opinions = Opinions { pod, known: Vec::new() };
    let refused = if enforce {
        note(write, "enforce-policy", policy.enforce.to_string());
        opinions.on(policy.enforce)
    } else {
        None
    };
    if let Some(violations) = opinions.on(policy.audit) {
        note(write, "audit-violations", format!("would violate PodSecurity \"{}\": {violations}", policy.audit));
    }
    if let Some(violations) = refused {
        let why = format!("violates PodSecurity \"{}\": {violations}", policy.enforce);
        return Err(write.forbidden(&why));
    }
    if let Some(violations) = opinions.on(policy.warn) {
        write.notes.warn(format!("would violate PodSecurity \"{}\": {violations}", policy.warn));
    }
    Ok(())
}

/// What the standards say about one pod, each asked once.
struct Opinions<'a> {
    pod: Pod<'a>,
    known: Vec<(Standard, Option<String>)>,
}

impl Opinions<'_> {
    /// What the pod breaks, if anything.
    fn on(&mut self, standard: Standard) -> Option<String> {
        if let Some((_, known)) = self.known.iter().find(|(known, _)| *known == standard) {
            return known.clone();
        }
        let verdict = Verdict::of(self.pod, standard);
        let detail = (!verdict.is_allowed()).then(|| verdict.detail());
        self.known.push((standard, detail.clone()));
        detail
    }
}

/// The policy of a namespace and what is wrong with its labels; none if there is no such namespace.
fn policy_of(hub: &Hub, namespace: &str) -> Option<(Policy, Vec<FieldError>)> {
    let record = hub.store.get(&Key::new("namespaces", "", namespace))?;
    Some(Policy::of_labels(|key| record.lifted.label(key), hub.config.pod_security.defaults))
}

/// Whether the configuration exempts the namespace or the author.
fn is_exempt(config: &PodSecurityConfig, write: &Admitted<'_>) -> bool {
    let lists = |names: &[String], name: &str| names.iter().any(|exempt| exempt == name);
    let why = if lists(&config.exempt.namespaces, write.namespace) {
        "namespace"
    } else if lists(&config.exempt.usernames, &write.user.name) {
        "user"
    } else {
        return false;
    };
    note(write, "exempt", why);
    true
}

fn note(write: &Admitted<'_>, key: &str, value: impl Into<String>) {
    write.notes.annotate(format!("{PREFIX}{key}"), value);
}

fn missing(namespace: &str) -> String {
    format!("namespaces {namespace:?} not found")
}
