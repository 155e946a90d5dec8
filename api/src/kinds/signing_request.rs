//! Rules of certificate signing requests.
//!
//! Who asks (`spec.username`, `uid`, `groups`, `extra`) is for the server to fill in, and certificates are for the
//! signer to read: here the request only has to be a PEM block of the right kind.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::check::Errors;
use super::generation;
use super::json::{carry_over, has, integer, list, part, text, texts};
use super::table::{AGE, age, column, or_none};
use crate::catalog::{Column, RowCells, Rules};
use crate::duration;
use crate::field::{FieldError, Path};
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

/// The rules of the row.
pub static RULES: Rules = Rules {
    prepare_create: |request| {
        generation::none(request);
        request["status"] = json!({});
    },
    // Nobody changes what was asked, nor by this way what was answered.
    prepare_update: |new, old| {
        carry_over(new, old, "spec");
        carry_over(new, old, "status");
    },
    validate,
    validate_status: |new, old| {
        let mut errors = conditions(new);
        let verdict = |request: &Value| -> Vec<Value> {
            let all = list(request, "status.conditions").iter();
            all.filter(|c| matches!(text(c, "type"), "Approved" | "Denied")).cloned().collect()
        };
        for kind in ["Approved", "Denied"] {
            let has = |request: &Value| verdict(request).iter().any(|c| text(c, "type") == kind);
            let path = Path::root("status").child("conditions");
            match (has(new), has(old)) {
                (true, false) => {
                    errors.forbidden(&path, &format!("updates may not add a condition of type \"{kind}\""));
                }
                (false, true) => {
                    errors.forbidden(&path, &format!("updates may not remove a condition of type \"{kind}\""));
                }
                _ => {}
            }
        }
        let certificate = part(old, "status.certificate");
        if !certificate.is_null() && certificate != part(new, "status.certificate") {
            let path = Path::root("status").child("certificate");
            errors.forbidden(&path, "updates may not set certificate content once it is set");
        }
        errors.0
    },
    selectable: &[("spec.signerName", |request| text(request, "spec.signerName").to_string())],
    columns: COLUMNS,
    cells,
    ..Rules::GENERIC
};

const COLUMNS: &[Column] = &[
    AGE,
    column(
        "SignerName",
        "signerName indicates the requested signer, and is a qualified name.\n\nList/watch requests for \
             CertificateSigningRequests can filter on this field using a \"spec.signerName=NAME\" \
             fieldSelector.\n\nWell-known Kubernetes signers are:\n 1. \"kubernetes.io/kube-apiserver-client\": \
             issues client certificates that can be used to authenticate to kube-apiserver.\n  Requests for this \
             signer are never auto-approved by kube-controller-manager, can be issued by the \"csrsigning\" \
             controller in kube-controller-manager.\n 2. \"kubernetes.io/kube-apiserver-client-kubelet\": issues \
             client certificates that kubelets use to authenticate to kube-apiserver.\n  Requests for this signer \
             can be auto-approved by the \"csrapproving\" controller in kube-controller-manager, and can be issued \
             by the \"csrsigning\" controller in kube-controller-manager.\n 3. \"kubernetes.io/kubelet-serving\" \
             issues serving certificates that kubelets use to serve TLS endpoints, which kube-apiserver can connect \
             to securely.\n  Requests for this signer are never auto-approved by kube-controller-manager, and can \
             be issued by the \"csrsigning\" controller in kube-controller-manager.\n\nMore details are available \
             at \
             https://k8s.io/docs/reference/access-authn-authz/certificate-signing-requests/#kubernetes-signers\n\nCustom \
             signerNames can also be specified. The signer defines:\n 1. Trust distribution: how trust (CA bundles) \
             are distributed.\n 2. Permitted subjects: and behavior when a disallowed subject is requested.\n 3. \
             Required, permitted, or forbidden x509 extensions in the request (including whether subjectAltNames \
             are allowed, which types, restrictions on allowed values) and behavior when a disallowed extension is \
             requested.\n 4. Required, permitted, or forbidden key usages / extended key usages.\n 5. \
             Expiration/certificate lifetime: whether it is fixed by the signer, configurable by the admin.\n 6. \
             Whether or not requests for CA certificates are allowed.",
    ),
    column(
        "Requestor",
        "request contains an x509 certificate signing request encoded in a \"CERTIFICATE REQUEST\" PEM block. \
             When serialized as JSON or YAML, the data is additionally base64-encoded.",
    ),
    column(
        "RequestedDuration",
        "expirationSeconds is the requested duration of validity of the issued certificate. The certificate \
             signer may issue a certificate with a different validity duration so a client must check the delta \
             between the notBefore and and notAfter fields in the issued certificate to determine the actual \
             duration.\n\nThe v1.22+ in-tree implementations of the well-known Kubernetes signers will honor this \
             field as long as the requested duration is not greater than the maximum duration they will honor per \
             the --cluster-signing-duration CLI flag to the Kubernetes controller manager.\n\nCertificate signers \
             may not honor this field for various reasons:\n\n  1. Old signer that is unaware of the field (such as \
             the in-tree\n     implementations prior to v1.22)\n  2. Signer whose configured maximum is shorter \
             than the requested duration\n  3. Signer whose configured minimum is longer than the requested \
             duration\n\nThe minimum valid value for expirationSeconds is 600, i.e. 10 minutes.",
    ),
    column(
        "Condition",
        "conditions applied to the request. Known conditions are \"Approved\", \"Denied\", and \"Failed\".",
    ),
];

