//! Whether there is room for a request: seats of its level, and a place among those that last.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::header::{HeaderValue, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use http::{Response, StatusCode};

use super::{Flow, Seat};
use crate::http::{drain, text};
use crate::hub::Hub;
use crate::identity::{MASTERS, User};
use crate::metrics::Held;

/// One user has at most this part of the requests that last, so that nobody takes them all from the others. Kubernetes
/// bounds neither.
const LASTING_PART: usize = 4;

/// How long a request goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Until it is answered.
    Short,
    /// For as long as somebody listens, but what is before the first event is work like any other.
    Watch,
    /// For as long as somebody listens.
    Connection,
}

/// What is asked of [`room`].
pub(crate) struct Asked<'a, W> {
    pub(crate) user: &'a User,
    /// Nobody's are classified whose requests are never limited.
    pub(crate) flow: Option<&'a Flow>,
    pub(crate) kind: Kind,
    pub(crate) writes: bool,
    /// Says how many seats it takes.
    pub(crate) width: W,
    /// `timeout` of its query, as Go writes durations.
    pub(crate) timeout: Option<&'a str>,
}

/// The room that a request has got, given back when the last clone is dropped: whatever still works for it has one.
#[derive(Clone)]
pub(crate) struct Room {
    pub(crate) held: Held,
    /// Until its work is done.
    pub(crate) seat: Option<Arc<Seat>>,
}

/// There is none.
pub(crate) struct Crowded;

/// Finds room for a request. The components of this process bound themselves, and must not be starved by clients outside:
/// they are counted, never refused.
pub(crate) async fn room<W: FnOnce() -> u32>(hub: &Hub, asked: Asked<'_, W>) -> Result<Room, Crowded> {
    let lasting = match asked.kind {
        Kind::Short => None,
        Kind::Watch | Kind::Connection => Some(lasting(hub, asked.user).ok_or(Crowded)?),
    };
    let seat = match (&hub.fairness, asked.flow) {
        (Some(fairness), Some(flow)) if asked.kind != Kind::Connection => {
            let timeout = asked.timeout.and_then(wanted);
            Some(Arc::new(fairness.seat(flow, asked.width, timeout).await.map_err(|_| Crowded)?))
        }
        _ => None,
    };
    let held = match lasting {
        Some(held) => held,
        None => hub.metrics.request(asked.writes, plain_limit(hub, asked.user, asked.writes)).ok_or(Crowded)?,
    };
    Ok(Room { held, seat })
}

fn lasting(hub: &Hub, user: &User) -> Option<Held> {
    let limit = hub.config.limits.long_running;
    match user.in_process {
        true => hub.metrics.long_running(usize::MAX, None),
        false => hub.metrics.long_running(limit, Some((&user.name, limit.div_ceil(LASTING_PART)))),
    }
}

/// How many requests of a kind there may be where nothing queues. Zero is no limit, and who may do everything is
/// answered always (`WithMaxInFlightLimit`).
fn plain_limit(hub: &Hub, user: &User, writes: bool) -> usize {
    let limits = &hub.config.limits;
    let limit = if writes { limits.mutating_in_flight } else { limits.read_only_in_flight };
    let unlimited = hub.fairness.is_some() || user.in_process || user.in_group(MASTERS) || limit == 0;
    if unlimited { usize::MAX } else { limit }
}

/// The answer to a request for which there is no room: no Status, as from kube-apiserver.
pub(crate) async fn turned_away(body: &mut Option<Body>) -> Response<Body> {
    if let Some(unread) = body.take() {
        drain(unread).await;
    }
    let mut response = text(StatusCode::TOO_MANY_REQUESTS, "Too many requests, please try again later.\n");
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The time that a request has: what it asks for (`timeout` of its query), if that is less than everybody has.
pub(crate) fn time(hub: &Hub, asked: Option<&str>) -> Duration {
    let most = hub.config.limits.request_timeout;
    asked.and_then(wanted).map_or(most, |asked| asked.min(most))
}

/// The time that is asked for. None at all is not asking (`WithRequestDeadline`).
fn wanted(text: &str) -> Option<Duration> {
    duration(text).filter(|time| !time.is_zero())
}

/// A duration as Go writes it: `1m30s`, `0.5s`. What is none is as if it was not given.
fn duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, f64); 6] = [("ns", 1e-9), ("us", 1e-6), ("ms", 1e-3), ("h", 3600.0), ("m", 60.0), ("s", 1.0)];
    let (mut rest, mut seconds) = (text, 0.0);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, behind) = rest.split_at(digits);
        let (unit, factor) = UNITS.into_iter().find(|(unit, _)| behind.starts_with(unit))?;
        seconds += number.parse::<f64>().ok()? * factor;
        rest = &behind[unit.len()..];
    }
    (!text.is_empty()).then(|| Duration::try_from_secs_f64(seconds).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        assert_eq!(duration("32s"), Some(Duration::from_secs(32)));
        assert_eq!(duration("1m0.5s"), Some(Duration::from_millis(60_500)));
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        for nonsense in ["", "s", "10", "10x", "-1s", "1e400s", "1..2s"] {
            assert_eq!(duration(nonsense), None, "{nonsense}");
        }
        assert_eq!((wanted("0s"), wanted("1s")), (None, Some(Duration::from_secs(1))));
    }
}
