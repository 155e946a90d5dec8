//! What `resourceVersion` and `resourceVersionMatch` mean for reads.

use std::time::Instant;

use coracle_api::{ApiError, ApiResult, Reason};
use coracle_store::{Scope, Snapshot};
use serde_json::json;

use crate::http::Params;
use crate::hub::Hub;

/// Which state a read wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// The newest (everything this server reads is the newest).
    Newest,
    /// At least that of this revision.
    NotOlderThan(u64),
    /// Exactly that of this revision.
    Exact(u64),
}

/// A resourceVersion in a query: `None` when absent. 400 when it is not a number.
pub(crate) fn revision(params: &Params) -> ApiResult<Option<u64>> {
    let Some(text) = params.get("resourceVersion") else { return Ok(None) };
    let parsed = text.parse().map_err(|_| {
        let quoted = json!(text);
        ApiError::bad_request(format!(
            "resourceVersion: Invalid value: {quoted}: strconv.ParseUint: parsing {quoted}: invalid syntax"
        ))
    });
    parsed.map(Some)
}

impl Freshness {
    /// For a list. A limit without a match means the exact revision, as it did before there was a match (KEP-1904).
    pub(crate) fn of_list(params: &Params) -> ApiResult<Self> {
        let revision = revision(params)?;
        let rule = params.get("resourceVersionMatch");
        if rule.is_some() && params.get("continue").is_some() {
            return Err(invalid(
                "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided",
            ));
        }
        let limited = params.integer("limit")?.is_some_and(|limit| limit > 0);
        match (rule, revision) {
            (Some(_), None) => Err(invalid(
                "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
            )),
            (Some("Exact"), Some(0)) => Err(invalid(
                "resourceVersionMatch: Forbidden: resourceVersionMatch \"Exact\" is forbidden for resourceVersion \"0\"",
            )),
            (Some("Exact"), Some(revision)) => Ok(Self::Exact(revision)),
            (Some("NotOlderThan") | None, Some(0)) | (None, None) => Ok(Self::Newest),
            (None, Some(revision)) if limited => Ok(Self::Exact(revision)),
            (Some("NotOlderThan") | None, Some(revision)) => Ok(Self::NotOlderThan(revision)),
            (Some(other), _) => Err(invalid(&format!(
                "resourceVersionMatch: Unsupported value: {}: supported values: \"Exact\", \"NotOlderThan\", \"\"",
                json!(other)
            ))),
        }
    }

    /// For a single object.
    pub(crate) fn of_get(params: &Params) -> ApiResult<Self> {
        Ok(revision(params)?.filter(|r| *r > 0).map_or(Self::Newest, Self::NotOlderThan))
    }

    /// Waits until the store is there, for a bounded time.
    pub(crate) async fn wait(self, hub: &Hub) -> ApiResult<()> {
        let (Self::NotOlderThan(revision) | Self::Exact(revision)) = self else { return Ok(()) };
        let deadline = Instant::now() + hub.config.limits.revision_wait;
        if hub.store.revision() >= revision || hub.store.wait_for(revision, deadline).await {
            return Ok(());
        }
        Err(too_large(revision, hub.store.revision()))
    }

    /// The collection in that state.
    pub(crate) async fn list(self, hub: &Hub, scope: &Scope) -> ApiResult<Snapshot> {
        self.wait(hub).await?;
        match self {
            Self::Exact(revision) => hub.store.list_at(scope, revision).map_err(|e| ApiError::expired(e.to_string())),
            _ => Ok(hub.store.list(scope)),
        }
    }
}

fn invalid(message: &str) -> ApiError {
    ApiError::new(Reason::Invalid, format!("ListOptions.meta.k8s.io \"\" is invalid: {message}"))
}

/// 504 for a revision that does not come: clients know the cause and list again.
fn too_large(wanted: u64, current: u64) -> ApiError {
    let message = format!("Too large resource version: {wanted}, current: {current}");
    let mut error = ApiError::new(Reason::Timeout, message);
    error.details.insert(
        "causes".into(),
        json!([{ "reason": "ResourceVersionTooLarge", "message": "Too large resource version" }]),
    );
    error.details.insert("retryAfterSeconds".into(), json!(1));
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(query: &str) -> ApiResult<Freshness> {
        Freshness::of_list(&Params::parse(Some(query)))
    }

    #[test]
    fn lists_follow_the_table_of_the_documentation() {
        assert_eq!(list(""), Ok(Freshness::Newest));
        assert_eq!(list("resourceVersion=0"), Ok(Freshness::Newest));
        assert_eq!(list("resourceVersion=7"), Ok(Freshness::NotOlderThan(7)));
        assert_eq!(list("resourceVersion=7&limit=5"), Ok(Freshness::Exact(7)));
        assert_eq!(list("resourceVersion=7&limit=5&resourceVersionMatch=NotOlderThan"), Ok(Freshness::NotOlderThan(7)));
        assert_eq!(list("resourceVersion=7&resourceVersionMatch=Exact"), Ok(Freshness::Exact(7)));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert_eq!(list("resourceVersionMatch=Exact").unwrap_err().code(), 422);
        assert_eq!(list("resourceVersionMatch=Exact&resourceVersion=0").unwrap_err().code(), 422);
        assert_eq!(list("resourceVersion=abc").unwrap_err().code(), 400);
    }
}
