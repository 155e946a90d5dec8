//! The selector and labels that tie a job to its pods.

use serde_json::{Map, Value, json};

use crate::kinds::json::{boolean, object, set_default};
use crate::meta;

/// The uid of the job, on its pods.
pub(super) const CONTROLLER_UID: &str = "batch.kubernetes.io/controller-uid";
/// The name of the job, on its pods.
pub(super) const JOB_NAME: &str = "batch.kubernetes.io/job-name";
/// The same two labels from before they had a prefix.
pub(super) const LEGACY: (&str, &str) = ("controller-uid", "job-name");

/// A job without labels of its own has those of its template.
pub(super) fn inherit_labels(job: &mut Value, labels: Option<Value>) {
    let inherited = labels.filter(|l| l.as_object().is_some_and(|m| !m.is_empty()));
    if let Some(labels) = inherited.filter(|_| meta::labels(job).is_empty()) {
        meta::metadata_mut(job).insert("labels".into(), labels);
    }
}

/// Clears the status and, unless the author manages the selector, generates it. `metadata.uid` must be set.
pub(super) fn create(job: &mut Value) {
    job["status"] = json!({});
    if boolean(job, "spec.manualSelector") {
        return;
    }
    let (uid, name) = (json!(meta::uid(job)), json!(meta::name(job)));
    let before = job.pointer("/spec/template/metadata/labels").cloned();
    let inherits = meta::labels(job).is_empty() || job.pointer("/metadata/labels") == before.as_ref();
    let Some(spec) = job.get_mut("spec").filter(|s| s.is_object()) else { return };
    if let Some(labels) = template_labels(spec) {
        for (key, value) in [(CONTROLLER_UID, &uid), (LEGACY.0, &uid), (JOB_NAME, &name), (LEGACY.1, &name)] {
            set_default(labels, key, value.clone());
        }
    }
    if object(spec, "selector").is_some()
        && let Some(labels) = object(&mut spec["selector"], "matchLabels")
    {
        set_default(labels, CONTROLLER_UID, uid);
    }
    if inherits {
        let labels = job.pointer("/spec/template/metadata/labels").cloned().unwrap_or_default();
        meta::metadata_mut(job).insert("labels".into(), labels);
    }
}

fn template_labels(spec: &mut Value) -> Option<&mut Map<String, Value>> {
    object(spec, "template")?;
    object(&mut spec["template"], "metadata")?;
    object(&mut spec["template"]["metadata"], "labels")
}
