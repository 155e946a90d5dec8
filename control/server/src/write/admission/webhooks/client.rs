//! Calling a webhook (`k8s.io/apiserver/pkg/util/webhook/client.go`), with the texts of client-go for what goes wrong.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use coracle_store::Store;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, Request, StatusCode};
use serde_json::Value;

use crate::outbound::{Outbound, ServiceRef, Trust};

/// How long a webhook is waited for that does not say.
const DEFAULT_SECONDS: u64 = 10;
/// Bytes of an answer: a patch that writes the largest object anew, in base 64, twice over.
const MAX_ANSWER_BYTES: usize = 8 << 20;
/// Bytes of an answer that an error quotes, as in client-go.
const MAX_QUOTED_BYTES: usize = 2048;

/// How one webhook is called.
pub(super) struct Client {
    /// Without the query.
    url: String,
    timeout: Duration,
    /// Or why there is no way to call it.
    outbound: Result<Outbound, String>,
}

impl Client {
    /// As the `clientConfig` and `timeoutSeconds` of a webhook say.
    pub(super) fn of(hook: &Value, store: &Store) -> Self {
        let config = &hook["clientConfig"];
        let seconds = hook["timeoutSeconds"].as_u64().unwrap_or(DEFAULT_SECONDS);
        let outbound =
            Trust::bundle(config["caBundle"].as_str()).and_then(|trust| Outbound::new(store.clone(), &trust));
        Self {
            url: url(config),
            timeout: Duration::from_secs(seconds),
            outbound: outbound.map_err(|error| error.to_string()),
        }
    }

    /// Posts a review and returns what is answered, within the webhook's own time and what is `left` of the request's.
    ///
    /// # Errors
    /// Says what has gone wrong, as people who run webhooks know it.
    pub(super) async fn post(&self, review: Vec<u8>, left: Duration) -> Result<Bytes, String> {
        let outbound = self.outbound.as_ref().map_err(|why| format!("could not get REST client: {why}"))?;
        let timeout = self.timeout.min(left);
        let url = format!("{}?timeout={}s", self.url, whole_seconds(timeout));
        let failed = |why: &dyn std::fmt::Display| format!("failed to call webhook: Post \"{url}\": {why}");
        let request = Request::post(&url)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json, */*")
            .body(Body::from(review))
            .map_err(|error| failed(&error))?;
        let answer = outbound.exchange(request, timeout, MAX_ANSWER_BYTES).await;
        let (head, body) = answer.map_err(|error| failed(&error))?.into_parts();
        if head.status.is_success() {
            return Ok(body);
        }
        Err(format!("failed to call webhook: {}", unexpected(head.status, &head.headers, &body)))
    }
}

/// Rounded up.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// The path is cleaned as client-go does it; a query is not part of a webhook's URL.
fn url(config: &Value) -> String {
    let (host, path) = match config["url"].as_str() {
        Some(url) => {
            let rest = url.find("://").map_or(0, |at| at + 3);
            let end = url[rest..].find(['/', '?', '#']).map_or(url.len(), |at| rest + at);
            let path = url[end..].split(['?', '#']).next().unwrap_or_default();
            (url[..end].to_string(), path)
        }
        None => {
            let service = ServiceRef::of(&config["service"]);
            let path = config["service"]["path"].as_str().unwrap_or_default();
            (format!("https://{}:{}", service.host(), service.port), path)
        }
    };
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    format!("{host}/{}", segments.join("/"))
}

/// What client-go makes of an answer that is no success and no Status (`errors.NewGenericServerResponse`).
fn unexpected(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> String {
    let media = headers.get(CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
    let quoted = String::from_utf8_lossy(&body[..body.len().min(MAX_QUOTED_BYTES)]);
    let said = if media.is_empty() || media.starts_with("text/") { quoted.trim() } else { "unknown" };
    let text = match status.as_u16() {
        400 => "the server rejected our request for an unknown reason",
        401 => "the server has asked for the client to provide credentials",
        403 | 406 | 415 => said,
        404 => "the server could not find the requested resource",
        405 => "the server does not allow this method on the requested resource",
        409 => "the server reported a conflict",
        422 => "the server rejected our request due to an error in our request",
        429 => "the server has received too many requests and has asked us to try again later",
        503 => "the server is currently unable to handle the request",
        504 => {
            "the server was unable to return a response in the time allotted, but may still be processing the request"
        }
        500.. => return format!("an error on the server ({said:?}) has prevented the request from succeeding"),
        code => {
            return format!("the server responded with the status code {code} but did not return more information");
        }
    };
    text.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn urls_are_those_of_client_go() {
        let service = json!({ "service": { "namespace": "n", "name": "s", "port": 443, "path": "/a/" } });
        assert_eq!(url(&service), "https://s.n.svc:443/a");
        assert_eq!(url(&json!({ "service": { "namespace": "n", "name": "s" } })), "https://s.n.svc:443/");
        assert_eq!(url(&json!({ "url": "https://h:8443/a/b" })), "https://h:8443/a/b");
        assert_eq!(url(&json!({ "url": "https://h" })), "https://h/");
        assert_eq!(whole_seconds(Duration::from_millis(9_001)), 10);
    }

    #[test]
    fn answers_that_are_no_success_are_told_as_client_go_does() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, "text/plain; charset=utf-8".parse().unwrap());
        let said = |code: u16, headers: &HeaderMap, body: &str| {
            unexpected(StatusCode::from_u16(code).unwrap(), headers, body.as_bytes())
        };
        let text = "an error on the server (\"out of order\") has prevented the request from succeeding";
        assert_eq!(said(500, &headers, "out of order\n"), text);
        assert_eq!(said(404, &headers, "x"), "the server could not find the requested resource");
        assert_eq!(
            said(302, &headers, ""),
            "the server responded with the status code 302 but did not return more information"
        );
        headers.insert(CONTENT_TYPE, "application/json".parse().unwrap());
        assert_eq!(said(502, &headers, "{}"), text.replace("out of order", "unknown"));
    }
}
