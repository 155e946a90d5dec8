//! A write as webhooks are asked about it (`admission.Attributes`).

use std::borrow::Cow;
use std::sync::Arc;

use coracle_api::{ApiError, ApiResult, Resource, meta};
use serde::Serialize;
use serde_json::Value;

use super::super::{Action, Admitted};
use crate::convert;
use crate::hub::Hub;

/// Where a request goes, as rules see it.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Place<'a> {
    pub(in super::super) group: &'a str,
    pub(in super::super) version: &'a str,
    pub(in super::super) resource: &'a str,
    pub(in super::super) subresource: &'a str,
    /// Of a namespace itself: its name.
    pub(in super::super) namespace: &'a str,
}

impl Place<'_> {
    pub(in super::super) fn is_of_namespaces(&self) -> bool {
        (self.group, self.version, self.resource) == ("", "v1", "namespaces")
    }
}

/// A kind with its group and version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in super::super) struct Kind {
    pub(in super::super) group: String,
    pub(in super::super) version: String,
    pub(in super::super) kind: String,
}

impl Kind {
    fn of_row(row: &Resource) -> Self {
        Self { group: row.group.to_string(), version: row.version.to_string(), kind: row.kind.to_string() }
    }

    /// The kind that an object says it is of.
    fn of_object(object: &Value) -> Option<Self> {
        let (api_version, kind) = (object["apiVersion"].as_str()?, object["kind"].as_str()?);
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Some(Self { group: group.into(), version: version.into(), kind: kind.into() })
    }
}

/// What is asked about.
pub(in super::super) struct Asked<'a> {
    pub(in super::super) write: &'a Admitted<'a>,
    pub(in super::super) name: String,
    pub(in super::super) namespace: String,
    pub(in super::super) kind: Kind,
}

impl<'a> Asked<'a> {
    /// About a write of `object`; of a deletion that is the last version.
    pub(in super::super) fn about(write: &'a Admitted<'a>, object: &Value) -> Self {
        let named = if write.action == Action::Create && write.subresource.is_empty() { "" } else { write.name };
        let name = if named.is_empty() { meta::name(object) } else { named }.to_string();
        let namespace = if is_namespace(write) { name.clone() } else { write.namespace.to_string() };
        let kind = Kind::of_object(object).unwrap_or_else(|| Kind::of_row(write.resource));
        Self { write, name, namespace, kind }
    }

    /// Where the request goes; with `row`, where it would go in another version of the resource.
    pub(in super::super) fn place<'b>(&'b self, row: Option<&'b Resource>) -> Place<'b> {
        let row = row.unwrap_or(self.write.resource);
        Place {
            group: &row.group,
            version: &row.version,
            resource: &row.plural,
            subresource: self.write.subresource,
            namespace: &self.namespace,
        }
    }

    /// `CREATE`, `UPDATE` …
    pub(in super::super) fn operation(&self) -> &'static str {
        match self.write.action {
            Action::Create => "CREATE",
            Action::Update => "UPDATE",
            Action::Delete => "DELETE",
            Action::Connect => "CONNECT",
        }
    }

    /// Whether what is written is an object of the resource itself, not something about it (a Scale, options).
    fn is_of_row(&self) -> bool {
        self.kind == Kind::of_row(self.write.resource)
    }

    /// The kind in another version.
    pub(in super::super) fn kind_in(&self, row: Option<&Resource>) -> Cow<'_, Kind> {
        match row {
            Some(row) if self.is_of_row() => Cow::Owned(Kind::of_row(row)),
            _ => Cow::Borrowed(&self.kind),
        }
    }

    /// The same objects under another group or version.
    pub(in super::super) fn equivalents(&self, hub: &Hub) -> Vec<Arc<Resource>> {
        let (own, subresource, served) = (self.write.resource, self.write.subresource, hub.now_served());
        let stored_as = own.storage_key();
        let is_other = |row: &&Arc<Resource>| {
            (row.group != own.group || row.version != own.version)
                && row.storage_key() == stored_as
                && (subresource.is_empty() || row.subresources.iter().any(|known| known.name() == subresource))
        };
        served.catalog.rows().iter().filter(is_other).cloned().collect()
    }

    /// An object as another version shows it.
    ///
    /// # Errors
    /// 500 when it can't be converted.
    pub(in super::super) async fn shown<'v>(
        &self,
        hub: &Hub,
        row: Option<&Resource>,
        object: Option<&'v Value>,
    ) -> ApiResult<Option<Cow<'v, Value>>> {
        match (row, object) {
            (Some(row), Some(object)) if self.is_of_row() => {
                let shown = convert::between(hub, self.write.resource, row, object.clone()).await;
                shown.map(|shown| Some(Cow::Owned(shown))).map_err(|error| ApiError::internal(error.message))
            }
            (_, object) => Ok(object.map(Cow::Borrowed)),
        }
    }

    /// Back from what another version shows.
    ///
    /// # Errors
    /// 500 when it can't be converted.
    pub(in super::super) async fn back(&self, hub: &Hub, row: Option<&Resource>, object: Value) -> ApiResult<Value> {
        match row {
            Some(row) if self.is_of_row() => {
                let back = convert::between(hub, row, self.write.resource, object).await;
                back.map_err(|error| ApiError::internal(error.message))
            }
            _ => Ok(object),
        }
    }

    /// The row that decodes and defaults what a webhook makes; none for what is no object of the resource.
    pub(in super::super) fn row<'b>(&'b self, row: Option<&'b Resource>) -> Option<&'b Resource> {
        self.is_of_row().then(|| row.unwrap_or(self.write.resource))
    }
}

fn is_namespace(write: &Admitted<'_>) -> bool {
    write.resource.group.is_empty() && write.resource.plural == "namespaces"
}
