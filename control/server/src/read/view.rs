//! From a stored record to what this client asked to see: the stored bytes as they are wherever possible, another
//! API group's form of the object, its metadata only, or a table row.

use std::sync::Arc;

use bytes::Bytes;
use coracle_api::{ApiError, ApiResult, Resource};
use coracle_store::{Event, Record};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::table::Table;
use crate::http::{Accept, Include, Params, Shape};

/// How objects are shown in one answer.
#[derive(Clone)]
pub(crate) enum View {
    /// The stored bytes.
    Stored { api_version: String, kind: String, list_kind: String },
    /// The stored object in the form of another API group.
    Converted { api_version: String, kind: String, list_kind: String, convert: fn(Value) -> Value },
    /// `PartialObjectMetadata`.
    Metadata,
    /// A row of a table.
    Table(Table),
}

impl View {
    /// The view that a request negotiated.
    pub(crate) fn new(resource: &Arc<Resource>, accept: Accept, params: &Params) -> ApiResult<Self> {
        Ok(match accept.shape {
            Shape::Metadata => Self::Metadata,
            Shape::Table => Self::Table(Table::new(resource, Include::parse(params.get("includeObject"))?)),
            Shape::Whole => Self::whole(resource),
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
            Self::Metadata => ("meta.k8s.io/v1", "PartialObjectMetadata"),
            Self::Table(_) => ("meta.k8s.io/v1", "Table"),
        }
    }

    /// `apiVersion` and `kind` of a list of objects in this view.
    pub(crate) fn type_of_list(&self) -> (&str, &str) {
        match self {
            Self::Stored { api_version, list_kind, .. } | Self::Converted { api_version, list_kind, .. } => {
                (api_version, list_kind)
            }
            Self::Metadata => ("meta.k8s.io/v1", "PartialObjectMetadataList"),
            Self::Table(_) => ("meta.k8s.io/v1", "Table"),
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
            Self::Metadata => partial(&record.json),
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

/// `PartialObjectMetadata` around the object's own metadata, which is copied as it stands.
fn partial(json: &[u8]) -> ApiResult<Bytes> {
    #[derive(Deserialize)]
    struct Head<'a> {
        #[serde(borrow)]
        metadata: &'a RawValue,
    }
    let head: Head<'_> =
        serde_json::from_slice(json).map_err(|e| ApiError::internal(format!("a stored object does not parse: {e}")))?;
    let text = format!(
        "{{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{}}}",
        head.metadata.get()
    );
    Ok(text.into())
}

/// `metadata` of the object as a value, for table rows.
pub(crate) fn metadata_only(object: &Value) -> Value {
    serde_json::json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": object.get("metadata").cloned().unwrap_or_default(),
    })
}
