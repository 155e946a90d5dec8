//! Volumes that are to be attached to a node.

use serde_json::{Value, json};

use super::inline_volume::inline_volume;
use crate::catalog::{Column, RowCells, Rules};
use crate::field::{FieldError, Path};
use crate::kinds::check::{Errors, same};
use crate::kinds::generation;
use crate::kinds::json::{boolean, carry_over, entries, has, integer, part, text};
use crate::kinds::pod::volume_sources::driver_name;
use crate::kinds::table::{AGE, NAME, age, column, flag};
use crate::names;

/// Longest metadata of an attached volume, all together.
const METADATA_LIMIT_BYTES: usize = 256 * 1024;
const MESSAGE_LIMIT_BYTES: usize = 1024;

/// The rules of the row.
pub static VOLUME_ATTACHMENT: Rules = Rules {
    prepare_create: |attachment| {
        generation::none(attachment);
        attachment["status"] = json!({ "attached": false });
    },
    prepare_update: |new, old| carry_over(new, old, "status"),
    validate,
    validate_status: |new, _| status(new),
    validate_update: |new, old| {
        let mut errors = Errors::default();
        if !same(&part(new, "spec"), &part(old, "spec")) {
            errors.invalid(&Path::root("spec"), &part(new, "spec"), crate::metadata::IMMUTABLE);
        }
        errors.0
    },
    name_errors: names::subdomain_name,
    columns: COLUMNS,
    cells: |attachment, now_seconds| RowCells {
        cells: vec![
            json!(crate::meta::name(attachment)),
            json!(text(attachment, "spec.attacher")),
            json!(text(attachment, "spec.source.persistentVolumeName")),
            json!(text(attachment, "spec.nodeName")),
            json!(boolean(attachment, "status.attached")),
            age(attachment, now_seconds),
        ],
    },
    ..Rules::GENERIC
};

const COLUMNS: &[Column] = &[
    NAME,
    Column {
        format: "name",
        ..column(
            "Attacher",
            "attacher indicates the name of the volume driver that MUST handle this request. This is the name \
             returned by GetPluginName().",
        )
    },
    column("PV", "persistentVolumeName represents the name of the persistent volume to attach."),
    column("Node", "nodeName represents the node that the volume should be attached to."),
    flag(
        "Attached",
        "attached indicates the volume is successfully attached. This field must only be set by the entity \
             completing the attach operation, i.e. the external-attacher.",
    ),
    AGE,
];

fn validate(attachment: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, spec) = (Path::root("spec"), part(attachment, "spec"));
    driver_name(&mut errors, text(&spec, "attacher"), &path.child("attacher"));
    let source = path.child("source");
    let name = text(&spec, "source.persistentVolumeName");
    match (has(&spec, "source.inlineVolumeSpec"), has(&spec, "source.persistentVolumeName")) {
        (false, false) => {
            errors.required(&source, "must specify exactly one of inlineVolumeSpec and persistentVolumeName");
        }
        (true, true) => {
            let detail = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
            errors.forbidden(&source, detail);
        }
        (false, true) if name.is_empty() => {
            errors.required(&source.child("persistentVolumeName"), "must specify non empty persistentVolumeName");
        }
        (false, true) => errors.named(&source.child("persistentVolumeName"), name, names::dns1123_subdomain),
        (true, false) => {
            let path = source.child("inlineVolumeSpec");
            inline_volume(&mut errors, &part(&spec, "source.inlineVolumeSpec"), &path);
        }
    }
    errors.named(&path.child("nodeName"), text(&spec, "nodeName"), names::dns1123_subdomain);
    errors.0
}

/// What the attacher says about the volume has a limit.
fn status(attachment: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let path = Path::root("status");
    let metadata = entries(attachment, "status.attachmentMetadata");
    let bytes: usize = metadata.map(|(key, value)| key.len() + value.as_str().map_or(0, str::len)).sum();
    if bytes > METADATA_LIMIT_BYTES {
        errors.0.push(FieldError::too_long(&path.child("attachmentMetadata"), METADATA_LIMIT_BYTES));
    }
    for field in ["attachError", "detachError"] {
        let path = path.child(field);
        if text(attachment, &format!("status.{field}.message")).len() > MESSAGE_LIMIT_BYTES {
            errors.0.push(FieldError::too_long(&path.child("message"), MESSAGE_LIMIT_BYTES));
        }
        let code = format!("status.{field}.errorCode");
        if has(attachment, &code) {
            errors.not_negative(&path.child("errorCode"), Some(integer(attachment, &code)));
        }
    }
    errors.0
}
