//! Streams whose partners have not come: a connection takes two, which name the same request.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

/// The second stream of a connection comes within this time (kubelet's `DefaultStreamCreationTimeout`).
pub const PAIR_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a request's name. kubectl counts; the longest that others make is a UUID.
const REQUEST_LIMIT_BYTES: usize = 64;
/// Streams that may wait at a time: half of those that a client may open, as each of them could find its partner.
const WAITING_LIMIT: usize = 1024;

/// The streams that wait.
pub struct Pairs {
    patience: Duration,
    by_request: HashMap<Arc<str>, u32>,
    /// By number: the oldest first, as streams are opened in the order of their numbers.
    waiting: BTreeMap<u32, Waiting>,
}

struct Waiting {
    request: Arc<str>,
    is_error: bool,
    until: Instant,
}

/// A stream that waits, or did.
#[derive(Debug, PartialEq, Eq)]
pub struct Half {
    /// Its number.
    pub stream: u32,
    /// Whether errors are told on it.
    pub is_error: bool,
    /// The request that it names.
    pub request: Arc<str>,
}

/// The two streams of a connection.
#[derive(Debug, PartialEq, Eq)]
pub struct Pair {
    /// The one for data.
    pub data: u32,
    /// The one for errors.
    pub error: u32,
}

/// Why a stream may not wait.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPair {
    /// the name of its request is too long
    #[error("the name of a request has more than {REQUEST_LIMIT_BYTES} bytes")]
    TooLong,
    /// too many wait
    #[error("{WAITING_LIMIT} streams wait for their partners already")]
    TooMany,
    /// another stream has its place
    #[error("error processing stream for request {}: {} stream already assigned", .0.request, kind(.0.is_error))]
    Taken(Half),
}

fn kind(is_error: bool) -> &'static str {
    if is_error { "error" } else { "data" }
}

impl Pairs {
    /// Each waits for so long.
    pub fn new(patience: Duration) -> Pairs {
        Pairs { patience, by_request: HashMap::new(), waiting: BTreeMap::new() }
    }

    /// A stream was opened. The pair, if its partner waited; otherwise it waits itself.
    pub fn opened(&mut self, request: &str, stream: u32, is_error: bool, now: Instant) -> Result<Option<Pair>, NoPair> {
        if request.len() > REQUEST_LIMIT_BYTES {
            return Err(NoPair::TooLong);
        }
        match self.by_request.get(request).and_then(|first| self.half(*first)) {
            Some(half) if half.is_error == is_error => Err(NoPair::Taken(half)),
            Some(half) => {
                self.forget(half.stream);
                let (data, error) = if is_error { (half.stream, stream) } else { (stream, half.stream) };
                Ok(Some(Pair { data, error }))
            }
            None if self.waiting.len() >= WAITING_LIMIT => Err(NoPair::TooMany),
            None => {
                let request: Arc<str> = request.into();
                self.by_request.insert(Arc::clone(&request), stream);
                self.waiting.insert(stream, Waiting { request, is_error, until: now + self.patience });
                Ok(None)
            }
        }
    }

    /// A stream waits no longer, if it did.
    pub fn forget(&mut self, stream: u32) {
        if let Some(waiting) = self.waiting.remove(&stream) {
            self.by_request.remove(&waiting.request);
        }
    }

    /// Until when the oldest waits.
    pub fn until(&self) -> Option<Instant> {
        self.waiting.first_key_value().map(|(_, waiting)| waiting.until)
    }

    /// The oldest, if it has waited for too long; it waits no longer then.
    pub fn expired(&mut self, now: Instant) -> Option<Half> {
        let (stream, waiting) = self.waiting.first_key_value()?;
        let half = (waiting.until <= now).then(|| self.half(*stream))??;
        self.forget(half.stream);
        Some(half)
    }

    fn half(&self, stream: u32) -> Option<Half> {
        let waiting = self.waiting.get(&stream)?;
        Some(Half { stream, is_error: waiting.is_error, request: Arc::clone(&waiting.request) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Streams that are opened one a second.
    struct Client {
        pairs: Pairs,
        now: Instant,
    }

    impl Client {
        fn new() -> Client {
            Client { pairs: Pairs::new(PAIR_TIMEOUT), now: Instant::now() }
        }

        fn opens(&mut self, request: &str, stream: u32, is_error: bool) -> Result<Option<Pair>, NoPair> {
            self.now += Duration::from_secs(1);
            self.pairs.opened(request, stream, is_error, self.now)
        }
    }

    #[test]
    fn two_streams_of_a_request_are_a_pair_in_either_order() {
        let mut client = Client::new();
        assert_eq!(client.opens("a", 1, true), Ok(None));
        assert_eq!(client.opens("b", 3, false), Ok(None));
        assert_eq!(client.opens("a", 5, false), Ok(Some(Pair { data: 5, error: 1 })));
        assert_eq!(client.opens("b", 7, true), Ok(Some(Pair { data: 3, error: 7 })));
        assert!(client.pairs.waiting.is_empty() && client.pairs.by_request.is_empty());
    }

    #[test]
    fn a_second_stream_of_a_kind_leaves_the_first_where_it_is() {
        let mut client = Client::new();
        assert_eq!(client.opens("a", 1, true), Ok(None));
        let refused = client.opens("a", 3, true).unwrap_err();
        assert_eq!(refused.to_string(), "error processing stream for request a: error stream already assigned");
        assert_eq!(client.opens("a", 5, false), Ok(Some(Pair { data: 5, error: 1 })));
    }

    #[test]
    fn neither_long_names_nor_many_streams_wait() {
        let mut client = Client::new();
        assert_eq!(client.opens(&"x".repeat(REQUEST_LIMIT_BYTES + 1), 1, true), Err(NoPair::TooLong));
        assert_eq!(client.pairs.until(), None);
        let name = |stream: u32| format!("{stream:>REQUEST_LIMIT_BYTES$}");
        for stream in (0..).map(|n| n * 2 + 1).take(WAITING_LIMIT) {
            assert_eq!(client.opens(&name(stream), stream, true), Ok(None));
        }
        assert_eq!(client.opens("one more", 9_999, true), Err(NoPair::TooMany));
        assert_eq!(client.opens(&name(5), 9_999, false), Ok(Some(Pair { data: 9_999, error: 5 })));
        assert_eq!(client.opens("one more", 10_001, true), Ok(None));
    }

    #[test]
    fn each_waits_for_its_time_unless_it_is_forgotten() {
        let (mut client, second) = (Client::new(), Duration::from_secs(1));
        let begin = client.now;
        for (stream, request) in [(1, "a"), (3, "b"), (5, "c")] {
            client.opens(request, stream, true).unwrap();
        }
        client.pairs.forget(1);
        assert_eq!(client.opens("a", 7, false), Ok(None));
        let until = begin + second * 2 + PAIR_TIMEOUT;
        assert_eq!((client.pairs.until(), client.pairs.expired(until - second)), (Some(until), None));
        assert_eq!(client.pairs.expired(until), Some(Half { stream: 3, is_error: true, request: "b".into() }));
        assert_eq!(client.pairs.expired(until), None);
        assert!(!client.pairs.by_request.contains_key("b") && client.pairs.by_request.len() == 2);
    }
}
