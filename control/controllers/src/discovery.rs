//! What the API server serves: every resource that can be listed and deleted, by its own account.

use coracle_client::message;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResource;
use kube::Client;
use kube::core::{ApiResource, GroupVersion};

/// One resource of the server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Served {
    /// Group, version, kind and plural.
    pub resource: ApiResource,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// What can be done with it.
    pub verbs: Vec<String>,
}

impl Served {
    /// Whether all these verbs work.
    pub fn can(&self, verbs: &[&str]) -> bool {
        verbs.iter().all(|verb| self.verbs.iter().any(|v| v == verb))
    }
}

/// What discovery found, and what it could not find out.
#[derive(Debug, Clone, Default)]
pub struct Discovered {
    /// Every resource once, subresources left out: in the version that its group prefers, or the first that has it.
    pub resources: Vec<Served>,
    /// The same resources in the other versions that are served.
    pub others: Vec<Served>,
    /// Group versions that did not answer, and why: their content is unknown.
    pub failed: Vec<(String, String)>,
    /// What the server lists as group versions and nobody can read as such.
    pub unreadable: Vec<String>,
}

/// Asks the server for all resources of all groups.
///
/// # Errors
/// When the list of groups itself can't be had.
pub async fn discover(client: &Client) -> kube::Result<Discovered> {
    let mut found = Discovered::default();
    let core = client.list_core_api_versions().await?.versions;
    let preferred = core.first().cloned().unwrap_or_default();
    take_in(client, &mut found, core, &preferred).await;
    for group in client.list_api_groups().await?.groups {
        let versions: Vec<String> = group.versions.into_iter().map(|version| version.group_version).collect();
        let preferred = group.preferred_version.map(|version| version.group_version);
        let preferred = preferred.or_else(|| versions.first().cloned()).unwrap_or_default();
        take_in(client, &mut found, versions, &preferred).await;
    }
    Ok(found)
}

/// Asks for the resources of the versions of one group.
async fn take_in(client: &Client, found: &mut Discovered, versions: Vec<String>, preferred: &str) {
    let mut chosen: Vec<Served> = Vec::new();
    for version in versions {
        // The parser lets more than one slash pass.
        let parsed = version.parse::<GroupVersion>().ok().filter(|_| version.matches('/').count() <= 1);
        let Some(group_version) = parsed else {
            found.unreadable.push(version);
            continue;
        };
        let list = if group_version.group.is_empty() {
            client.list_core_api_resources(&version).await
        } else {
            client.list_api_group_resources(&version).await
        };
        let list = match list {
            Ok(list) => list,
            Err(error) => {
                tracing::debug!(%error, version, "discovery failed");
                found.failed.push((version, message(&error)));
                continue;
            }
        };
        for served in list.resources.into_iter().filter(|r| !r.name.contains('/')).map(|r| served(r, &group_version)) {
            match chosen.iter_mut().find(|known| known.resource.plural == served.resource.plural) {
                None => chosen.push(served),
                Some(known) if version == preferred => found.others.push(std::mem::replace(known, served)),
                Some(_) => found.others.push(served),
            }
        }
    }
    found.resources.extend(chosen);
}

fn served(resource: APIResource, version: &GroupVersion) -> Served {
    Served {
        resource: ApiResource {
            group: resource.group.filter(|g| !g.is_empty()).unwrap_or_else(|| version.group.clone()),
            version: resource.version.filter(|v| !v.is_empty()).unwrap_or_else(|| version.version.clone()),
            api_version: version.api_version(),
            kind: resource.kind,
            plural: resource.name,
        },
        namespaced: resource.namespaced,
        verbs: resource.verbs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::client::Body;
    use serde_json::{Value, json};

    /// A server with a group of two versions, of which it prefers the second, and one that does not answer.
    fn answer(path: &str) -> Option<Value> {
        let version = |group: &str, name: &str| json!({ "groupVersion": format!("{group}/{name}"), "version": name });
        let list = |group_version: &str, names: &[&str]| {
            let resource = |name: &&str| {
                json!({
                    "name": name, "singularName": "", "namespaced": true, "kind": name.to_uppercase(),
                    "verbs": ["delete", "list"],
                })
            };
            let resources: Vec<Value> = names.iter().map(resource).collect();
            json!({ "kind": "APIResourceList", "groupVersion": group_version, "resources": resources })
        };
        Some(match path {
            "/api" => json!({ "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [] }),
            "/apis" => json!({ "kind": "APIGroupList", "groups": [
                {
                    "name": "a.example", "versions": [version("a.example", "v1alpha1"), version("a.example", "v1")],
                    "preferredVersion": version("a.example", "v1"),
                },
                { "name": "gone.example", "versions": [version("gone.example", "v1")] },
                { "name": "odd", "versions": [version("odd/odd", "v1")] },
            ] }),
            "/api/v1" => list("v1", &["pods", "pods/log"]),
            "/apis/a.example/v1alpha1" => list("a.example/v1alpha1", &["old", "both"]),
            "/apis/a.example/v1" => list("a.example/v1", &["both"]),
            _ => return None,
        })
    }

    #[tokio::test]
    async fn each_resource_is_found_once_in_its_best_version() {
        let service = tower::service_fn(|request: http::Request<Body>| async move {
            let (code, body) = match answer(request.uri().path()) {
                Some(body) => (200, body),
                None => (503, json!({ "kind": "Status", "status": "Failure", "message": "not now", "code": 503 })),
            };
            let response = http::Response::builder().status(code).body(Body::from(body.to_string().into_bytes()));
            response.map_err(std::io::Error::other)
        });
        let found = discover(&Client::new(service, "d")).await.unwrap();
        let names = |served: &[Served]| -> Vec<String> {
            served.iter().map(|s| format!("{} {}", s.resource.api_version, s.resource.plural)).collect()
        };
        assert_eq!(names(&found.resources), ["v1 pods", "a.example/v1alpha1 old", "a.example/v1 both"]);
        assert_eq!(names(&found.others), ["a.example/v1alpha1 both"]);
        assert_eq!(found.failed, [("gone.example/v1".to_string(), "not now".to_string())]);
        assert_eq!(found.unreadable, ["odd/odd/v1"]);
    }
}
