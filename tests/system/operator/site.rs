//! The operator's own kind, written out as kube's derive macro would write it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use kube::Resource;
use kube::api::ObjectMeta;
use kube::core::{NamespaceResourceScope, TypeMeta};
use serde::{Deserialize, Serialize};

/// Its definition, with defaults, CEL rules, columns and both subresources.
pub const DEFINITION: &str = include_str!("site-crd.yaml");

/// A web site: pages, served by a Deployment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Site {
    /// `apiVersion` and `kind`
    #[serde(flatten)]
    pub types: TypeMeta,
    pub metadata: ObjectMeta,
    pub spec: Spec,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// What is wanted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    pub domain: String,
    /// Defaulted by the API, as the limit is.
    pub replicas: i32,
    #[serde(default)]
    pub pages: BTreeMap<String, String>,
    /// A Secret that must exist before the site is served.
    pub secret: Option<String>,
}

/// What is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    pub phase: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(default)]
    pub replicas: i32,
    pub observed_generation: Option<i64>,
}

impl Resource for Site {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "Site".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        "demo.example.com".into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "sites".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
