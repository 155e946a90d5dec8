//! From a stored record to what this client asked to see: the stored bytes as they are wherever possible, another
//! API group's form of the object, its metadata only, or a table row.

use std::sync::Arc;

use bytes::Bytes;
use coracle_api::{ApiError, ApiResult, Reason, Resource};
use coracle_store::{Event, Record};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::table::Table;
use crate::http::{Accept, Format, Include, Params, Shape};

/// How objects are shown in one answer.
#[derive(Clone)]
pub(crate) enum View {
    /// The stored bytes.
    Stored { api_version: String, kind: String, list_kind: String },
    /// The stored object in the form of another API group.
    Converted { api_version: String, kind: String, list_kind: String, convert: fn(Value) -> Value },
    /// `PartialObjectMetadata`.
    Metadata { api_version: &'static str },
    /// A row of a table.
    Table(Table),
}

impl View {
    /// The view that a request negotiated for one object.
    pub(crate) fn new(resource: &Arc<Resource>, accept: Accept, params: &Params) -> ApiResult<Self> {
        match accept.shape {
            Shape::MetadataList => Err(mismatched("PartialObjectMetadataList", "not a list", &go_type(resource, ""))),
            _ => Self::of_event(resource, accept, params),
        }
    }

    /// The view that a request negotiated for a list.
    pub(crate) fn of_list(resource: &Arc<Resource>, accept: Accept, params: &Params) -> ApiResult<Self> {
        match accept.shape {
            Shape::Metadata => Err(mismatched("PartialObjectMetadata", "a list", &go_type(resource, "List"))),
            Shape::MetadataList => Ok(Self::Metadata { api_version: accept.meta }),
            _ => Self::of_event(resource, accept, params),
        }
    }

    /// The view that a request negotiated for the objects of a watch. Where the shape of a list is asked for, upstream
    /// sends the objects as they are.
    pub(crate) fn of_event(resource: &Arc<Resource>, accept: Accept, params: &Params) -> ApiResult<Self> {
        if accept.format == Format::Protobuf && accept.shape == Shape::Whole && resource.custom.is_some() {
            return Err(ApiError::not_acceptable(&["application/json", "application/yaml"]));
        }
        Ok(match accept.shape {
            Shape::Metadata => Self::Metadata { api_version: accept.meta },
            Shape::Table => {
                let include = Include::parse(params.get("includeObject"))?;
                Self::Table(Table::new(resource, include, accept.meta))
            }
            Shape::Whole | Shape::MetadataList => Self::whole(resource),
        })
    }

    /// The objects themselves.
    pub(crate) fn whole(resource: &Resource) -> Self {
        let (api_version, kind, list_kind) = (resource.api_version(), resource.kind.to_string(), resource.list_kind());
        match resource.rules.from_storage {
            None => Self::Stored { api_version, kind, list_kind },
            Some(convert) => Self::Converted { api_version, kind, list_kind, convert },
        }
    }

    /// `apiVersion` and `kind` of one object in this view.
    pub(crate) fn type_of_object(&self) -> (&str, &str) {
        match self {
            Self::Stored { api_version, kind, .. } | Self::Converted { api_version, kind, .. } => (api_version, kind),
            Self::Metadata { api_version } => (api_version, "PartialObjectMetadata"),
            Self::Table(table) => (table.api_version, "Table"),
        }
    }

    /// `apiVersion` and `kind` of a list of objects in this view.
    pub(crate) fn type_of_list(&self) -> (&str, &str) {
        match self {
            Self::Stored { api_version, list_kind, .. } | Self::Converted { api_version, list_kind, .. } => {
                (api_version, list_kind)
            }
            Self::Metadata { api_version } => (api_version, "PartialObjectMetadataList"),
            Self::Table(table) => (table.api_version, "Table"),
        }
    }

    /// Whether records can be sent as they are.
    pub(crate) fn is_stored(&self) -> bool {
        matches!(self, Self::Stored { .. })
    }

