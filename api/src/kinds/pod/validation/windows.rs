//! Options of Windows containers.

use std::sync::LazyLock;

use k8s_openapi::api::core::v1::{PodSpec, WindowsSecurityContextOptions};
use regex::Regex;

use super::system::each_container;
use crate::field::Path;
use crate::kinds::check::Errors;
use crate::kinds::json::{json, part};
use crate::names;

const CREDENTIALS_LIMIT_BYTES: usize = 64 * 1024;
const DOMAIN_LIMIT_BYTES: usize = 256;
const USER_LIMIT_BYTES: usize = 104;
const BAD_IN_USERS: &str = "\"/\\:;|=,+*?<>@[]";

/// Domains by NetBIOS and by DNS.
static DOMAINS: LazyLock<[Option<Regex>; 2]> = LazyLock::new(|| {
    let label = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?";
    let dns = format!(r"^{label}(?:\.{label})*$");
    [Regex::new(r#"^[^\\/:\*\?"<>|\.][^\\/:\*\?"<>|]{0,14}$"#).ok(), Regex::new(&dns).ok()]
});

/// `windowsOptions`
pub(super) fn options(errors: &mut Errors, options: Option<&WindowsSecurityContextOptions>, path: &Path) {
    let Some(options) = options else { return };
    if let Some(name) = &options.gmsa_credential_spec_name {
        errors.named(&path.child("gmsaCredentialSpecName"), name, names::dns1123_subdomain);
    }
    if let Some(credentials) = &options.gmsa_credential_spec {
        let path = path.child("gmsaCredentialSpec");
        if credentials.is_empty() {
            errors.invalid(&path, credentials, "gmsaCredentialSpec cannot be an empty string");
        } else if credentials.len() > CREDENTIALS_LIMIT_BYTES {
            errors.invalid(&path, credentials, "gmsaCredentialSpec size must be under 64 KiB");
        }
    }
    if let Some(name) = &options.run_as_user_name {
        for detail in user_errors(name) {
            errors.invalid(&path.child("runAsUserName"), name, &format!("runAsUserName{detail}"));
        }
    }
}

/// What is wrong with `[DOMAIN\]USER`.
fn user_errors(name: &str) -> Vec<String> {
    if name.is_empty() {
        return vec![" cannot be an empty string".into()];
    }
    if name.bytes().any(|b| b.is_ascii_control()) {
        return vec![" cannot contain control characters".into()];
    }
    let (domain, user) = match name.split('\\').collect::<Vec<_>>().as_slice() {
        [user] => (None, *user),
        [domain, user] => (Some(*domain), *user),
        _ => return vec![" cannot contain more than one backslash".into()],
    };
    let mut found = Vec::new();
    if let Some(domain) = domain {
        if domain.len() >= DOMAIN_LIMIT_BYTES {
            found.push(format!("'s Domain length must be under {DOMAIN_LIMIT_BYTES} characters"));
        }
        if !DOMAINS.iter().flatten().any(|form| form.is_match(domain)) {
            found.push("'s Domain doesn't match the NetBios nor the DNS format".into());
        }
    }
    if user.is_empty() {
        found.push("'s User cannot be empty".into());
    } else if user.len() > USER_LIMIT_BYTES {
        found.push(format!("'s User length must not be longer than {USER_LIMIT_BYTES} characters"));
    }
    if !user.is_empty() && user.chars().all(|c| matches!(c, '.' | ' ')) {
        found.push("'s User cannot contain only periods or spaces".into());
    }
    if user.contains(|c| BAD_IN_USERS.contains(c)) {
        found.push(format!("'s User cannot contain the following characters: {BAD_IN_USERS}"));
    }
    found
}

/// Containers that are processes of the host: all of a pod's, or none, and on the host's network (KEP-1981).
pub(super) fn host_process(errors: &mut Errors, spec: &PodSpec, path: &Path) {
    let pod = json(spec);
    let setting = |holder: &serde_json::Value| part(holder, "securityContext.windowsOptions.hostProcess").as_bool();
    let of_pod = setting(&pod);
    let (mut all, mut on_host) = (0, 0);
    each_container(&pod, path, |container, path| {
        all += 1;
        let own = setting(container);
        if let (Some(of_pod), Some(own)) = (of_pod, own)
            && of_pod != own
        {
            let path = path.child("securityContext").child("windowsOptions").child("hostProcess");
            let detail = format!("pod hostProcess value must be identical if both are specified, was {of_pod}");
            errors.invalid(&path, &own, &detail);
        }
        on_host += usize::from(own.or(of_pod) == Some(true));
    });
    if on_host == 0 {
        return;
    }
    if on_host != all {
        let detail = "If pod contains any hostProcess containers then all containers must be HostProcess containers";
        errors.invalid(path, &"", detail);
    }
    if spec.host_network != Some(true) {
        let detail = "hostNetwork must be true if pod contains any hostProcess containers";
        errors.invalid(&path.child("hostNetwork"), &false, detail);
    }
}
