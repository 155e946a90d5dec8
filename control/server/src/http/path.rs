//! Where a path leads: the one place that knows how Kubernetes lays out its URLs.

use std::sync::Arc;

use coracle_api::{ApiError, ApiResult, Catalog, Reason, Resource, Subresource};
use http::Method;
use percent_encoding::percent_decode_str;

/// A verb as authorizers and discovery name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Patch,
    Delete,
    DeleteCollection,
}

impl Verb {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }

    /// Whether the verb changes something.
    pub(crate) fn writes(self) -> bool {
        !matches!(self, Self::Get | Self::List | Self::Watch)
    }
}

/// What a request is about.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) resource: Arc<Resource>,
    /// Empty for cluster-scoped objects and for lists over all namespaces.
    pub(crate) namespace: String,
    /// Empty for collections.
    pub(crate) name: String,
    pub(crate) subresource: Option<Subresource>,
    /// The path began with `/watch/`, the way watches were asked for before `?watch=1`.
    pub(crate) legacy_watch: bool,
}

/// The two kinds of paths.
#[derive(Debug)]
pub(crate) enum Place {
    /// Something of the catalogue.
    Resource(Target),
    /// Discovery, documents, health.
    Other,
}

/// Finds what a path is about. Paths of the API that lead nowhere are 404 here; other paths are the router's.
pub(crate) fn resolve(catalog: &Catalog, path: &str) -> ApiResult<Place> {
    let mut segments = Vec::with_capacity(10);
    for segment in path.trim_matches('/').split('/') {
        let decoded = percent_decode_str(segment).decode_utf8();
        segments.push(decoded.map_err(|_| ApiError::bad_request("the path of the request is not UTF-8"))?);
    }
    let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
    let (group, version, rest) = match segments.as_slice() {
        ["api", version, rest @ ..] if !rest.is_empty() => ("", *version, rest),
        ["apis", group, version, rest @ ..] if !rest.is_empty() => (*group, *version, rest),
        _ => return Ok(Place::Other),
    };
    let (legacy_watch, rest) = match rest {
        ["watch", rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let found = locate(catalog, group, version, rest).ok_or_else(ApiError::no_such_path)?;
    Ok(Place::Resource(Target { legacy_watch, ..found }))
}

/// What the segments behind group and version name.
fn locate(catalog: &Catalog, group: &str, version: &str, rest: &[&str]) -> Option<Target> {
    let (namespace, rest) = match rest {
        // `namespaces/x/status` is about the namespace itself, `namespaces/x/pods` about what is inside.
        ["namespaces", _, "status" | "finalize"] | ["namespaces"] | ["namespaces", _] => (None, rest),
        ["namespaces", namespace, rest @ ..] => (Some(*namespace), rest),
        rest => (None, rest),
    };
    let (plural, name, subresource) = match rest {
        [plural] => (*plural, "", None),
        [plural, name] => (*plural, *name, None),
        [plural, name, subresource] => (*plural, *name, Some(*subresource)),
        // What follows is a path of whoever is behind the proxy.
        [plural, name, "proxy", ..] => (*plural, *name, Some("proxy")),
        _ => return None,
    };
    if group.is_empty() && plural == "bindings" && name.is_empty() {
        // The pod that is bound is named in the body.
        let resource = catalog.find(group, version, "pods")?;
        let namespace = namespace?.to_string();
        let subresource = Some(Subresource::Binding);
        return Some(Target { resource, namespace, name: String::new(), subresource, legacy_watch: false });
    }
    let resource = catalog.find(group, version, plural)?;
    if namespace.is_some() && !resource.namespaced {
        return None;
    }
    if namespace.is_none() && resource.namespaced && !name.is_empty() {
        return None;
    }
    let subresource = match subresource {
        None => None,
        Some(text) => Some(resource.subresources.iter().copied().find(|s| s.name() == text)?),
    };
    let namespace = namespace.unwrap_or_default().to_string();
    Some(Target { resource, namespace, name: name.to_string(), subresource, legacy_watch: false })
}

impl Target {
    /// The verb of a method here. 405 when the resource does not have it.
    pub(crate) fn verb(&self, method: &Method, watch: bool) -> ApiResult<Verb> {
        let verb = self.read_or_write(method, watch || self.legacy_watch).ok_or_else(not_allowed)?;
        let served = match self.subresource {
            Some(subresource) => subresource.verbs().contains(&verb.as_str()),
            None => self.resource.allows(verb.as_str()),
        };
        if !served && verb == Verb::Watch && self.resource.allows("list") {
            let resource = self.resource.qualified();
            let message = format!("watch is not supported on resources of kind \"{resource}\"");
            return Err(ApiError::new(Reason::MethodNotAllowed, message).about(&self.resource, ""));
        }
        if served { Ok(verb) } else { Err(not_allowed()) }
    }

    fn read_or_write(&self, method: &Method, watch: bool) -> Option<Verb> {
        let named = !self.name.is_empty();
        let object = named && self.subresource.is_none();
        if self.subresource == Some(Subresource::Proxy) {
            return through_proxy(method);
        }
        match *method {
            Method::GET | Method::HEAD if object && self.legacy_watch => Some(Verb::Watch),
            Method::GET | Method::HEAD if named => Some(Verb::Get),
            Method::GET | Method::HEAD if watch => Some(Verb::Watch),
            Method::GET | Method::HEAD => Some(Verb::List),
            Method::POST if !object => {
                // A namespaced object is created in a namespace; there is no such path without one.
                let placed = !self.resource.namespaced || !self.namespace.is_empty();
                placed.then_some(Verb::Create)
            }
            Method::PUT if named => Some(Verb::Update),
            Method::PATCH if named => Some(Verb::Patch),
            Method::DELETE if object => Some(Verb::Delete),
            Method::DELETE if !named => Some(Verb::DeleteCollection),
            _ => None,
        }
    }

    /// Whether what is answered can be shown as a table: reviews and what one asks of an object without seeing it can't.
    pub(crate) fn shows_tables(&self) -> bool {
        use Subresource::{Attach, Binding, Eviction, Exec, Log, PortForward, Proxy, Token};
        let opaque = [Attach, Binding, Eviction, Exec, Log, PortForward, Proxy, Token];
        !self.resource.review && self.subresource.is_none_or(|subresource| !opaque.contains(&subresource))
    }

    /// The subresource as it stands in a path, empty when there is none.
    pub(crate) fn subresource_name(&self) -> &'static str {
        self.subresource.map_or("", Subresource::name)
    }
}

/// A proxy takes every method; the verb says who may use which.
fn through_proxy(method: &Method) -> Option<Verb> {
    match *method {
        Method::GET | Method::HEAD | Method::OPTIONS => Some(Verb::Get),
        Method::POST => Some(Verb::Create),
        Method::PUT => Some(Verb::Update),
        Method::PATCH => Some(Verb::Patch),
        Method::DELETE => Some(Verb::Delete),
        _ => None,
    }
}

fn not_allowed() -> ApiError {
    ApiError::new(Reason::MethodNotAllowed, "the server does not allow this method on the requested resource")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(path: &str) -> Option<(String, String, String, &'static str)> {
        match resolve(&Catalog::builtin(), path).ok()? {
            Place::Resource(t) => {
                let sub = t.subresource_name();
                Some((t.resource.qualified(), t.namespace, t.name, sub))
            }
            Place::Other => None,
        }
    }

    fn found(
        resource: &str,
        ns: &str,
        name: &str,
        sub: &'static str,
    ) -> Option<(String, String, String, &'static str)> {
        Some((resource.into(), ns.into(), name.into(), sub))
    }

    #[test]
    fn paths_lead_where_kubernetes_has_them() {
        assert_eq!(target("/api/v1/pods"), found("pods", "", "", ""));
        assert_eq!(target("/api/v1/namespaces/a/pods/p/log"), found("pods", "a", "p", "log"));
        assert_eq!(target("/api/v1/namespaces/a/pods/p/portforward"), found("pods", "a", "p", "portforward"));
        assert_eq!(target("/api/v1/namespaces/a"), found("namespaces", "", "a", ""));
        assert_eq!(target("/api/v1/namespaces/a/finalize"), found("namespaces", "", "a", "finalize"));
        assert_eq!(target("/api/v1/namespaces/a/bindings"), found("pods", "a", "", "binding"));
        assert_eq!(
            target("/apis/apps/v1/namespaces/a/deployments/d/scale"),
            found("deployments.apps", "a", "d", "scale")
        );
        assert_eq!(target("/api/v1/watch/namespaces/a/pods"), found("pods", "a", "", ""));
    }

    #[test]
    fn paths_that_lead_nowhere_are_404() {
        for path in [
            "/api/v1/nonsense",
            "/api/v1/namespaces/a/nodes",
            "/api/v1/pods/p",
            "/apis/apps/v2/deployments",
            "/api/v1/namespaces/a/pods/p/x",
        ] {
            assert_eq!(resolve(&Catalog::builtin(), path).unwrap_err().code(), 404, "{path}");
        }
        assert!(matches!(resolve(&Catalog::builtin(), "/apis/apps/v1"), Ok(Place::Other)));
    }

    #[test]
    fn methods_become_verbs() {
        let Ok(Place::Resource(pods)) = resolve(&Catalog::builtin(), "/api/v1/pods") else { panic!("pods") };
        assert_eq!(pods.verb(&Method::GET, false).unwrap(), Verb::List);
        assert_eq!(pods.verb(&Method::GET, true).unwrap(), Verb::Watch);
        assert_eq!(pods.verb(&Method::PUT, false).unwrap_err().code(), 405);
        assert_eq!(pods.verb(&Method::POST, false).unwrap_err().code(), 405);
        let statuses = resolve(&Catalog::builtin(), "/api/v1/componentstatuses");
        let Ok(Place::Resource(statuses)) = statuses else { panic!("componentstatuses") };
        let error = statuses.verb(&Method::GET, true).unwrap_err();
        assert_eq!(error.message, "watch is not supported on resources of kind \"componentstatuses\"");
    }
}
