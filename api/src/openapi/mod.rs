//! OpenAPI documents: `/openapi/v2` as JSON and protobuf, `/openapi/v3` per group and version.
//!
//! kubectl reads them to validate, explain, diff and apply. What it looks for beyond the schemas themselves: the
//! `x-kubernetes-*` extensions, the `fieldValidation` and `dryRun` parameters of patch operations, and the media types
//! that a patch operation takes.
//!
//! Documents are built when they are first asked for and only their bytes are kept.

mod defaults;
mod definitions;
mod messages;
mod operations;
mod parameters;
mod protobuf;
#[cfg(test)]
mod tests;
mod usage;
mod v2;
mod v3;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use prost::Message as _;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::catalog::Catalog;

/// What clients ask for to get `/openapi/v2` as protobuf.
pub const V2_PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

/// The `Content-Type` of that answer: the name asked for is no valid media type, and client-go refuses to parse it.
pub const V2_PROTOBUF_ANSWER: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// A finished document.
#[derive(Debug, Clone)]
pub struct Document {
    /// The body.
    pub bytes: Arc<[u8]>,
    /// Hash of the body in hex: the `ETag`, and the `hash` parameter of version 3 URLs.
    pub hash: Arc<str>,
}

impl Document {
    fn new(bytes: Vec<u8>) -> Self {
        let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02X}")).collect();
        Self { bytes: bytes.into(), hash: hash.into() }
    }

    fn of(document: &Value) -> Self {
        Self::new(document.to_string().into_bytes())
    }

    /// The `ETag` header.
    pub fn etag(&self) -> String {
        format!("\"{}\"", self.hash)
    }
}

/// The documents of one catalogue.
#[derive(Debug)]
pub struct OpenApi {
    catalog: Catalog,
    /// `info.version`, such as `v1.36.0`.
    server_version: String,
    v2_json: OnceLock<Document>,
    v2_protobuf: OnceLock<Document>,
    v3: OnceLock<BTreeMap<String, Document>>,
    v3_index: OnceLock<Document>,
}

impl OpenApi {
    /// Documents about the catalogue; nothing is built yet.
    pub fn new(catalog: Catalog, server_version: impl Into<String>) -> Self {
        Self {
            catalog,
            server_version: server_version.into(),
            v2_json: OnceLock::new(),
            v2_protobuf: OnceLock::new(),
            v3: OnceLock::new(),
            v3_index: OnceLock::new(),
        }
    }

    /// `/openapi/v2` as JSON.
    pub fn v2_json(&self) -> Document {
        let build = || Document::of(&v2::document(&self.catalog, &self.server_version));
        self.v2_json.get_or_init(build).clone()
    }

    /// `/openapi/v2` as [`V2_PROTOBUF`].
    pub fn v2_protobuf(&self) -> Document {
        let build = || {
            let document = v2::document(&self.catalog, &self.server_version);
            Document::new(protobuf::document(&document).encode_to_vec())
        };
        self.v2_protobuf.get_or_init(build).clone()
    }

    /// `/openapi/v3`: which documents there are.
    pub fn v3_index(&self) -> Document {
        let build = || {
            let entry = |(path, document): (&String, &Document)| {
                let url = format!("/openapi/v3/{path}?hash={}", document.hash);
                (path.clone(), json!({ "serverRelativeURL": url }))
            };
            let paths: BTreeMap<String, Value> = self.v3_documents().iter().map(entry).collect();
            Document::of(&json!({ "paths": paths }))
        };
        self.v3_index.get_or_init(build).clone()
    }

    /// `/openapi/v3/api/v1` (with an empty group) and `/openapi/v3/apis/GROUP/VERSION`.
    pub fn v3_document(&self, group: &str, version: &str) -> Option<Document> {
        self.v3_documents().get(&v3_path(group, version)).cloned()
    }

    fn v3_documents(&self) -> &BTreeMap<String, Document> {
        self.v3.get_or_init(|| {
            let documents = v3::documents(&self.catalog, &self.server_version);
            documents.map(|((group, version), document)| (v3_path(&group, &version), Document::of(&document))).collect()
        })
    }
}

fn v3_path(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}