fn cells(request: &Value, now_seconds: i64) -> RowCells {
    let lasts = match has(request, "spec.expirationSeconds") {
        true => duration::human(integer(request, "spec.expirationSeconds")),
        false => String::new(),
    };
    let cells = vec![
        age(request, now_seconds),
        or_none(text(request, "spec.signerName")),
        json!(text(request, "spec.username")),
        or_none(&lasts),
        json!(condition(request)),
    ];
    RowCells { cells }
}

/// All errors in a write to the `approval` of a request: a verdict is given once, and no certificate with it.
pub fn validate_approval(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = conditions(new);
    let path = Path::root("status");
    if part(new, "status.certificate") != part(old, "status.certificate") {
        errors.forbidden(&path.child("certificate"), "updates may not set certificate content");
    }
    let has = |request: &Value, kind: &str| list(request, "status.conditions").iter().any(|c| text(c, "type") == kind);
    for kind in ["Approved", "Denied", "Failed"] {
        let verb = match (has(new, kind), has(old, kind)) {
            (false, true) => "remove",
            (true, false) if kind == "Failed" => "add",
            _ => continue,
        };
        let detail = format!("updates may not {verb} a condition of type \"{kind}\"");
        errors.forbidden(&path.child("conditions"), &detail);
    }
    errors.0
}

/// `Approved,Issued`
fn condition(request: &Value) -> String {
    let is = |kind: &str| list(request, "status.conditions").iter().any(|c| text(c, "type") == kind);
    let verdict = if is("Denied") {
        "Denied"
    } else if is("Approved") {
        "Approved"
    } else {
        "Pending"
    };
    let failed = if is("Failed") { ",Failed" } else { "" };
    let issued = if text(request, "status.certificate").is_empty() { "" } else { ",Issued" };
    format!("{verdict}{failed}{issued}")
}

fn validate(request: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, spec) = (Path::root("spec"), part(request, "spec"));
    if let Some(detail) = pem_error(text(&spec, "request")) {
        errors.invalid(&path.child("request"), &text(&spec, "request"), detail);
    }
    let usages = texts(&spec, "usages");
    if usages.is_empty() {
        errors.required(&path.child("usages"), "usages must be provided");
    }
    for (index, usage) in usages.iter().enumerate() {
        let path = path.child("usages").index(index);
        errors.one_of_if_set(&path, Some(usage), USAGES);
        if usages[..index].contains(usage) {
            errors.duplicate(&path, usage);
        }
    }
    signer(&mut errors, text(&spec, "signerName"), &path.child("signerName"));
    let seconds = integer(&spec, "expirationSeconds");
    if has(&spec, "expirationSeconds") && seconds < MIN_SECONDS {
        let detail = "may not specify a duration less than 600 seconds (10 minutes)";
        errors.invalid(&path.child("expirationSeconds"), &seconds, detail);
    }
    errors.0.extend(conditions(request).0);
    errors.0
}

/// The request is base64 of PEM of DER, of which the first two layers are looked at.
fn pem_error(request: &str) -> Option<&'static str> {
    const WRONG: &str = "PEM block type must be CERTIFICATE REQUEST";
    let Some(pem) = STANDARD.decode(request).ok().and_then(|bytes| String::from_utf8(bytes).ok()) else {
        return Some(WRONG);
    };
    let body = pem
        .split_once("-----BEGIN CERTIFICATE REQUEST-----")
        .and_then(|(_, rest)| rest.split_once("-----END CERTIFICATE REQUEST-----").map(|(body, _)| body));
    let Some(body) = body else { return Some(WRONG) };
    let der = STANDARD.decode(body.split_whitespace().collect::<String>());
    // 0x30 begins the sequence that every request is.
    match der.ok().and_then(|der| der.first().copied()) {
        Some(0x30) => None,
        _ => Some("asn1: structure error: malformed certificate request"),
    }
}

/// `example.com/signer`
fn signer(errors: &mut Errors, name: &str, path: &Path) {
    const DETAIL: &str = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
    match name.split('/').collect::<Vec<_>>().as_slice() {
        [""] => errors.required(path, ""),
        ["kubernetes.io", "legacy-unknown"] => {
            errors.invalid(path, &name, "the legacy signerName is not allowed via this API version");
        }
        [domain, rest] if domain.contains('.') && !rest.is_empty() => {
            for detail in names::dns1123_subdomain(domain) {
                errors.invalid(path, &name, &format!("validating label \"{domain}\": {detail}"));
            }
            errors.0.extend(
                names::dns1123_subdomain(rest)
                    .iter()
                    .map(|d| FieldError::invalid(path, &json!(name), &format!("validating label \"{rest}\": {d}"))),
            );
        }
        _ => errors.invalid(path, &name, DETAIL),
    }
}

fn conditions(request: &Value) -> Errors {
    let mut errors = Errors::default();
    let (path, mut seen) = (Path::root("status").child("conditions"), BTreeSet::new());
    for (index, condition) in list(request, "status.conditions").iter().enumerate() {
        let (path, kind) = (path.index(index), text(condition, "type"));
        if kind.is_empty() {
            errors.required(&path.child("type"), "");
        }
        match (kind, text(condition, "status")) {
            ("Approved" | "Denied" | "Failed", "") => errors.required(&path.child("status"), ""),
            ("Approved" | "Denied" | "Failed", status) => {
                errors.one_of_if_set(&path.child("status"), Some(status), &["True"]);
            }
            _ => {}
        }
        let opposite = match kind {
            "Approved" => "Denied",
            "Denied" => "Approved",
            _ => "",
        };
        if seen.contains(opposite) {
            let detail = "Approved and Denied conditions are mutually exclusive";
            errors.invalid(&path.child("type"), &kind, detail);
        }
        if !seen.insert(kind) {
            errors.duplicate(&path.child("type"), &kind);
        }
    }
    errors
}
