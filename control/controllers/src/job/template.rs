//! The pods of a Job.

use super::per_index::Counts;
use super::{INDEX_KEY, TRACKING_FINALIZER};
use crate::framework::owner_reference;
use crate::pod_control::pod_from_template;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Container, EnvVar, EnvVarSource, ObjectFieldSelector, Pod};

const INDEX_VARIABLE: &str = "JOB_COMPLETION_INDEX";

/// Whether each completion has an index of its own.
pub fn is_indexed(job: &Job) -> bool {
    job.spec.as_ref().and_then(|s| s.completion_mode.as_deref()) == Some("Indexed")
}

/// A pod for `job`, for this index if it is indexed.
pub fn pod(job: &Job, index: Option<i32>) -> Pod {
    let template = job.spec.as_ref().map(|s| s.template.clone()).unwrap_or_default();
    let name = job.metadata.name.as_deref().unwrap_or_default();
    let namespace = job.metadata.namespace.as_deref().unwrap_or_default();
    let prefix = index.map_or_else(|| name.to_owned(), |index| format!("{name}-{index}"));
    let mut pod = pod_from_template(&template, namespace, &prefix, owner_reference(job));
    let finalizers = pod.metadata.finalizers.get_or_insert_default();
    if !finalizers.iter().any(|finalizer| finalizer == TRACKING_FINALIZER) {
        finalizers.push(TRACKING_FINALIZER.to_owned());
    }
    if let Some(index) = index {
        let text = index.to_string();
        pod.metadata.annotations.get_or_insert_default().insert(INDEX_KEY.to_owned(), text.clone());
        pod.metadata.labels.get_or_insert_default().insert(INDEX_KEY.to_owned(), text);
        if let Some(spec) = &mut pod.spec {
            spec.hostname = Some(prefix);
            spec.containers.iter_mut().for_each(tell_index);
            spec.init_containers.iter_mut().flatten().for_each(tell_index);
        }
    }
    pod
}

fn tell_index(container: &mut Container) {
    let env = container.env.get_or_insert_default();
    if env.iter().any(|variable| variable.name == INDEX_VARIABLE) {
        return;
    }
    env.push(EnvVar {
        name: INDEX_VARIABLE.to_owned(),
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                api_version: Some("v1".to_owned()),
                field_path: format!("metadata.annotations['{INDEX_KEY}']"),
            }),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    });
}

/// A pod for this index, which has failed so often, of a Job whose indexes fail each for itself.
pub fn pod_after(job: &Job, index: i32, failures: Counts) -> Pod {
    let mut pod = pod(job, Some(index));
    pod.metadata.annotations.get_or_insert_default().extend(failures.annotations());
    pod
}

/// The index of a pod, if it has one below `completions`.
pub fn index_of(pod: &Pod, completions: i32) -> Option<i32> {
    let index = pod.metadata.annotations.as_ref()?.get(INDEX_KEY)?.parse().ok()?;
    (0..completions).contains(&index).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_indexed_pod_knows_its_index() {
        let job: Job = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "sum", "namespace": "d", "uid": "u"},
            "spec": {"completionMode": "Indexed", "completions": 3,
                "template": {"spec": {"containers": [{"name": "c"}]}}},
        }))
        .unwrap();
        assert!(is_indexed(&job));
        let pod = pod(&job, Some(2));
        assert_eq!(pod.metadata.generate_name.as_deref(), Some("sum-2-"));
        assert_eq!(pod.metadata.finalizers, Some(vec![TRACKING_FINALIZER.to_owned()]));
        assert_eq!(index_of(&pod, 3), Some(2));
        assert_eq!(index_of(&pod, 2), None);
        let spec = pod.spec.unwrap();
        assert_eq!(spec.hostname.as_deref(), Some("sum-2"));
        assert_eq!(spec.containers[0].env.as_ref().unwrap()[0].name, INDEX_VARIABLE);
    }
}
