//! Judging a configuration, with the texts of `k8s.io/apiserver/pkg/apis/apiserver/validation`, and compiling it on the way.

mod claims;
mod issuer;

use std::collections::HashSet;
use std::sync::Arc;

use coracle_api::field::{FieldError, Path};
use serde_json::{Value, json};

use super::algorithm::Algorithm;
use super::config::IssuerConfig;
use super::settings::{AnonymousSettings, JwtSettings};

/// Issuers at a time.
const MAX_ISSUERS: usize = 64;

/// What of an issuer is served below its URL (OpenID Connect Discovery 1.0, section 4).
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// The issuers of a configuration; complete if there are no errors.
pub(super) fn issuers(
    all: &[JwtSettings],
    algorithms: &[Algorithm],
    own_issuer: &str,
) -> (Vec<Arc<IssuerConfig>>, Vec<FieldError>) {
    let root = Path::root("jwt");
    if all.len() > MAX_ISSUERS {
        return (Vec::new(), vec![FieldError::too_many(&root, all.len(), MAX_ISSUERS)]);
    }
    let (mut issuers, mut errors) = (Vec::new(), Vec::new());
    let (mut urls, mut discovery_urls) = (HashSet::new(), HashSet::new());
    for (index, settings) in all.iter().enumerate() {
        let path = root.index(index);
        issuers.extend(compiled(settings, algorithms, own_issuer, (&path, &mut errors)).map(Arc::new));
        let of_issuer = path.child("issuer");
        let (url, discovery_url) = (&settings.issuer.url, &settings.issuer.discovery_url);
        if !urls.insert(url) {
            errors.push(FieldError::duplicate(&of_issuer.child("url"), &json!(url)));
        }
        if !discovery_url.is_empty() && !discovery_urls.insert(discovery_url) {
            errors.push(FieldError::duplicate(&of_issuer.child("discoveryURL"), &json!(discovery_url)));
        }
    }
    (issuers, errors)
}

/// Where an issuer says where its keys are, unless it is configured.
pub(super) fn discovery_url(issuer: &str) -> String {
    format!("{}{WELL_KNOWN}", issuer.strip_suffix('/').unwrap_or(issuer))
}

/// What is wrong with `anonymous`.
pub(super) fn anonymous(settings: Option<&AnonymousSettings>) -> Option<FieldError> {
    let settings = settings.filter(|settings| !settings.enabled && !settings.conditions.is_empty())?;
    let conditions: Vec<Value> =
        settings.conditions.iter().map(|condition| json!({ "path": condition.path })).collect();
    let why = "enabled should be set to true when conditions are defined";
    Some(FieldError::invalid(&Path::root("anonymous").child("conditions"), &json!(conditions), why))
}

fn compiled(
    settings: &JwtSettings,
    algorithms: &[Algorithm],
    own_issuer: &str,
    (path, errors): (&Path, &mut Vec<FieldError>),
) -> Option<IssuerConfig> {
    issuer::check(&settings.issuer, own_issuer, &path.child("issuer"), errors);
    let mapper = claims::compile(settings, path, errors);
    let issuer = &settings.issuer;
    let discovery_url = match issuer.discovery_url.as_str() {
        "" => discovery_url(&issuer.url),
        other => other.to_string(),
    };
    Some(IssuerConfig {
        url: issuer.url.clone(),
        discovery_url,
        authorities: Some(issuer.certificate_authority.clone()).filter(|pem| !pem.is_empty()),
        audiences: issuer.audiences.clone(),
        algorithms: algorithms.to_vec(),
        mapper: mapper?,
    })
}

/// A text of the configuration that is no good.
fn invalid(path: &Path, text: &str, why: &str) -> FieldError {
    FieldError::invalid(path, &json!(text), why)
}
