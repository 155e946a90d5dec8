//! What an operator says about Pod Security for the whole cluster: `PodSecurityConfiguration` of
//! `pod-security.admission.config.k8s.io`.

use std::collections::HashSet;

use coracle_api::field::{FieldError, Path, join};
use coracle_api::names::{dns1123_label, dns1123_subdomain};
use serde::Deserialize;
use serde_json::json;

use super::standard::{Level, Policy, Standard, Version};

const GROUP: &str = "pod-security.admission.config.k8s.io";
const VERSIONS: [&str; 3] = ["v1", "v1beta1", "v1alpha1"];
const KIND: &str = "PodSecurityConfiguration";

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PodSecurityError {
    /// It is no YAML of this kind; says where and why.
    #[error("the configuration of PodSecurity does not parse: {0}")]
    Syntax(#[from] serde_yaml::Error),
    /// It is something else.
    #[error("the configuration of PodSecurity should have apiVersion {GROUP}/v1 and kind {KIND}, not {0} and {1}")]
    Kind(String, String),
    /// It says what makes no sense.
    #[error("the configuration of PodSecurity is invalid: {0}")]
    Invalid(String),
}

/// The policy of namespaces whose labels say nothing, and who is exempt. By default everything is allowed there, and
/// nobody is.
#[derive(Debug, Clone, Default)]
pub struct PodSecurityConfig {
    pub(super) defaults: Policy,
    pub(super) exempt: Exemptions,
}

/// Who may do what the policies forbid.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Exemptions {
    pub(super) usernames: Vec<String>,
    pub(super) namespaces: Vec<String>,
    pub(super) runtime_classes: Vec<String>,
}

/// The file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    api_version: String,
    kind: String,
    #[serde(default)]
    defaults: Defaults,
    #[serde(default)]
    exemptions: Exemptions,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Defaults {
    enforce: String,
    enforce_version: String,
    audit: String,
    audit_version: String,
    warn: String,
    warn_version: String,
}

impl PodSecurityConfig {
    /// Reads a configuration.
    ///
    /// # Errors
    /// When it is none: says what is wrong, and where.
    pub fn parse(yaml: &str) -> Result<Self, PodSecurityError> {
        let file: File = serde_yaml::from_str(yaml)?;
        let known = file.api_version.split_once('/').is_some_and(|(g, v)| g == GROUP && VERSIONS.contains(&v));
        if !known || file.kind != KIND {
            return Err(PodSecurityError::Kind(file.api_version, file.kind));
        }
        let (defaults, exempt) = (&file.defaults, file.exemptions);
        let mut errors = Vec::new();
        let defaults = Policy {
            enforce: standard("enforce", &defaults.enforce, &defaults.enforce_version, &mut errors),
            warn: standard("warn", &defaults.warn, &defaults.warn_version, &mut errors),
            audit: standard("audit", &defaults.audit, &defaults.audit_version, &mut errors),
        };
        check_list("namespaces", &exempt.namespaces, dns1123_label, &mut errors);
        check_list("runtimeClasses", &exempt.runtime_classes, dns1123_subdomain, &mut errors);
        check_list("usernames", &exempt.usernames, |_| Vec::new(), &mut errors);
        if errors.is_empty() { Ok(Self { defaults, exempt }) } else { Err(PodSecurityError::Invalid(join(&errors))) }
    }
}

/// The standard of a mode. What is not given is the one that everything meets.
fn standard(mode: &str, level: &str, version: &str, errors: &mut Vec<FieldError>) -> Standard {
    let mut or_error = |field: String, text: &str, why: &str| {
        errors.push(FieldError::invalid(&Path::root("defaults").child(&field), &json!(text), why));
    };
    let mut standard = Standard::ANYTHING;
    if !level.is_empty() {
        match Level::parse(level) {
            Ok(level) => standard.level = level,
            Err(why) => or_error(mode.to_string(), level, why),
        }
    }
    if !version.is_empty() {
        match Version::parse(version) {
            Ok(version) => standard.version = version,
            Err(why) => or_error(format!("{mode}-version"), version, why),
        }
    }
    standard
}

/// The names of a list of exemptions: each valid, none twice.
fn check_list(list: &str, names: &[String], check: fn(&str) -> Vec<String>, errors: &mut Vec<FieldError>) {
    let mut seen = HashSet::new();
    for (index, name) in names.iter().enumerate() {
        let path = Path::root("exemptions").child(list).index(index);
        let wrong = check(name);
        if !wrong.is_empty() {
            errors.push(FieldError::invalid(&path, &json!(name), &wrong.join(", ")));
        } else if name.is_empty() {
            errors.push(FieldError::required(&path, ""));
        } else if !seen.insert(name) {
            errors.push(FieldError::duplicate(&path, &json!(name)));
        }
    }
}
