//! Whether somebody may: the API server decides (`SubjectAccessReview`).

use std::time::Duration;

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::{Api, Client, api::PostParams};

use super::{cache::Cache, user::User};

/// How long a yes is good for (kubelet `authorization.webhook.cacheAuthorizedTTL`).
const ALLOWED_FOR: Duration = Duration::from_secs(300);
/// How long a no is (`cacheUnauthorizedTTL`).
const DENIED_FOR: Duration = Duration::from_secs(30);

/// Decisions about one node.
pub struct Decisions {
    reviews: Api<SubjectAccessReview>,
    node: String,
    known: Cache<(User, &'static str, &'static str), bool>,
}

impl Decisions {
    /// Asks the API server behind `client` about the Node `node`.
    pub fn new(client: Client, node: String) -> Decisions {
        Decisions { reviews: Api::all(client), node, known: Cache::new() }
    }

    /// Whether the user may do `verb` to this subresource of the Node.
    pub async fn allows(&self, user: &User, verb: &'static str, subresource: &'static str) -> kube::Result<bool> {
        let key = (user.clone(), verb, subresource);
        if let Some(allowed) = self.known.get(&key) {
            return Ok(allowed);
        }
        let attributes = ResourceAttributes {
            version: Some("v1".to_owned()),
            resource: Some("nodes".to_owned()),
            subresource: Some(subresource.to_owned()),
            name: Some(self.node.clone()),
            verb: Some(verb.to_owned()),
            ..ResourceAttributes::default()
        };
        let spec = SubjectAccessReviewSpec {
            user: Some(user.name.clone()),
            uid: Some(user.uid.clone()).filter(|uid| !uid.is_empty()),
            groups: Some(user.groups.clone()),
            extra: Some(user.extra.clone()).filter(|extra| !extra.is_empty()),
            resource_attributes: Some(attributes),
            ..SubjectAccessReviewSpec::default()
        };
        let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
        let status = self.reviews.create(&PostParams::default(), &review).await?.status.unwrap_or_default();
        let allowed = status.allowed && status.denied != Some(true);
        self.known.put(key, allowed, if allowed { ALLOWED_FOR } else { DENIED_FOR });
        Ok(allowed)
    }
}