    /// One object as an item of a list: for a table, a row.
    pub(crate) fn item(&self, record: &Record) -> ApiResult<Bytes> {
        match self {
            Self::Stored { .. } => Ok(record.json.clone()),
            Self::Converted { convert, .. } => Ok(convert(parse(&record.json)?).to_string().into()),
            Self::Metadata { api_version } => partial(&record.json, api_version),
            Self::Table(table) => Ok(table.row(record)?.to_string().into()),
        }
    }

    /// One object as an answer: for a table, a table of one row; `headed` tables say what their columns are.
    pub(crate) fn object(&self, record: &Record, headed: bool) -> ApiResult<Bytes> {
        match self {
            Self::Table(table) => table.of_one(record, headed),
            other => other.item(record),
        }
    }

    /// An object that is made for the answer and stored nowhere.
    pub(crate) fn made(&self, object: &Value, revision: u64) -> Bytes {
        match self {
            Self::Table(table) => table.around(object, &revision.to_string(), true),
            Self::Metadata { api_version } => metadata_only(object, api_version).to_string().into(),
            Self::Stored { .. } | Self::Converted { .. } => object.to_string().into(),
        }
    }

    /// An object that says nothing but how far a watch is.
    pub(crate) fn bookmark(&self, revision: u64, initial_end: bool, headed: bool) -> Bytes {
        let mut metadata = json!({ "resourceVersion": revision.to_string() });
        if initial_end {
            metadata["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
        }
        if let Self::Table(table) = self {
            return table.around(&json!({ "metadata": metadata }), &revision.to_string(), headed);
        }
        let (api_version, kind) = self.type_of_object();
        json!({ "kind": kind, "apiVersion": api_version, "metadata": metadata }).to_string().into()
    }

    /// An event line for watchers. The store's own line is used whenever the client wants to see what is stored.
    pub(crate) fn event(&self, event: &Event, headed: bool) -> ApiResult<Bytes> {
        if self.is_stored() {
            return Ok(event.wire());
        }
        let object = self.object(&event.record, headed)?;
        Ok(line(event.kind.as_str(), &object))
    }
}

/// One line of a watch.
pub(crate) fn line(kind: &str, object: &[u8]) -> Bytes {
    let mut line = Vec::with_capacity(object.len() + kind.len() + 24);
    line.extend_from_slice(b"{\"type\":\"");
    line.extend_from_slice(kind.as_bytes());
    line.extend_from_slice(b"\",\"object\":");
    line.extend_from_slice(object);
    line.extend_from_slice(b"}\n");
    line.into()
}

/// The object as a value. What is stored was checked when it was written.
pub(crate) fn parse(json: &[u8]) -> ApiResult<Value> {
    serde_json::from_slice(json).map_err(|e| ApiError::internal(format!("a stored object does not parse: {e}")))
}

/// The 406 for the shape of a list where there is none, and the other way round.
fn mismatched(asked: &str, found: &str, go_type: &str) -> ApiError {
    let message = format!("you requested {asked}, but the requested object is {found} ({go_type})");
    ApiError::new(Reason::NotAcceptable, message)
}

/// What upstream's server calls the type of the objects, which clients see in that one error.
fn go_type(resource: &Resource, suffix: &str) -> String {
    if resource.custom.is_some() {
        return format!("*unstructured.Unstructured{suffix}");
    }
    let package = match resource.group.split('.').next() {
        None | Some("" | "events") => "core",
        Some("rbac") => "rbac",
        Some(group) => group,
    };
    format!("*{package}.{}{suffix}", resource.kind)
}

/// `PartialObjectMetadata` around the object's own metadata, which is copied as it stands.
fn partial(json: &[u8], api_version: &str) -> ApiResult<Bytes> {
    #[derive(Deserialize)]
    struct Head<'a> {
        #[serde(borrow)]
        metadata: &'a RawValue,
    }
    let head: Head<'_> =
        serde_json::from_slice(json).map_err(|e| ApiError::internal(format!("a stored object does not parse: {e}")))?;
    let text = format!(
        "{{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"{api_version}\",\"metadata\":{}}}",
        head.metadata.get()
    );
    Ok(text.into())
}

/// `metadata` of the object as a value, for table rows.
pub(crate) fn metadata_only(object: &Value, api_version: &str) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": api_version,
        "metadata": object.get("metadata").cloned().unwrap_or_default(),
    })
}
