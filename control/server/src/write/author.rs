//! Who a write is booked on: the field manager of a request.

use coracle_api::decode::FieldValidation;
use coracle_api::field::{ErrorType, FieldError, Path};
use coracle_api::patch::PatchKind;
use coracle_api::{ApiError, ApiResult};
use http::HeaderValue;
use http::header::{CONTENT_TYPE, USER_AGENT};

use super::strategy::Author;
use crate::http::{Params, Verb};
use crate::hub::Call;
use crate::identity::User;

/// Longest name of a field manager, in bytes (`validation.FieldManagerMaxLength`).
const MAX_MANAGER_BYTES: usize = 128;

/// The author of a request: `fieldManager`, or else what its user agent begins with. 422 for options that are none.
pub(crate) fn author(call: &Call) -> ApiResult<Author> {
    let subresource = call.target.subresource_name();
    let given = call.params.get("fieldManager").filter(|name| !name.is_empty());
    let mut errors = patch_errors(call, given.is_some());
    errors.extend(given.map(name_errors).into_iter().flatten());
    errors.extend(value_errors(&call.params));
    if !errors.is_empty() {
        let options = match call.verb {
            Verb::Create => "CreateOptions",
            Verb::Patch => "PatchOptions",
            _ => "UpdateOptions",
        };
        return Err(ApiError::invalid_kind(("meta.k8s.io", options), "", &errors));
    }
    let manager = match given {
        Some(name) => name.to_string(),
        None => {
            let agent = call.headers.get(USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
            let short = product(&String::from_utf8_lossy(agent));
            if short.is_empty() { component(&call.user) } else { short }
        }
    };
    Ok(Author { manager, subresource, applied: false })
}

/// What only an apply may say, and what it must.
fn patch_errors(call: &Call, is_named: bool) -> Vec<FieldError> {
    let header = call.headers.get(CONTENT_TYPE).and_then(|header| header.to_str().ok()).unwrap_or_default();
    let is_apply = PatchKind::from_content_type(header) == Some(PatchKind::Apply);
    match call.verb {
        Verb::Patch if is_apply && !is_named => {
            vec![FieldError::required(&Path::root("fieldManager"), "is required for apply patch")]
        }
        Verb::Patch if !is_apply && call.params.get("force").is_some() => {
            vec![FieldError::forbidden(&Path::root("force"), "may not be specified for non-apply patch")]
        }
        _ => Vec::new(),
    }
}

fn name_errors(name: &str) -> Vec<FieldError> {
    let path = Path::root("fieldManager");
    let mut errors = Vec::new();
    if name.len() > MAX_MANAGER_BYTES {
        errors.push(FieldError::too_long(&path, MAX_MANAGER_BYTES));
    }
    // One is enough of an answer to a name that has no end.
    if let Some((at, c)) = name.char_indices().find(|(_, c)| !is_printable(*c)) {
        let why = format!("invalid character U+{:04X} (at position {at})", u32::from(c));
        errors.push(FieldError::invalid(&path, &name.into(), &why));
    }
    errors
}

/// What other options may be.
fn value_errors(params: &Params) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let dry_run: Vec<&str> = params.all("dryRun").filter(|value| !value.is_empty()).collect();
    if dry_run.iter().any(|value| *value != "All") {
        let shown: Vec<String> = dry_run.iter().map(|value| format!("{value:?}")).collect();
        let body = format!("Unsupported value: []string{{{}}}: supported values: \"All\"", shown.join(", "));
        errors.push(FieldError { kind: ErrorType::NotSupported, path: Path::root("dryRun"), body });
    }
    if let Some(given) = params.get("fieldValidation")
        && FieldValidation::parse(given).is_none()
    {
        let supported = ["", "Ignore", "Strict", "Warn"];
        errors.push(FieldError::not_supported(&Path::root("fieldValidation"), &given.into(), &supported));
    }
    errors
}

/// As `unicode.IsPrint` has it: the only space is the plain one.
fn is_printable(c: char) -> bool {
    c == ' ' || !(c.is_control() || c.is_whitespace() || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{feff}'))
}

/// What a user agent begins with: `kubectl` of `kubectl/v1.36.0 (linux/amd64)`.
fn product(agent: &str) -> String {
    let mut product = String::new();
    for c in agent.split('/').next().unwrap_or_default().chars().filter(|c| is_printable(*c)) {
        if product.len() + c.len_utf8() > MAX_MANAGER_BYTES {
            break;
        }
        product.push(c);
    }
    product
}

/// The name of a request without a user agent: the components of this process send none, and are called what their
/// counterparts of other clusters are.
fn component(user: &User) -> String {
    match user.name.strip_prefix("system:").filter(|_| user.in_process) {
        Some(name) if name.starts_with("node:") => "kubelet".into(),
        Some("apiserver") => "kube-apiserver".into(),
        Some(name) => name.into(),
        None => "unknown".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_printable() {
        let texts = |name: &str| name_errors(name).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(texts("kubectl apply").is_empty());
        assert_eq!(texts(&"x".repeat(129)), ["fieldManager: Too long: may not be more than 128 bytes"]);
        assert_eq!(texts("a\tb"), [r#"fieldManager: Invalid value: "a\tb": invalid character U+0009 (at position 1)"#]);
    }

    #[test]
    fn options_have_few_values() {
        let texts = |query: &str| {
            let errors = value_errors(&Params::parse(Some(query)));
            errors.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert!(texts("dryRun=All&fieldValidation=Strict").is_empty());
        assert_eq!(
            texts("dryRun=Some&fieldValidation=strict"),
            [
                r#"dryRun: Unsupported value: []string{"Some"}: supported values: "All""#,
                r#"fieldValidation: Unsupported value: "strict": supported values: "", "Ignore", "Strict", "Warn""#,
            ]
        );
    }

    #[test]
    fn a_user_agent_begins_with_the_product() {
        assert_eq!(product("kubectl/v1.36.0 (linux/amd64)"), "kubectl");
        assert_eq!(product("a\u{7}b c/1"), "ab c");
        assert_eq!(product(&"ä".repeat(100)).len(), 128);
    }

    #[test]
    fn components_of_this_process_have_the_names_that_people_know() {
        let name = |user: &str, in_process: bool| {
            let mut user = User::new(user, []);
            user.in_process = in_process;
            component(&user)
        };
        assert_eq!(name("system:kube-controller-manager", true), "kube-controller-manager");
        assert_eq!(name("system:node:n1", true), "kubelet");
        assert_eq!(name("system:apiserver", true), "kube-apiserver");
        assert_eq!(name("system:node:n1", false), "unknown");
    }
}
