//! What `resourceVersion` and `resourceVersionMatch` mean for reads.

use std::num::IntErrorKind;
use std::time::Instant;

use coracle_api::{ApiError, ApiResult, Reason};
use coracle_store::{Scope, Snapshot};
use serde_json::json;

use super::list_options::{ListOptions, Rule};
use crate::hub::Hub;

/// How long clients are to wait before they ask for the revision again.
const RETRY_SECONDS: u32 = 1;

/// Which state a read wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Freshness {
    /// The newest (everything this server reads is the newest).
    Newest,
    /// At least that of this revision.
    NotOlderThan(u64),
    /// Exactly that of this revision.
    Exact(u64),
}

/// A `resourceVersion` as a number, 0 when there is none; the error is the text that a field error has for it.
fn revision(text: &str) -> Result<u64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    // Go takes no sign.
    let digits = if text.starts_with('+') { "+" } else { text };
    digits.parse::<u64>().map_err(|error| {
        let why = match error.kind() {
            IntErrorKind::PosOverflow => "value out of range",
            _ => "invalid syntax",
        };
        let quoted = json!(text);
        format!("resourceVersion: Invalid value: {quoted}: strconv.ParseUint: parsing {quoted}: {why}")
    })
}

/// The revision of a read of one object or of a watch. Nothing in upstream's server expects one that is no number:
/// the error goes through as it is.
pub(super) fn given_revision(text: &str) -> ApiResult<u64> {
    revision(text).map_err(|why| ApiError::new(Reason::Unknown, why))
}

impl Freshness {
    /// For a list. A limit without a match means the exact revision, as it did before there was a match (KEP-1904).
    pub(super) fn of_list(options: &ListOptions) -> ApiResult<Self> {
        let revision = revision(&options.version)
            .map_err(|why| ApiError::bad_request(format!("invalid resource version: {why}")))?;
        Ok(match (options.rule, revision) {
            (_, 0) => Self::Newest,
            (Some(Rule::Exact), revision) => Self::Exact(revision),
            (None, revision) if options.limit.is_some() => Self::Exact(revision),
            (_, revision) => Self::NotOlderThan(revision),
        })
    }

    /// For a single object.
    pub(super) fn of_get(version: &str) -> ApiResult<Self> {
        Ok(match given_revision(version)? {
            0 => Self::Newest,
            revision => Self::NotOlderThan(revision),
        })
    }

    /// Waits until the store is there, for a bounded time.
    pub(super) async fn wait(self, hub: &Hub) -> ApiResult<()> {
        let (Self::NotOlderThan(revision) | Self::Exact(revision)) = self else { return Ok(()) };
        let deadline = Instant::now() + hub.config.limits.revision_wait;
        if hub.store.revision() >= revision || hub.store.wait_for(revision, deadline).await {
            return Ok(());
        }
        Err(too_large(revision, hub.store.revision()))
    }

    /// The collection in that state.
    pub(super) async fn list(self, hub: &Hub, scope: &Scope) -> ApiResult<Snapshot> {
        self.wait(hub).await?;
        match self {
            Self::Exact(revision) => {
                let old = |_| ApiError::expired("The resourceVersion for the provided list is too old.");
                hub.store.list_at(scope, revision).map_err(old)
            }
            _ => Ok(hub.store.list(scope)),
        }
    }
}

/// 504 for a revision that does not come: clients know the cause and list again.
fn too_large(wanted: u64, current: u64) -> ApiError {
    let message = format!("Timeout: Too large resource version: {wanted}, current: {current}");
    let mut error = ApiError::new(Reason::Timeout, message);
    error.details.insert(
        "causes".into(),
        json!([{ "reason": "ResourceVersionTooLarge", "message": "Too large resource version" }]),
    );
    error.details.insert("retryAfterSeconds".into(), json!(RETRY_SECONDS));
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Params;

    fn list(query: &str) -> ApiResult<Freshness> {
        Freshness::of_list(&ListOptions::parse(&Params::parse(Some(query)), false)?)
    }

    #[test]
    fn lists_follow_the_table_of_the_documentation() {
        assert_eq!(list(""), Ok(Freshness::Newest));
        assert_eq!(list("limit=5"), Ok(Freshness::Newest));
        assert_eq!(list("resourceVersion=0"), Ok(Freshness::Newest));
        assert_eq!(list("resourceVersion=0&limit=5"), Ok(Freshness::Newest));
        assert_eq!(list("resourceVersion=0&resourceVersionMatch=NotOlderThan"), Ok(Freshness::Newest));
        assert_eq!(list("resourceVersion=7"), Ok(Freshness::NotOlderThan(7)));
        assert_eq!(list("resourceVersion=7&limit=5"), Ok(Freshness::Exact(7)));
        assert_eq!(list("resourceVersion=7&limit=-5"), Ok(Freshness::NotOlderThan(7)));
        assert_eq!(list("resourceVersion=7&limit=5&resourceVersionMatch=NotOlderThan"), Ok(Freshness::NotOlderThan(7)));
        assert_eq!(list("resourceVersion=7&resourceVersionMatch=Exact"), Ok(Freshness::Exact(7)));
    }

    #[test]
    fn what_is_no_number_is_refused_in_each_reader_s_words() {
        let text = "resourceVersion: Invalid value: \"+1\": strconv.ParseUint: parsing \"+1\": invalid syntax";
        let error = list("resourceVersion=%2B1").unwrap_err();
        assert_eq!((error.code(), error.message), (400, format!("invalid resource version: {text}")));
        let error = Freshness::of_get("+1").unwrap_err();
        assert_eq!((error.code(), error.message.as_str()), (500, text));
        let large = given_revision("99999999999999999999").unwrap_err();
        assert!(large.message.ends_with(": value out of range"), "{}", large.message);
    }
}
