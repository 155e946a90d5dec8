//! What a watch is asked for: where it begins, how long it lasts, what it says beyond events.

use std::time::Duration;

use coracle_api::{ApiError, ApiResult, Reason};
use serde_json::json;

use super::version::revision;
use crate::http::Params;
use crate::hub::Hub;

/// What a watch request asks for besides its selection.
pub(super) struct Options {
    /// Where to begin; `None` is "now, after everything that exists".
    pub(super) from: Option<u64>,
    pub(super) bookmarks: bool,
    /// `sendInitialEvents`: everything that exists, then a bookmark that says so (KEP-3157).
    pub(super) initial: bool,
    pub(super) timeout: Duration,
}

impl Options {
    /// From the query. 422 for combinations that make no sense.
    pub(super) fn parse(params: &Params, hub: &Hub) -> ApiResult<Self> {
        let asked = params.get("sendInitialEvents").map(|_| params.flag("sendInitialEvents"));
        let rule = params.get("resourceVersionMatch");
        match (asked, rule) {
            (Some(_), None) => {
                return Err(invalid(
                    "sendInitialEvents: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
                ));
            }
            (Some(_), Some(rule)) if rule != "NotOlderThan" => {
                return Err(invalid(&format!(
                    "resourceVersionMatch: Unsupported value: {}: supported values: \"NotOlderThan\"",
                    json!(rule)
                )));
            }
            (None, Some(_)) => {
                return Err(invalid(
                    "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
                ));
            }
            _ => {}
        }
        let initial = asked == Some(true);
        let bookmarks = params.flag("allowWatchBookmarks");
        let from = match revision(params)? {
            None | Some(0) => None,
            Some(_) if initial => None,
            Some(revision) => Some(revision),
        };
        let limit = hub.config.limits.watch_timeout;
        let spread = limit.mul_f64(rand::random_range(0.0..1.0));
        let asked = params.integer("timeoutSeconds")?.and_then(|s| u64::try_from(s).ok()).filter(|s| *s > 0);
        // Longer than a day is as good as for ever, and timers have an end.
        let timeout = asked.map_or(limit + spread, |s| Duration::from_secs(s.min(86_400)));
        Ok(Self { from, bookmarks, initial, timeout })
    }
}

fn invalid(message: &str) -> ApiError {
    ApiError::new(Reason::Invalid, format!("ListOptions.meta.k8s.io \"\" is invalid: {message}"))
}
