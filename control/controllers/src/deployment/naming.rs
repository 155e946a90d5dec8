//! The ReplicaSet of a Deployment's current template: its name, labels and selector.

use super::annotations;
use super::sets::TEMPLATE_HASH;
use super::strategy::Limits;
use crate::framework::owner_reference;
use coracle_api::pod::template_hash;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, ReplicaSetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

/// A set for the current template, at `revision`, with `replicas`.
pub fn new_set(deployment: &Deployment, limits: Limits, revision: i64, replicas: i32) -> ReplicaSet {
    let spec = deployment.spec.clone().unwrap_or_default();
    let collisions = deployment.status.as_ref().and_then(|s| s.collision_count);
    let hash = template_hash(&spec.template, collisions);
    let mut template = spec.template;
    let labels = template.metadata.get_or_insert_default().labels.get_or_insert_default();
    labels.insert(TEMPLATE_HASH.to_owned(), hash.clone());
    let labels = labels.clone();
    let mut selector = spec.selector;
    selector.match_labels.get_or_insert_default().insert(TEMPLATE_HASH.to_owned(), hash.clone());
    let mut annotations = annotations::for_new_set(deployment, &BTreeMap::new(), revision);
    annotations.extend(annotations::for_scale(limits).map(|(key, value)| (key.to_owned(), value)));
    ReplicaSet {
        metadata: ObjectMeta {
            name: Some(format!("{}-{hash}", deployment.metadata.name.as_deref().unwrap_or_default())),
            namespace: deployment.metadata.namespace.clone(),
            labels: Some(labels),
            annotations: Some(annotations),
            owner_references: Some(vec![owner_reference(deployment)]),
            ..ObjectMeta::default()
        },
        spec: Some(ReplicaSetSpec {
            replicas: Some(replicas),
            min_ready_seconds: spec.min_ready_seconds,
            selector,
            template: Some(template),
        }),
        status: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::rollout::testing::deployment;
    use crate::deployment::sets::same_template;
    use serde_json::json;

    #[test]
    fn the_hash_is_in_name_labels_and_selector() {
        let mut web = deployment(2, &json!({}));
        let set = new_set(&web, Limits::of(&web), 1, 2);
        let hash = set.metadata.labels.as_ref().unwrap()[TEMPLATE_HASH].clone();
        assert_eq!(set.metadata.name, Some(format!("web-{hash}")));
        let spec = set.spec.as_ref().unwrap();
        assert_eq!(spec.selector.match_labels.as_ref().unwrap()[TEMPLATE_HASH], hash);
        assert_eq!(set.metadata.annotations.as_ref().unwrap()[annotations::MAX_REPLICAS], "3");
        assert!(same_template(&web.spec.as_ref().unwrap().template, &set));
        web.status.get_or_insert_default().collision_count = Some(1);
        assert_ne!(new_set(&web, Limits::of(&web), 1, 2).metadata.name, set.metadata.name);
    }
}
