//! Who a write is booked on: the field manager of a request.

use coracle_api::{ApiError, ApiResult, Reason};
use http::header::USER_AGENT;

use super::strategy::Author;
use crate::hub::Call;
use crate::identity::User;

/// Longest name of a field manager, in bytes (`validation.FieldManagerMaxLength`).
const MAX_MANAGER_BYTES: usize = 128;

/// The author of a request: `fieldManager`, or else what its user agent begins with. 422 for a name that is none.
pub(crate) fn author(call: &Call) -> ApiResult<Author> {
    let subresource = call.target.subresource_name();
    let manager = match call.params.get("fieldManager") {
        Some(name) if name.len() > MAX_MANAGER_BYTES => {
            let text = format!("fieldManager: Too long: may not be more than {MAX_MANAGER_BYTES} bytes");
            return Err(ApiError::new(Reason::Invalid, text));
        }
        Some(name) if name.chars().any(char::is_control) => {
            let text = format!(
                "fieldManager: Invalid value: {}: should only contain printable characters",
                serde_json::json!(name)
            );
            return Err(ApiError::new(Reason::Invalid, text));
        }
        Some(name) => name.to_string(),
        None => {
            let agent = call.headers.get(USER_AGENT).and_then(|h| h.to_str().ok()).unwrap_or_default();
            let product = agent.split('/').next().unwrap_or_default();
            let short: String = product.chars().take(MAX_MANAGER_BYTES).collect();
            if short.is_empty() { component(&call.user) } else { short }
        }
    };
    Ok(Author { manager, subresource, applied: false })
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
