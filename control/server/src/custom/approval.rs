//! Groups that belong to Kubernetes: whoever defines resources in them says who has approved of it (KEP-1111).

use serde_json::Value;

use super::conditions::Condition;

const CONFORMANT: &str = "KubernetesAPIApprovalPolicyConformant";
const ANNOTATION: &str = "api-approved.kubernetes.io";
const POLICY: &str = "https://github.com/kubernetes/enhancements/pull/1111";

/// The condition that a definition of such a group has.
pub(super) fn condition(definition: &Value) -> Option<Condition> {
    let group = definition["spec"]["group"].as_str().unwrap_or_default();
    let protected = ["k8s.io", "kubernetes.io"]
        .iter()
        .any(|domain| group.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')));
    if !protected {
        return None;
    }
    let annotation = definition["metadata"]["annotations"][ANNOTATION].as_str().unwrap_or_default();
    let (status, reason, message) = if annotation.is_empty() {
        let text = format!("protected groups must have approval annotation \"{ANNOTATION}\", see {POLICY}");
        (false, "MissingAnnotation", text)
    } else if annotation.starts_with("unapproved") {
        (false, "UnapprovedAnnotation", format!("not approved: {}", serde_json::json!(annotation)))
    } else if is_url(annotation) {
        (true, "ApprovedAnnotation", format!("approved in {annotation}"))
    } else {
        let text = format!(
            "protected groups must have approval annotation \"{ANNOTATION}\" with either a URL or a reason starting \
             with \"unapproved\", see {POLICY}"
        );
        (false, "InvalidAnnotation", text)
    };
    Some(Condition::new(CONFORMANT, status, reason, message))
}

fn is_url(text: &str) -> bool {
    let parsed = text.parse::<http::Uri>();
    parsed.is_ok_and(|uri| uri.scheme().is_some() && uri.host().is_some_and(|host| !host.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_groups_of_kubernetes_need_approval() {
        let of = |group: &str, annotation: &str| {
            let definition = json!({
                "metadata": { "annotations": { ANNOTATION: annotation } }, "spec": { "group": group },
            });
            condition(&definition).map(|c| c.reason)
        };
        assert_eq!(of("example.com", ""), None);
        assert_eq!(of("notk8s.io", ""), None);
        assert_eq!(of("x.k8s.io", "").as_deref(), Some("MissingAnnotation"));
        assert_eq!(of("x.k8s.io", "unapproved, experimental").as_deref(), Some("UnapprovedAnnotation"));
        assert_eq!(of("x.k8s.io", "https://github.com/k/k/pull/1").as_deref(), Some("ApprovedAnnotation"));
        assert_eq!(of("kubernetes.io", "yes").as_deref(), Some("InvalidAnnotation"));
    }
}
