//! From a definition to rows of the catalogue, one for each served version.

use std::sync::Arc;

use serde_json::Value;

use super::definition::text;
use super::json_path::JsonPath;
use super::kind::{Conversion, CustomKind, CustomScale};
use super::rules::Rules;
use super::schema::{Schema, SchemaError};
use super::table::PrinterColumn;
use crate::catalog::{ALL_VERBS, Dependents, Resource, Rules as BuiltinRules, Subresource};
use crate::{meta, versions};

/// Why a definition can't be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// A schema that validation should not have let through.
    #[error("version {version} of {definition} can't be served: {source}")]
    Schema {
        /// Name of the definition.
        definition: String,
        /// The version.
        version: String,
        /// What is wrong with its schema.
        source: SchemaError,
    },
}

/// Rows for all served versions, the preferred version first. Names come from `status.acceptedNames` once there are any: whoever
/// came first keeps a name that two definitions want.
///
/// # Errors
/// When a schema can't be used.
pub fn rows(definition: &Value) -> Result<Vec<Resource>, RowError> {
    let spec = &definition["spec"];
    let accepted = &definition["status"]["acceptedNames"];
    let names = if text(accepted, "plural").is_empty() { &spec["names"] } else { accepted };
    let group = text(spec, "group");
    let versions = spec["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let storage =
        versions.iter().find(|version| version["storage"] == true).map_or("", |version| text(version, "name"));
    let storage_version = format!("{group}/{storage}");
    let mut served: Vec<&Value> = versions.iter().filter(|version| version["served"] == true).collect();
    served.sort_by(|a, b| versions::compare(text(a, "name"), text(b, "name")));
    served.into_iter().map(|version| row(definition, names, version, &storage_version)).collect()
}

fn row(definition: &Value, names: &Value, version: &Value, storage_version: &str) -> Result<Resource, RowError> {
    let spec = &definition["spec"];
    let custom = custom_kind(definition, names, version, storage_version)?;
    let mut subresources = Vec::new();
    if custom.scale.is_some() {
        subresources.push(Subresource::Scale);
    }
    if custom.has_status {
        subresources.push(Subresource::Status);
    }
    let list = |field: &str| {
        let items = names[field].as_array().into_iter().flatten();
        items.filter_map(Value::as_str).map(|name| name.to_string().into()).collect()
    };
    Ok(Resource {
        group: text(spec, "group").to_string().into(),
        version: text(version, "name").to_string().into(),
        kind: custom.kind.clone().into(),
        plural: text(names, "plural").to_string().into(),
        singular: text(names, "singular").to_string().into(),
        short_names: list("shortNames"),
        categories: list("categories"),
        namespaced: text(spec, "scope") == "Namespaced",
        verbs: ALL_VERBS,
        subresources,
        stored_as: None,
        graceful: false,
        has_status: custom.has_status,
        dependents: Dependents::Deleted,
        shows_deleted: false,
        review: false,
        rules: &BuiltinRules { name_errors: crate::names::subdomain_name, ..BuiltinRules::GENERIC },
        custom: Some(Arc::new(custom)),
    })
}

fn custom_kind(
    definition: &Value,
    names: &Value,
    version: &Value,
    storage_version: &str,
) -> Result<CustomKind, RowError> {
    let spec = &definition["spec"];
    let document = version["schema"]["openAPIV3Schema"].clone();
    let schema = Schema::parse(&document).map_err(|source| RowError::Schema {
        definition: meta::name(definition).to_string(),
        version: text(version, "name").to_string(),
        source,
    })?;
    let api_version = format!("{}/{}", text(spec, "group"), text(version, "name"));
    let kind = text(names, "kind");
    let selectable = version["selectableFields"].as_array().into_iter().flatten();
    let selectable = selectable.filter_map(|field| {
        let path = text(field, "jsonPath");
        Some((path.trim_start_matches('.').to_string(), JsonPath::parse(path).ok()?))
    });
    Ok(CustomKind {
        kind: kind.to_string(),
        list_kind: match text(names, "listKind") {
            "" => format!("{kind}List"),
            given => given.to_string(),
        },
        definition: meta::name(definition).to_string(),
        storage_version: storage_version.to_string(),
        conversion: match text(&spec["conversion"], "strategy") {
            "Webhook" => Conversion::Webhook(spec["conversion"]["webhook"].clone()),
            _ => Conversion::None,
        },
        rules: Rules::compile(&schema, true),
        schema,
        document,
        has_status: version["subresources"]["status"].is_object(),
        scale: scale(&version["subresources"]["scale"]),
        columns: PrinterColumn::list(&version["additionalPrinterColumns"]),
        selectable: selectable.collect(),
        deprecation: deprecation(version, &api_version, kind),
        terminating: is_terminating(definition),
        api_version,
    })
}

fn is_terminating(definition: &Value) -> bool {
    let conditions = definition["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|condition| condition["type"] == "Terminating" && condition["status"] == "True")
}

fn scale(scale: &Value) -> Option<CustomScale> {
    let path = |field: &str| text(scale, field).trim_start_matches('.').to_string();
    let selector = Some(path("labelSelectorPath")).filter(|path| !path.is_empty());
    scale.is_object().then(|| CustomScale {
        spec_replicas: path("specReplicasPath"),
        status_replicas: path("statusReplicasPath"),
        selector,
    })
}

fn deprecation(version: &Value, api_version: &str, kind: &str) -> Option<String> {
    if version["deprecated"] != true {
        return None;
    }
    let given = version["deprecationWarning"].as_str().map(str::to_string);
    Some(given.unwrap_or_else(|| format!("{api_version} {kind} is deprecated")))
}
