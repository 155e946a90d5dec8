//! Which runtime a pod asks for: its RuntimeClass names a handler.

use std::collections::HashMap;

use coracle_wasi_host::{Engine, Isolation, IsolationError, PodConfig, PodContext};
use k8s_openapi::api::core::v1::PodSpec;
use parking_lot::Mutex;

use crate::volumes::Objects;

/// The handler of pods with a process of their own. A RuntimeClass of this name is there by default.
const ISOLATED: &str = "wasm-isolated";

/// Handlers by which other runtimes run Wasm. Manifests that name them need not be changed: they mean the node's own.
const USUAL: [&str; 8] = ["", "wasm", "wasmtime", "wasmedge", "wasmer", "wamr", "spin", "wasmtime-spin-v2"];

/// Classes whose handlers are remembered. Administrators make them, and few.
const CLASSES_LIMIT: usize = 256;

/// Why a pod has no runtime.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// its class does not exist, or can't be read
    #[error("Failed to create pod sandbox: {0}")]
    Class(Box<kube::Error>),
    /// there is no such class
    #[error("Failed to create pod sandbox: runtimeclass.node.k8s.io {0:?} not found")]
    NoClass(String),
    /// nobody here has that handler
    #[error("Failed to create pod sandbox: failed to get sandbox runtime: no runtime for {0:?} is configured")]
    NoHandler(String),
    /// the process can't be started, or not be shut in
    #[error("Failed to create pod sandbox: {0}")]
    Isolation(#[from] IsolationError),
}

/// The runtimes of the node.
pub struct Runtimes {
    isolation: Option<Isolation>,
    /// The handlers of classes that pods have asked for; they can't be changed.
    handlers: Mutex<HashMap<String, String>>,
}

impl Runtimes {
    /// With `isolation`, pods can have processes of their own.
    pub fn new(isolation: Option<Isolation>) -> Runtimes {
        Runtimes { isolation, handlers: Mutex::default() }
    }

    /// The context of a pod, by the runtime that it asks for.
    pub async fn context(
        &self,
        objects: &dyn Objects,
        engine: &Engine,
        spec: &PodSpec,
        config: PodConfig,
    ) -> Result<PodContext, RuntimeError> {
        let class = spec.runtime_class_name.as_deref().filter(|class| !class.is_empty());
        let handler = match class {
            Some(class) => self.handler(objects, class).await?,
            None => String::new(),
        };
        match (&*handler, &self.isolation) {
            (ISOLATED, Some(isolation)) => Ok(PodContext::isolated(engine, config, isolation).await?),
            (usual, _) if USUAL.contains(&usual) => Ok(PodContext::new(engine, config)),
            _ => Err(RuntimeError::NoHandler(handler)),
        }
    }

    async fn handler(&self, objects: &dyn Objects, class: &str) -> Result<String, RuntimeError> {
        if let Some(handler) = self.handlers.lock().get(class) {
            return Ok(handler.clone());
        }
        let handler = match objects.runtime_class(class).await {
            Ok(Some(class)) => class.handler,
            Ok(None) => return Err(RuntimeError::NoClass(class.to_owned())),
            // A node without its server knows this one, which makes nothing weaker.
            Err(_) if class == ISOLATED => return Ok(class.to_owned()),
            Err(error) => return Err(RuntimeError::Class(Box::new(error))),
        };
        let mut handlers = self.handlers.lock();
        if handlers.len() >= CLASSES_LIMIT {
            handlers.clear();
        }
        handlers.insert(class.to_owned(), handler.clone());
        Ok(handler)
    }
}
