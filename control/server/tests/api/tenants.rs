//! Tenants: each verb on each resource and subresource of the catalogue, by everybody who is not an administrator. What is
//! reached is what RBAC grants in the tenant's own namespace, and nothing else.

use std::sync::Arc;

use axum::body::Body;
use coracle_api::{Catalog, Resource};
use http::header::CONTENT_TYPE;
use http::{Method, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::support::{Cluster, config};

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";

/// A tenant, and the roles that it has in the namespace `own`. The roles for users are made of these, by a controller that
/// does not run here.
const TENANTS: [(&str, &[&str]); 4] = [
    ("outsider", &[]),
    ("viewer", &["system:aggregate-to-view"]),
    ("editor", &["system:aggregate-to-view", "system:aggregate-to-edit"]),
    ("administrator", &["system:aggregate-to-view", "system:aggregate-to-edit", "system:aggregate-to-admin"]),
];
/// What everybody has who has signed in, in the whole cluster.
const EVERYBODY: [&str; 1] = ["system:basic-user"];

/// What a request wants.
#[derive(Debug, Clone)]
pub struct Want {
    pub resource: Arc<Resource>,
    pub subresource: &'static str,
    pub verb: &'static str,
    /// Empty: the whole cluster.
    pub namespace: &'static str,
}

impl Want {
    fn request(&self, user: coracle_server::User) -> Request<Body> {
        let (row, collection) = (&self.resource, matches!(self.verb, "list" | "watch" | "create" | "deletecollection"));
        let root =
            if row.group.is_empty() { "/api/v1".to_owned() } else { format!("/apis/{}/{}", row.group, row.version) };
        let place = if self.namespace.is_empty() { String::new() } else { format!("/namespaces/{}", self.namespace) };
        let mut path = format!("{root}{place}/{}", row.plural);
        if !self.subresource.is_empty() {
            path += &format!("/x/{}", self.subresource);
        } else if !collection {
            path += "/x";
        }
        path += if self.verb == "watch" { "?watch=1&timeoutSeconds=1" } else { "?dryRun=All" };
        let method = match self.verb {
            "create" => Method::POST,
            "update" => Method::PUT,
            "patch" => Method::PATCH,
            "delete" | "deletecollection" => Method::DELETE,
            _ => Method::GET,
        };
        let writes = !matches!(self.verb, "get" | "list" | "watch" | "delete" | "deletecollection");
        let body = if writes { Body::from("{}") } else { Body::empty() };
        let mut request = Request::builder().method(method).uri(path).body(body).unwrap();
        let media = if self.verb == "patch" { "application/merge-patch+json" } else { "application/json" };
        request.headers_mut().insert(CONTENT_TYPE, media.parse().unwrap());
        request.extensions_mut().insert(user);
        request
    }

    /// Whether one of the rules grants it: RBAC once more, in the fewest words, without names (nobody's rules have any).
    fn is_granted(&self, rules: &[Value]) -> bool {
        let has = |rule: &Value, field: &str, wanted: &str| {
            rule[field].as_array().into_iter().flatten().any(|own| own == "*" || own == wanted)
        };
        let plural = &self.resource.plural;
        let resource =
            if self.subresource.is_empty() { plural.to_string() } else { format!("{plural}/{}", self.subresource) };
        let grants = |verb: &str| {
            rules.iter().any(|rule| {
                has(rule, "verbs", verb)
                    && has(rule, "apiGroups", &self.resource.group)
                    && has(rule, "resources", &resource)
            })
        };
        // A connection is only had by who may make one, whatever the method.
        let connects = matches!(self.subresource, "exec" | "attach" | "portforward");
        grants(self.verb) && (!connects || grants("create"))
    }
}

/// Everything that there is to want.
pub fn wants() -> Vec<Want> {
    let mut wants = Vec::new();
    for row in Catalog::builtin().rows() {
        let own = row.verbs.iter().map(|verb| ("", *verb));
        let below = row.subresources.iter().flat_map(|part| part.verbs().iter().map(|verb| (part.name(), *verb)));
        for (subresource, verb) in own.chain(below) {
            let collection = matches!(verb, "list" | "watch");
            let namespaces: &[&str] = match row.namespaced {
                true if collection => &["own", "foreign", ""],
                true => &["own", "foreign"],
                false => &[""],
            };
            let want = |namespace: &&'static str| Want { resource: row.clone(), subresource, verb, namespace };
            wants.extend(namespaces.iter().map(want));
        }
    }
    wants
}

async fn rules(cluster: &Cluster, roles: &[&str]) -> Vec<Value> {
    let mut rules = Vec::new();
    for role in roles {
        let role = cluster.get(&format!("{RBAC}/clusterroles/{role}")).await.ok();
        rules.extend(role["rules"].as_array().cloned().unwrap_or_default());
    }
    rules
}

async fn bind(cluster: &Cluster, tenant: &str, role: &str) {
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": { "name": format!("{tenant}-{}", role.replace(':', "-")) },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
        "subjects": [{ "kind": "User", "name": tenant }],
    });
    cluster.post(&format!("{RBAC}/namespaces/own/rolebindings"), binding).await.ok();
}

/// Whether the authorizer has refused the request; what else may be wrong with it is none of its business.
pub async fn is_refused(cluster: &Cluster, user: &coracle_server::User, want: &Want) -> bool {
    let response = cluster.open(want.request(user.clone())).await;
    if response.status() != 403 {
        return false;
    }
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let status: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    status["message"].as_str().is_some_and(|text| text.contains(&format!("User \"{}\" cannot ", user.name)))
}

#[tokio::test]
async fn a_tenant_reaches_what_is_granted_to_it_and_nothing_else() {
    let mut config = config();
    config.limits.bookmark_interval = std::time::Duration::from_secs(1);
    let cluster = Cluster::with(config, |_| {}).await;
    for namespace in ["own", "foreign"] {
        let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } });
        cluster.post("/api/v1/namespaces", object).await.ok();
    }
    let everywhere = rules(&cluster, &EVERYBODY).await;
    let wants = wants();
    let mut reached = Vec::new();
    for (tenant, roles) in TENANTS {
        let user = coracle_server::User::new(tenant, []);
        for role in roles {
            bind(&cluster, tenant, role).await;
        }
        let own = rules(&cluster, roles).await;
        let mut count = 0;
        for want in &wants {
            let granted = want.is_granted(&everywhere) || (want.namespace == "own" && want.is_granted(&own));
            assert_eq!(is_refused(&cluster, &user, want).await, !granted, "{tenant}: {want:?}");
            count += u32::from(granted);
        }
        reached.push(count);
    }
    // Each role adds to the one before: otherwise this would have looked at nothing.
    assert!(reached.is_sorted() && reached[0] == 3 && reached[1] > 50 && reached[3] > reached[2], "{reached:?}");
}
