//! `issuer`: where it is, and whom its tokens are for.

use std::collections::HashSet;

use coracle_api::field::{FieldError, Path};
use serde_json::json;
use url::Url;

use super::invalid;
use crate::identity::oidc::settings::IssuerSettings;
use crate::outbound::Trust;

const MATCH_ANY: &str = "MatchAny";

/// Finds what is wrong with it.
pub(super) fn check(issuer: &IssuerSettings, own_issuer: &str, path: &Path, errors: &mut Vec<FieldError>) {
    match issuer.url.as_str() {
        "" => errors.push(FieldError::required(&path.child("url"), "")),
        url => check_url(url, Some(own_issuer), &path.child("url"), errors),
    }
    check_discovery_url(issuer, &path.child("discoveryURL"), errors);
    check_audiences(issuer, path, errors);
    let pem = &issuer.certificate_authority;
    if !pem.is_empty() && Trust::check_authorities(pem).is_err() {
        let why = "data does not contain any valid RSA or ECDSA certificates";
        errors.push(invalid(&path.child("certificateAuthority"), "<omitted>", why));
    }
    if !issuer.egress_selector_type.is_empty() {
        let why = "egress selectors are not supported: issuers are asked directly";
        errors.push(invalid(&path.child("egressSelectorType"), &issuer.egress_selector_type, why));
    }
}

fn check_discovery_url(issuer: &IssuerSettings, path: &Path, errors: &mut Vec<FieldError>) {
    let (url, discovery_url) = (&issuer.url, &issuer.discovery_url);
    if discovery_url.is_empty() {
        return;
    }
    if !url.is_empty() && url.trim_end_matches('/') == discovery_url.trim_end_matches('/') {
        errors.push(invalid(path, discovery_url, "discoveryURL must be different from URL"));
    }
    check_url(discovery_url, None, path, errors);
}

/// Nobody else may be the issuer of service accounts' tokens.
fn check_url(text: &str, own_issuer: Option<&str>, path: &Path, errors: &mut Vec<FieldError>) {
    if own_issuer == Some(text) {
        let why = format!("URL must not overlap with disallowed issuers: [{text}]");
        errors.push(invalid(path, text, &why));
    }
    let url = match Url::parse(text) {
        Ok(url) => url,
        // What Go takes for a URL of nothing but a path.
        Err(url::ParseError::RelativeUrlWithoutBase) => {
            return errors.push(invalid(path, text, "URL scheme must be https"));
        }
        Err(error) => return errors.push(invalid(path, text, &format!("parse {text:?}: {error}"))),
    };
    let rules = [
        (url.scheme() != "https", "URL scheme must be https"),
        (!url.username().is_empty() || url.password().is_some(), "URL must not contain a username or password"),
        (url.query().is_some_and(|query| !query.is_empty()), "URL must not contain a query"),
        (url.fragment().is_some_and(|fragment| !fragment.is_empty()), "URL must not contain a fragment"),
    ];
    errors.extend(rules.into_iter().filter(|(broken, _)| *broken).map(|(_, why)| invalid(path, text, why)));
}

fn check_audiences(issuer: &IssuerSettings, path: &Path, errors: &mut Vec<FieldError>) {
    let (audiences, policy) = (&issuer.audiences, &issuer.audience_match_policy);
    let (path, of_policy) = (path.child("audiences"), path.child("audienceMatchPolicy"));
    if audiences.is_empty() {
        return errors.push(FieldError::required(&path, &format!("at least one {path} is required")));
    }
    let mut seen = HashSet::new();
    for (index, audience) in audiences.iter().enumerate() {
        if audience.is_empty() {
            errors.push(FieldError::required(&path.index(index), ""));
        }
        if !seen.insert(audience) {
            errors.push(FieldError::duplicate(&path.index(index), &json!(audience)));
        }
    }
    if audiences.len() > 1 && policy != MATCH_ANY {
        errors.push(invalid(&of_policy, policy, "audienceMatchPolicy must be MatchAny for multiple audiences"));
    }
    if audiences.len() == 1 && !policy.is_empty() && policy != MATCH_ANY {
        errors.push(invalid(&of_policy, policy, "audienceMatchPolicy must be empty or MatchAny for single audience"));
    }
}
