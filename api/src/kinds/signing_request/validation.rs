//! Validation of certificate signing requests: what may be asked for, and how it is answered.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::signature;
use crate::field::{FieldError, Path};
use crate::kinds::check::{Errors, same};
use crate::kinds::json::{has, integer, list, part, text, texts};
use crate::names;

/// Shortest life that can be asked for, in seconds.
const MIN_SECONDS: i64 = 600;
/// What a certificate can be used for (RFC 5280, and names of older days).
const USAGES: &[&str] = &[
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];

/// Conditions that are either true or not there.
const VERDICTS: [&str; 3] = ["Approved", "Denied", "Failed"];
const STATUSES: &[&str] = &["False", "True", "Unknown"];
const DOMAIN_LIMIT_BYTES: usize = 253;
/// A domain, a slash, a namespace, a dot and a name.
const SIGNER_LIMIT_BYTES: usize = 571;

/// All errors in the request by itself.
pub(super) fn validate(request: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, spec) = (Path::root("spec"), part(request, "spec"));
    let pem = STANDARD.decode(text(&spec, "request")).unwrap_or_default();
    if let Some(detail) = signature::error(&pem) {
        errors.invalid(&path.child("request"), &text(&spec, "request"), &detail);
    }
    let (usages_path, usages) = (path.child("usages"), texts(&spec, "usages"));
    if usages.is_empty() {
        errors.required(&usages_path, "usages must be provided");
    }
    for (index, usage) in usages.iter().enumerate() {
        errors.one_of_if_set(&usages_path.index(index), Some(usage), USAGES);
    }
    for (index, usage) in usages.iter().enumerate().filter(|(index, usage)| usages[..*index].contains(usage)) {
        errors.duplicate(&usages_path.index(index), usage);
    }
    signer(&mut errors, text(&spec, "signerName"), &path.child("signerName"));
    let seconds = integer(&spec, "expirationSeconds");
    if has(&spec, "expirationSeconds") && seconds < MIN_SECONDS {
        let detail = "may not specify a duration less than 600 seconds (10 minutes)";
        errors.invalid(&path.child("expirationSeconds"), &seconds, detail);
    }
    conditions(&mut errors, request);
    if let Some(detail) = certificate_error(text(request, "status.certificate")) {
        errors.invalid(&Path::root("status").child("certificate"), &"<certificate data>", &detail);
    }
    errors.0
}

fn of_type<'a>(request: &'a Value, kind: &str) -> Vec<&'a Value> {
    list(request, "status.conditions").iter().filter(|condition| text(condition, "type") == kind).collect()
}

/// A verdict, once given, stays.
fn removed(errors: &mut Errors, new: &Value, old: &Value) {
    let path = Path::root("status").child("conditions");
    for kind in VERDICTS.into_iter().filter(|kind| of_type(new, kind).len() < of_type(old, kind).len()) {
        errors.forbidden(&path, &format!("updates may not remove a condition of type \"{kind}\""));
    }
}

/// All errors in a write to the `status` of a request, which is the signer's: the verdict is not his.
pub(super) fn validate_status(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Errors(validate(new));
    removed(&mut errors, new, old);
    let path = Path::root("status");
    for kind in ["Approved", "Denied"] {
        let (now, before) = (of_type(new, kind), of_type(old, kind));
        let verb = if now.len() > before.len() {
            "add"
        } else if now.len() == before.len() && !now.iter().zip(&before).all(|(now, before)| same(now, before)) {
            "modify"
        } else {
            continue;
        };
        let detail = format!("updates may not {verb} a condition of type \"{kind}\"");
        errors.forbidden(&path.child("conditions"), &detail);
    }
    let before = text(old, "status.certificate");
    if !before.is_empty() && before != text(new, "status.certificate") {
        errors.forbidden(&path.child("certificate"), "updates may not modify existing certificate content");
    }
    errors.0
}

/// All errors in a write to the `approval` of a request: a verdict is given once, and no certificate with it.
pub fn validate_approval(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Errors(validate(new));
    removed(&mut errors, new, old);
    if text(new, "status.certificate") != text(old, "status.certificate") {
        let path = Path::root("status").child("certificate");
        errors.forbidden(&path, "updates may not set certificate content");
    }
    errors.0
}

