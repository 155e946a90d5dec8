//! Who may do what. One trait, asked once per request, and the authorizer that is built in.

use coracle_api::{ApiError, Reason, Resource};

use crate::identity::{MASTERS, User};

/// What a request wants to do, as authorizers see it (`authorizer.Attributes`).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attributes<'a> {
    /// `get`, `list`, `create` …
    pub verb: &'a str,
    /// What it does it to.
    pub target: Subject<'a>,
}

/// The object of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// Something of the catalogue.
    Resource { resource: &'a Resource, subresource: &'a str, namespace: &'a str, name: &'a str },
    /// A path outside of the catalogue.
    Path(&'a str),
}

/// Decides about requests.
pub(crate) trait Authorizer: Send + Sync {
    /// Whether the user may do it.
    fn allows(&self, user: &User, attributes: &Attributes<'_>) -> bool;
}

/// The authorizer of a cluster without RBAC objects: administrators may do everything, the components of the
/// control plane and the nodes of this process do their work, everybody authenticated may look at discovery.
///
/// The components' rights are not yet cut to what each needs: they run in this process, and RBAC rules replace
/// this table when roles are served.
pub(crate) struct BuiltIn;

/// Users of the control plane itself.
const COMPONENTS: &[&str] = &["system:apiserver", "system:kube-scheduler", "system:kube-controller-manager"];

/// Paths that `system:discovery` and `system:public-info-viewer` open to every authenticated user.
const DISCOVERY: &[&str] = &["/api", "/apis", "/openapi", "/version", "/healthz", "/livez", "/readyz"];

impl Authorizer for BuiltIn {
    fn allows(&self, user: &User, attributes: &Attributes<'_>) -> bool {
        let component = COMPONENTS.contains(&user.name.as_str());
        let node = user.name.starts_with("system:node:") && user.in_group("system:nodes");
        if user.in_group(MASTERS) || component || (node && user.in_process) {
            return true;
        }
        match attributes.target {
            Subject::Path(path) => attributes.verb == "get" && DISCOVERY.iter().any(|open| is_below(path, open)),
            Subject::Resource { .. } => false,
        }
    }
}

fn is_below(path: &str, root: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The 403 that a refused user gets, in Kubernetes' words.
pub(crate) fn forbidden(user: &User, attributes: &Attributes<'_>) -> ApiError {
    let verb = attributes.verb;
    match attributes.target {
        Subject::Path(path) => {
            let message = format!("forbidden: User \"{}\" cannot {verb} path \"{path}\"", user.name);
            ApiError::new(Reason::Forbidden, message)
        }
        Subject::Resource { resource, subresource, namespace, name } => {
            let plural = if subresource.is_empty() {
                resource.plural.to_string()
            } else {
                format!("{}/{subresource}", resource.plural)
            };
            let place = if namespace.is_empty() {
                "at the cluster scope".to_string()
            } else {
                format!("in the namespace \"{namespace}\"")
            };
            let why = format!(
                "User \"{}\" cannot {verb} resource \"{plural}\" in API group \"{}\" {place}",
                user.name, resource.group
            );
            ApiError::forbidden(resource, name, &why)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_api::Catalog;

    fn user(name: &str, groups: &[&str]) -> User {
        User::new(name, groups.iter().map(|g| (*g).to_string()))
    }

    #[test]
    fn masters_may_and_others_are_told_in_kubernetes_words() {
        let catalog = Catalog::builtin();
        let pods = catalog.find("", "v1", "pods").expect("built in");
        let target = Subject::Resource { resource: &pods, subresource: "", namespace: "default", name: "" };
        let attributes = Attributes { verb: "list", target };
        assert!(BuiltIn.allows(&user("admin", &[MASTERS]), &attributes));
        let nobody = user("jane", &[]);
        assert!(!BuiltIn.allows(&nobody, &attributes));
        assert_eq!(
            forbidden(&nobody, &attributes).message,
            "pods is forbidden: User \"jane\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\""
        );
    }

    #[test]
    fn a_node_certificate_from_outside_is_not_a_node_of_this_process() {
        let attributes = Attributes { verb: "get", target: Subject::Path("/metrics") };
        let mut node = user("system:node:n1", &["system:nodes"]);
        assert!(!BuiltIn.allows(&node, &attributes));
        node.in_process = true;
        assert!(BuiltIn.allows(&node, &attributes));
    }

    #[test]
    fn discovery_is_open_to_everybody_authenticated_but_only_below_its_paths() {
        let jane = user("jane", &[]);
        let may = |path| BuiltIn.allows(&jane, &Attributes { verb: "get", target: Subject::Path(path) });
        assert!(may("/apis/apps/v1"));
        assert!(!may("/apisx"));
        assert!(!may("/metrics"));
    }
}
