//! What a request to the node API wants to do, in terms of the API: a verb on a subresource of the Node, as kubelet has
//! it.

use http::Method;

/// Paths below which a request is for a subresource of its own.
const OWN: [(&str, &str); 4] =
    [("/stats", "stats"), ("/metrics", "metrics"), ("/logs", "log"), ("/checkpoint", "checkpoint")];
/// The same for those that `proxy` opens as well, which they were part of once.
const FINE: [(&str, &str); 4] =
    [("/pods", "pods"), ("/runningpods", "pods"), ("/healthz", "healthz"), ("/configz", "configz")];
/// Paths that lead into pods.
const CONNECTIONS: [&str; 4] = ["/exec", "/attach", "/portForward", "/run"];

/// The verb, in `SubjectAccessReview`'s words. What leads into a pod takes `create`, whichever method asks for it: a
/// WebSocket can only be asked for with GET, and may not be had for the right to look.
pub fn verb(method: &Method, path: &str) -> &'static str {
    if CONNECTIONS.iter().any(|root| is_below(path, root)) {
        return "create";
    }
    match *method {
        Method::POST => "create",
        Method::GET => "get",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "",
    }
}

/// The subresources of which one must be allowed; the last is the one that a refusal names.
pub fn subresources(path: &str) -> Vec<&'static str> {
    let find = |table: &[(&str, &'static str)]| table.iter().find(|(root, _)| is_below(path, root)).map(|(_, it)| *it);
    match (find(&OWN), find(&FINE)) {
        (Some(own), _) => vec![own],
        (_, Some(fine)) => vec![fine, "proxy"],
        _ => vec!["proxy"],
    }
}

fn is_below(path: &str, root: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_belong_to_subresources() {
        for (path, wanted) in [
            ("/stats/summary", vec!["stats"]),
            ("/metrics", vec!["metrics"]),
            ("/metrics/resource", vec!["metrics"]),
            ("/metricsx", vec!["proxy"]),
            ("/pods", vec!["pods", "proxy"]),
            ("/healthz", vec!["healthz", "proxy"]),
            ("/containerLogs/a/b/c", vec!["proxy"]),
            ("/exec/a/b/c", vec!["proxy"]),
        ] {
            assert_eq!(subresources(path), wanted, "{path}");
        }
    }

    #[test]
    fn what_leads_into_a_pod_takes_create() {
        assert_eq!(verb(&Method::GET, "/exec/a/b/c"), "create");
        assert_eq!(verb(&Method::GET, "/portForward/a/b"), "create");
        assert_eq!(verb(&Method::GET, "/containerLogs/a/b/c"), "get");
        assert_eq!(verb(&Method::OPTIONS, "/pods"), "");
    }
}
