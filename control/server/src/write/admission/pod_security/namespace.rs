//! The labels of a namespace: they must make sense, and what stricter ones mean for the pods that are there is told.

use coracle_api::{ApiError, ApiResult, meta};
use serde_json::Value;

use super::config::PodSecurityConfig;
use super::existing::Search;
use super::standard::{Level, PREFIX, Policy, Standard};
use crate::hub::Hub;
use crate::write::admission::{Action, Admitted};

/// Looks at a new namespace, or the new version of one.
pub(super) async fn check(hub: &Hub, write: &Admitted<'_>, namespace: &Value) -> ApiResult<()> {
    let config = &hub.config.pod_security;
    let name = meta::name(namespace);
    let policy_of = |namespace: &Value| {
        let labels = meta::labels(namespace);
        Policy::of_labels(|key| labels.get(key).copied(), config.defaults)
    };
    let (policy, errors) = policy_of(namespace);
    let old = write.old.filter(|_| write.action == Action::Update).map(policy_of);
    // Labels that were bad before may stay: something else is changed.
    if !errors.is_empty() && old.as_ref().is_none_or(|(_, before)| *before != errors) {
        return Err(ApiError::invalid(write.resource, name, &errors));
    }
    let stricter = old.is_some_and(|(before, _)| needs_a_look(policy.enforce, before.enforce));
    if config.exempt.namespaces.iter().any(|exempt| exempt == name) {
        if write.action == Action::Create || stricter {
            in_vain(config, &policy, namespace).into_iter().for_each(|warning| write.notes.warn(warning));
        }
        return Ok(());
    }
    if stricter {
        let exempt = config.exempt.runtime_classes.clone();
        let search = Search { namespace: name.to_string(), standard: policy.enforce, exempt };
        search.warnings(&hub.store).await.into_iter().for_each(|warning| write.notes.warn(warning));
    }
    Ok(())
}

/// Whether pods that met the old standard may not meet the new one.
pub(super) fn needs_a_look(new: Standard, old: Standard) -> bool {
    let relaxed = new.version == old.version && new.level <= old.level;
    new.level != Level::Privileged && !relaxed
}

/// What to say about the labels of a namespace that is exempt from them.
pub(super) fn in_vain(config: &PodSecurityConfig, policy: &Policy, namespace: &Value) -> Option<String> {
    if policy.is_fully_privileged() || policy.is_as_strict_as(&config.defaults) {
        return None;
    }
    let labels = meta::labels(namespace);
    let is_set = |name: String| labels.contains_key(format!("{PREFIX}{name}").as_str());
    let modes = policy.modes().into_iter().filter(|(mode, standard)| {
        standard.level != Level::Privileged && (is_set((*mode).to_string()) || is_set(format!("{mode}-version")))
    });
    let modes: Vec<String> = modes.map(|(mode, standard)| format!("{mode}={standard}")).collect();
    let name = meta::name(namespace);
    Some(format!(
        "namespace {name:?} is exempt from Pod Security, and the policy ({}) will be ignored",
        modes.join(", ")
    ))
}
