//! What an API server's refusal says.

/// Whether the server answered with this HTTP code.
pub fn is_code(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}

/// The server's own words, without the client's around them.
pub fn message(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

/// Whether nobody answered who could have: no connection, no answer in time, or the word of a server (or of a proxy in
/// front of it) that can't serve. A refusal is an answer.
pub fn is_unreachable(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => status.code >= 500,
        kube::Error::Service(_) | kube::Error::HyperError(_) => true,
        _ => false,
    }
}

/// Whether the write was refused because the namespace is being deleted: nobody needs to hear of that.
pub fn is_namespace_terminating(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) if status.code == 403 => status
            .details
            .as_ref()
            .is_some_and(|details| details.causes.iter().any(|cause| cause.reason == "NamespaceTerminating")),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: serde_json::Value) -> kube::Error {
        kube::Error::Api(serde_json::from_value(status).unwrap())
    }

    #[test]
    fn refusals_are_told_apart() {
        let gone = refusal(serde_json::json!({"code": 404, "message": "pods \"a\" not found", "reason": "NotFound"}));
        assert!(is_code(&gone, 404) && !is_code(&gone, 409));
        assert!(!is_unreachable(&gone) && is_unreachable(&kube::Error::Service("connection refused".into())));
        assert!(is_unreachable(&refusal(serde_json::json!({"code": 503, "message": "starting"}))));
        assert_eq!(message(&gone), "pods \"a\" not found");
        assert!(!is_namespace_terminating(&gone));
        let ending = refusal(serde_json::json!({"code": 403, "message": "m", "reason": "Forbidden",
            "details": {"causes": [{"reason": "NamespaceTerminating", "message": "m", "field": "metadata.namespace"}]}}));
        assert!(is_namespace_terminating(&ending));
    }
}
