//! Rules of pod templates kept as objects of their own.

use serde_json::json;

use super::json::sections;
use super::table::{column, map, of_containers_at};
use super::{generation, pod};
use crate::catalog::{RowCells, Rules};
use crate::field::Path;
use crate::names;

const CONTAINERS: &str = "template.spec.containers";

/// The rules of the row.
pub static RULES: Rules = Rules {
    defaults: |object| {
        sections(object, &["template", "spec"]);
        object.get_mut("template").into_iter().for_each(pod::template_defaults);
    },
    prepare_create: generation::start,
    prepare_update: |new, old| generation::bump_if_changed(new, old, &["template"]),
    validate: |object| match object.get("template") {
        Some(template) => pod::validate_template(template, &Path::root("template")),
        None => Vec::new(),
    },
    warnings: |object| pod::spec_warnings(object, "template.spec"),
    name_errors: names::subdomain_name,
    columns: &[
        column("Containers", "Names of each container in the template."),
        column("Images", "Images referenced by each container in the template."),
        column("Pod Labels", "The labels for the pod template."),
    ],
    cells: |object, _| RowCells {
        cells: vec![
            of_containers_at(object, CONTAINERS, "name"),
            of_containers_at(object, CONTAINERS, "image"),
            json!(map(object.pointer("/template/metadata/labels"))),
        ],
    },
    ..Rules::GENERIC
};
