//! Calling a conversion webhook.

use std::time::Duration;

use axum::body::Body;
use coracle_api::custom::{ConversionError, Review};
use coracle_store::Store;
use http::Request;
use http::header::{ACCEPT, CONTENT_TYPE};
use serde_json::Value;
use uuid::Uuid;

use crate::outbound::{Outbound, ServiceRef, Trust};

/// What kube-apiserver gives a conversion webhook.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of an answer: a list of [`super::MAX_OBJECTS`] objects of the usual size, and some large ones.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// The webhook of one definition.
pub(crate) struct Webhook {
    url: String,
    /// `spec.conversion.webhook`
    webhook: Value,
    outbound: Outbound,
}

impl Webhook {
    /// From `spec.conversion.webhook`. The error is what a client is told who needs a conversion.
    pub(crate) fn of(webhook: &Value, store: Store) -> Result<Self, String> {
        let config = &webhook["clientConfig"];
        let url = match config["url"].as_str() {
            Some(url) => url.to_string(),
            None => {
                let service = ServiceRef::of(&config["service"]);
                let path = config["service"]["path"].as_str().unwrap_or_default().trim_start_matches('/');
                format!("https://{}:{}/{path}", service.host(), service.port)
            }
        };
        let trust = Trust::bundle(config["caBundle"].as_str()).map_err(|error| error.to_string())?;
        let outbound = Outbound::new(store, &trust).map_err(|error| error.to_string())?;
        Ok(Self { url, webhook: webhook.clone(), outbound })
    }

    /// The objects in the version `wanted`. The error is the whole text for the client; `what` is how it names them.
    pub(super) async fn convert(&self, what: &str, wanted: &str, objects: &[Value]) -> Result<Vec<Value>, String> {
        let refused = |error: ConversionError| match error {
            ConversionError::NoVersion => error.to_string(),
            ConversionError::Count { .. } => format!("conversion webhook for {what} {error}"),
            ConversionError::Type(_) | ConversionError::Object(_) | ConversionError::Metadata(_) => {
                format!("conversion webhook for {what} returned {error}")
            }
            _ => format!("conversion webhook for {what} failed: {error}"),
        };
        let uid = Uuid::new_v4().to_string();
        let review = Review::new(&self.webhook, uid, wanted, objects.to_vec()).map_err(refused)?;
        let Some(request) = review.request() else { return Ok(objects.to_vec()) };
        let failed = |why: String| format!("conversion webhook for {what} failed: {why}");
        let answer = self.ask(&request).await.map_err(failed)?;
        review.accept(&answer).map_err(refused)
    }

    async fn ask(&self, review: &Value) -> Result<Value, String> {
        let separator = if self.url.contains('?') { '&' } else { '?' };
        let url = format!("{}{separator}timeout={}s", self.url, TIMEOUT.as_secs());
        let failed = |why: &dyn std::fmt::Display| format!("Post \"{url}\": {why}");
        let request = Request::post(&url)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .body(Body::from(review.to_string()))
            .map_err(|error| failed(&error))?;
        let answer = self.outbound.exchange(request, TIMEOUT, MAX_ANSWER_BYTES).await.map_err(|e| failed(&e))?;
        if !answer.status().is_success() {
            let (code, text) = (answer.status().as_u16(), String::from_utf8_lossy(answer.body()).trim().to_string());
            let reason = answer.status().canonical_reason().unwrap_or_default();
            return Err(if text.is_empty() { format!("{code} {reason}") } else { text });
        }
        serde_json::from_slice(answer.body()).map_err(|error| error.to_string())
    }
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook").field("url", &self.url).finish_non_exhaustive()
    }
}
