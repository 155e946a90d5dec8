//! The answer to who may not.

use coracle_api::{ApiError, Reason};

use super::{Attributes, Subject};
use crate::identity::User;

/// The 403 that a refused user gets, in Kubernetes' words.
pub(crate) fn forbidden(user: &User, attributes: &Attributes<'_>, reason: &str) -> ApiError {
    let verb = attributes.verb;
    let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    match attributes.target {
        Subject::Path(path) => {
            let message = format!("forbidden: User \"{}\" cannot {verb} path \"{path}\"{reason}", user.name);
            ApiError::new(Reason::Forbidden, message)
        }
        Subject::Resource { group, resource, subresource, namespace, name } => {
            let plural =
                if subresource.is_empty() { resource.to_string() } else { format!("{resource}/{subresource}") };
            let place = if namespace.is_empty() {
                "at the cluster scope".to_string()
            } else {
                format!("in the namespace \"{namespace}\"")
            };
            let qualified = if group.is_empty() { resource.to_string() } else { format!("{resource}.{group}") };
            let named = if name.is_empty() { String::new() } else { format!(" \"{name}\"") };
            let message = format!(
                "{qualified}{named} is forbidden: User \"{}\" cannot {verb} resource \"{plural}\" in API group \
                 \"{group}\" {place}{reason}",
                user.name
            );
            let mut error = ApiError::new(Reason::Forbidden, message);
            for (field, value) in [("name", name), ("group", group), ("kind", resource)] {
                if !value.is_empty() {
                    error.details.insert(field.into(), value.into());
                }
            }
            error
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_is_told_what_and_why() {
        let target = Subject::Resource { group: "", resource: "pods", subresource: "", namespace: "default", name: "" };
        let (jane, attributes) = (User::new("jane", []), Attributes::new("list", target));
        let text =
            r#"pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "default""#;
        assert_eq!(forbidden(&jane, &attributes, "").message, text);
        let missing = r#"RBAC: clusterrole.rbac.authorization.k8s.io "reader" not found"#;
        assert_eq!(forbidden(&jane, &attributes, missing).message, format!("{text}: {missing}"));
        let path = Attributes::new("get", Subject::Path("/metrics"));
        assert_eq!(forbidden(&jane, &path, "").message, r#"forbidden: User "jane" cannot get path "/metrics""#);
    }
}
