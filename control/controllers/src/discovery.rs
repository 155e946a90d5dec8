//! What the API server serves: every resource that can be listed and deleted, by its own account.

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
    /// The resources, subresources left out.
    pub resources: Vec<Served>,
    /// Group versions that did not answer: their content is unknown.
    pub failed: Vec<String>,
}

/// Asks the server for all resources of the preferred version of each group.
///
/// # Errors
/// When the list of groups itself can't be had.
pub async fn discover(client: &Client) -> kube::Result<Discovered> {
    let mut found = Discovered::default();
    let mut versions: Vec<String> = Vec::new();
    versions.extend(client.list_core_api_versions().await?.versions.into_iter().take(1));
    for group in client.list_api_groups().await?.groups {
        let preferred = group.preferred_version.or_else(|| group.versions.first().cloned());
        versions.extend(preferred.map(|version| version.group_version));
    }
    for version in versions {
        let list = if version.contains('/') {
            client.list_api_group_resources(&version).await
        } else {
            client.list_core_api_resources(&version).await
        };
        match (list, version.parse::<GroupVersion>()) {
            (Ok(list), Ok(group_version)) => {
                found.resources.extend(list.resources.into_iter().filter(|r| !r.name.contains('/')).map(|r| Served {
                    resource: ApiResource {
                        group: r.group.clone().filter(|g| !g.is_empty()).unwrap_or(group_version.group.clone()),
                        version: r.version.clone().filter(|v| !v.is_empty()).unwrap_or(group_version.version.clone()),
                        api_version: group_version.api_version(),
                        kind: r.kind,
                        plural: r.name,
                    },
                    namespaced: r.namespaced,
                    verbs: r.verbs,
                }));
            }
            (Err(error), _) => {
                tracing::debug!(%error, version, "discovery failed");
                found.failed.push(version);
            }
            (_, Err(error)) => {
                tracing::debug!(%error, version, "not a group version");
                found.failed.push(version);
            }
        }
    }
    Ok(found)
}