fn conditions(errors: &mut Errors, request: &Value) {
    let (path, mut seen) = (Path::root("status").child("conditions"), BTreeSet::new());
    for (index, condition) in list(request, "status.conditions").iter().enumerate() {
        let (path, kind) = (path.index(index), text(condition, "type"));
        if kind.is_empty() {
            errors.required(&path.child("type"), "");
        }
        let statuses = if VERDICTS.contains(&kind) { &["True"] } else { STATUSES };
        errors.choice(&path, condition, "status", statuses);
        let opposite = match kind {
            "Approved" => "Denied",
            "Denied" => "Approved",
            _ => "",
        };
        if !opposite.is_empty() && seen.contains(opposite) {
            let detail = "Approved and Denied conditions are mutually exclusive";
            errors.invalid(&path.child("type"), &kind, detail);
        }
        if !seen.insert(kind) {
            errors.duplicate(&path.child("type"), &kind);
        }
    }
}

/// Whether the bytes begin like the sequence that every request and every certificate is.
fn is_sequence(base64: &str) -> bool {
    let der = STANDARD.decode(base64.split_whitespace().collect::<String>());
    der.is_ok_and(|der| der.first() == Some(&0x30))
}

fn decoded(base64: &str) -> Option<String> {
    STANDARD.decode(base64).ok().and_then(|bytes| String::from_utf8(bytes).ok())
}

/// The answer is base64 of PEM blocks, each of them a certificate.
fn certificate_error(certificate: &str) -> Option<String> {
    if certificate.is_empty() {
        return None;
    }
    let pem = decoded(certificate).unwrap_or_default();
    let blocks: Vec<&str> = pem.split("-----BEGIN ").skip(1).collect();
    if blocks.is_empty() {
        return Some("must contain at least one CERTIFICATE PEM block".into());
    }
    blocks.into_iter().find_map(|block| {
        let (kind, rest) = block.split_once("-----").unwrap_or((block, ""));
        let body = rest.split("-----END").next().unwrap_or_default();
        if kind != "CERTIFICATE" {
            Some(format!("only CERTIFICATE PEM blocks are allowed, found \"{kind}\""))
        } else if body.contains(':') {
            Some("no PEM block headers are permitted".into())
        } else {
            (!is_sequence(body)).then(|| "x509: malformed certificate".into())
        }
    })
}

/// `example.com/signer`
fn signer(errors: &mut Errors, name: &str, path: &Path) {
    match name.split('/').collect::<Vec<_>>().as_slice() {
        _ if name == "kubernetes.io/legacy-unknown" => {
            errors.invalid(path, &name, "the legacy signerName is not allowed via this API version");
            return;
        }
        [""] => return errors.required(path, "signerName must be provided"),
        [domain, rest] => {
            if domain.len() > DOMAIN_LIMIT_BYTES {
                errors.0.push(FieldError::too_long(path, DOMAIN_LIMIT_BYTES));
            }
            labels(errors, domain, names::dns1123_label, path);
            if !domain.contains('.') {
                errors.invalid(path, domain, "should be a domain with at least two segments separated by dots");
            }
            labels(errors, rest, names::dns1123_subdomain, path);
        }
        _ => {
            let detail = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
            return errors.invalid(path, &name, detail);
        }
    }
    if name.len() > SIGNER_LIMIT_BYTES {
        errors.0.push(FieldError::too_long(path, SIGNER_LIMIT_BYTES));
    }
}

/// The first label that is wrong; those after it would be wrong in the same way.
fn labels(errors: &mut Errors, text: &str, rule: fn(&str) -> Vec<String>, path: &Path) {
    let wrong = text.split('.').map(|label| (label, rule(label))).find(|(_, details)| !details.is_empty());
    if let Some((label, details)) = wrong {
        for detail in details {
            errors.invalid(path, &text, &format!("validating label \"{label}\": {detail}"));
        }
    }
}
