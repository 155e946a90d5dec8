//! Who may do what. One trait, asked once per request, and the authorizer that is built in.

use coracle_api::{ApiError, Reason};
use serde_json::{Value, json};

use crate::aggregate::AUTHENTICATION;
use crate::identity::{AUTHENTICATED, MASTERS, User};

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
    /// A resource, of the catalogue or not: whoever reviews access may ask about anything.
    Resource { group: &'a str, resource: &'a str, subresource: &'a str, namespace: &'a str, name: &'a str },
    /// A path outside of the catalogue.
    Path(&'a str),
}

/// Decides about requests.
pub(crate) trait Authorizer: Send + Sync {
    /// Whether the user may do it.
    fn allows(&self, user: &User, attributes: &Attributes<'_>) -> bool;

    /// What the user may do in a namespace, as far as rules can say.
    fn rules(&self, user: &User, namespace: &str) -> Rules;
}

/// Rules as `SubjectRulesReviewStatus` lists them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Rules {
    /// `ResourceRule`s
    pub resources: Vec<Value>,
    /// `NonResourceRule`s
    pub paths: Vec<Value>,
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

/// Paths that `system:service-account-issuer-discovery` opens to service accounts.
const ISSUER: &[&str] = &["/.well-known/openid-configuration", "/openid/v1/jwks"];

/// What `system:basic-user` lets every authenticated user ask about itself.
const SELF_REVIEWS: [(&str, &str); 3] = [
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
    ("authentication.k8s.io", "selfsubjectreviews"),
];

/// Whether the user may do everything.
fn is_trusted(user: &User) -> bool {
    let component = COMPONENTS.contains(&user.name.as_str());
    let node = user.name.starts_with("system:node:") && user.in_group("system:nodes");
    user.in_group(MASTERS) || component || (node && user.in_process)
}

impl Authorizer for BuiltIn {
    fn allows(&self, user: &User, attributes: &Attributes<'_>) -> bool {
        if is_trusted(user) {
            return true;
        }
        if !user.in_group(AUTHENTICATED) {
            return false;
        }
        match attributes.target {
            Subject::Path(path) => {
                let of_issuer = user.in_group("system:serviceaccounts") && ISSUER.contains(&path);
                attributes.verb == "get" && (of_issuer || DISCOVERY.iter().any(|open| is_below(path, open)))
            }
            // What a server behind this one needs to know before it can ask who may do what.
            Subject::Resource {
                group: "",
                resource: "configmaps",
                namespace: "kube-system",
                name: AUTHENTICATION,
                subresource: "",
            } => matches!(attributes.verb, "get" | "list" | "watch"),
            Subject::Resource { group, resource, subresource, .. } => {
                attributes.verb == "create" && subresource.is_empty() && SELF_REVIEWS.contains(&(group, resource))
            }
        }
    }

    fn rules(&self, user: &User, _: &str) -> Rules {
        let mut rules = Rules::default();
        if is_trusted(user) {
            rules.resources.push(json!({ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }));
            rules.paths.push(json!({ "verbs": ["*"], "nonResourceURLs": ["*"] }));
        }
        if user.in_group(AUTHENTICATED) {
            rules.resources.extend(
                SELF_REVIEWS
                    .iter()
                    .map(|(group, plural)| json!({ "verbs": ["create"], "apiGroups": [group], "resources": [plural] })),
            );
            let below: Vec<String> = DISCOVERY.iter().flat_map(|p| [(*p).to_string(), format!("{p}/*")]).collect();
            rules.paths.push(json!({ "verbs": ["get"], "nonResourceURLs": below }));
        }
        rules
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
                 \"{group}\" {place}",
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

    fn user(name: &str, groups: &[&str]) -> User {
        User::new(name, groups.iter().map(|g| (*g).to_string()))
    }

    #[test]
    fn masters_may_and_others_are_told_in_kubernetes_words() {
        let target = Subject::Resource { group: "", resource: "pods", subresource: "", namespace: "default", name: "" };
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
