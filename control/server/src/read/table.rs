//! Tables (`meta.k8s.io/v1 Table`): what `kubectl get` prints is made here, from the kind's columns.

use std::sync::Arc;

use bytes::Bytes;
use coracle_api::catalog::{Column, ColumnType, TableColumn};
use coracle_api::{ApiResult, Resource, meta};
use coracle_store::Record;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::view::{metadata_only, parse};
use crate::http::Include;

/// The first column of every table but those of kinds that place it elsewhere (events).
const NAME: Column = Column {
    name: "Name",
    kind: ColumnType::String,
    format: "name",
    description: "Name must be unique within a namespace. Is required when creating resources, although some resources may \
                  allow a client to request the generation of an appropriate name automatically. Name is primarily \
                  intended for creation idempotence and configuration definition. Cannot be updated. More info: \
                  https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names",
    priority: 0,
};

/// The second column of a kind that has none of its own.
const CREATED_AT: Column = Column {
    name: "Created At",
    kind: ColumnType::String,
    format: "date",
    description: "CreationTimestamp is a timestamp representing the server time when this object was created. It is not \
                  guaranteed to be set in happens-before order across separate operations. Clients may not set this \
                  value. It is represented in RFC3339 form and is in UTC.",
    priority: 0,
};

/// How the rows of one kind are made.
#[derive(Clone)]
pub(crate) struct Table {
    resource: Arc<Resource>,
    columns: Arc<[TableColumn]>,
    include: Include,
    /// `meta.k8s.io/v1`, or as it was called before.
    pub(super) api_version: &'static str,
    /// The age of everything in one answer is as of its beginning.
    now_seconds: i64,
}

impl Table {
    pub(crate) fn new(resource: &Arc<Resource>, include: Include, api_version: &'static str) -> Self {
        let now_seconds = Timestamp::now().as_second();
        Self { resource: resource.clone(), columns: resource.columns().into(), include, api_version, now_seconds }
    }

    /// `columnDefinitions`
    pub(crate) fn columns(&self) -> Value {
        let name = (!self.resource.shows_own_name()).then(|| TableColumn::from(&NAME));
        let created_at = self.columns.is_empty().then(|| TableColumn::from(&CREATED_AT));
        name.iter().chain(&created_at).chain(self.columns.iter()).map(definition).collect()
    }

    /// One row.
    pub(crate) fn row(&self, record: &Record) -> ApiResult<Value> {
        let mut object = parse(&record.json)?;
        if let Some(convert) = self.resource.rules.from_storage {
            object = convert(object);
        }
        Ok(self.row_of(object))
    }

    fn row_of(&self, object: Value) -> Value {
        let mut cells = Vec::with_capacity(self.columns.len() + 1);
        if !self.resource.shows_own_name() {
            cells.push(json!(meta::name(&object)));
        }
        if self.columns.is_empty() {
            cells.push(json!(meta::text(&object, "creationTimestamp")));
        } else {
            cells.extend(self.resource.cells(&object, self.now_seconds));
        }
        let mut row = Map::new();
        row.insert("cells".into(), Value::Array(cells));
        let conditions = self.resource.row_conditions(&object);
        if !conditions.is_empty() {
            row.insert("conditions".into(), Value::Array(conditions));
        }
        match self.include {
            Include::Nothing => {}
            Include::Metadata => {
                row.insert("object".into(), metadata_only(&object, self.api_version));
            }
            Include::Object => {
                row.insert("object".into(), object);
            }
        }
        Value::Object(row)
    }

    /// A table of one row, as GET and watch events have it. Ages are as of now: a watch lasts.
    pub(crate) fn of_one(&self, record: &Record, headed: bool) -> ApiResult<Bytes> {
        let fresh = Self { now_seconds: Timestamp::now().as_second(), ..self.clone() };
        Ok(self.of_row(&fresh.row(record)?, &record.revision.to_string(), headed))
    }

    /// A table around an object that is not stored: the bookmark of a watch.
    pub(super) fn around(&self, object: &Value, version: &str, headed: bool) -> Bytes {
        self.of_row(&self.row_of(object.clone()), version, headed)
    }

    fn of_row(&self, row: &Value, version: &str, headed: bool) -> Bytes {
        let table = json!({
            "kind": "Table",
            "apiVersion": self.api_version,
            "metadata": { "resourceVersion": version },
            "columnDefinitions": if headed { self.columns() } else { Value::Null },
            "rows": [row],
        });
        table.to_string().into()
    }
}

fn definition(column: &TableColumn) -> Value {
    json!({
        "name": column.name,
        "type": column.kind,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    })
}
