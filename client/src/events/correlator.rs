//! Which notes become Events, which are counted on one, and which are dropped: client-go's `EventCorrelator`.
//!
//! Invariant: bounded; what was quiet for longest is forgotten first.

use super::recorder::{LANES, Told};
use crate::recent::RecentMap;
use jiff::Timestamp;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Events, and objects, remembered by all lanes together: what client-go remembers (`maxLruCacheEntries`), twice, as
/// objects are not spread evenly.
const REMEMBERED: usize = 8_192 / LANES;
/// Events one object may have in a burst (`defaultSpamBurst`).
const BURST: f64 = 25.0;
/// Seconds until it may have one more (`defaultSpamQPS` is 1/300).
const SECONDS_PER_EVENT: f64 = 300.0;
/// Messages of one reason about one object from which on they are combined (`defaultAggregateMaxEvents`).
const MAX_SIMILAR: usize = 10;
/// Seconds of quiet after which they are told apart again (`defaultAggregateIntervalInSeconds`).
const SIMILAR_SECONDS: f64 = 600.0;
/// Begins the message of an event combined from many.
const COMBINED: &str = "(combined from similar events): ";

/// What is to become of a note.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It becomes an Event.
    Create,
    /// The Event of this name gets this count.
    Count { name: String, count: i32 },
    /// The object has said too much.
    Drop,
}

/// See the module's documentation.
pub(super) struct Correlator {
    /// Name and count of what was written.
    events: RecentMap<String, (String, i32)>,
    similar: RecentMap<String, Similar>,
    rates: RecentMap<String, Rate>,
}

/// The messages that one object had of one reason lately.
struct Similar {
    hashes: HashSet<u64>,
    last: Timestamp,
}

/// A token bucket.
struct Rate {
    tokens: f64,
    at: Timestamp,
}

impl Correlator {
    /// One that remembers nothing yet.
    pub(super) fn new() -> Correlator {
        Correlator {
            events: RecentMap::new(REMEMBERED),
            similar: RecentMap::new(REMEMBERED),
            rates: RecentMap::new(REMEMBERED),
        }
    }

    /// The key under which the note's Event is to be remembered, and what becomes of it. A note that is combined with
    /// similar ones says so in its message from now on.
    pub(super) fn decide(&mut self, told: &mut Told) -> (String, Decision) {
        let key = self.combine(told);
        // Counted even when it is not told, so that a later one tells the truth.
        let written = self.events.get_mut(&key).map(|(name, count)| {
            *count = count.saturating_add(1);
            (name.clone(), *count)
        });
        let decision = match written {
            _ if !self.spend(object_of(told), told.note.at) => Decision::Drop,
            Some((name, count)) => Decision::Count { name, count },
            None => Decision::Create,
        };
        (key, decision)
    }

    /// The Event of this key was written.
    pub(super) fn remember(&mut self, key: String, name: String, count: i32) {
        self.events.insert(key, (name, count));
    }

    fn combine(&mut self, told: &mut Told) -> String {
        let similar = format!("{}/{}/{}", object_of(told), told.note.severity.as_str(), told.note.reason);
        if self.count_similar(&similar, &told.note.message, told.note.at) {
            told.note.message.insert_str(0, COMBINED);
            return similar;
        }
        let field = told.note.subject.field_path.as_deref().unwrap_or_default();
        format!("{similar}/{field}/{}", told.note.message)
    }

    /// Whether there were so many different messages lately that this one is combined with them.
    fn count_similar(&mut self, key: &str, message: &str, now: Timestamp) -> bool {
        let mut hasher = DefaultHasher::new();
        message.hash(&mut hasher);
        let hash = hasher.finish();
        let key = key.to_owned();
        let Some(similar) = self.similar.get_mut(&key) else {
            self.similar.insert(key, Similar { hashes: HashSet::from([hash]), last: now });
            return false;
        };
        if now.duration_since(similar.last).as_secs_f64() > SIMILAR_SECONDS {
            similar.hashes.clear();
        }
        similar.last = now;
        if similar.hashes.contains(&hash) {
            return false;
        }
        // One fewer than the limit is kept: the set stays bounded, and the next new message is combined as well.
        let is_combined = similar.hashes.len() + 1 >= MAX_SIMILAR;
        if !is_combined {
            similar.hashes.insert(hash);
        }
        is_combined
    }

    fn spend(&mut self, object: String, now: Timestamp) -> bool {
        let Some(rate) = self.rates.get_mut(&object) else {
            self.rates.insert(object, Rate { tokens: BURST - 1.0, at: now });
            return true;
        };
        let elapsed = now.duration_since(rate.at).as_secs_f64().max(0.0);
        rate.tokens = (rate.tokens + elapsed / SECONDS_PER_EVENT).min(BURST);
        rate.at = rate.at.max(now);
        let enough = rate.tokens >= 1.0;
        if enough {
            rate.tokens -= 1.0;
        }
        enough
    }
}

/// Who tells about whom.
fn object_of(told: &Told) -> String {
    let (source, subject) = (&told.source, &told.note.subject);
    let parts = [&source.component, &source.host, &subject.kind, &subject.namespace, &subject.name, &subject.uid];
    parts.map(|part| part.as_deref().unwrap_or_default()).join("/")
}

#[cfg(test)]
mod tests {
    use super::super::recorder::{Note, Severity};
    use super::*;
    use jiff::ToSpan;
    use k8s_openapi::api::core::v1::{EventSource, ObjectReference};
    use std::sync::Arc;

    fn told(reason: &'static str, message: &str, at: Timestamp) -> Told {
        let subject = ObjectReference { uid: Some("u".into()), ..ObjectReference::default() };
        let (subject, message) = (Arc::new(subject), message.to_owned());
        let note = Note { subject, severity: Severity::Warning, reason, action: None, message, at };
        Told { note, source: Arc::new(EventSource::default()) }
    }

    fn decide(correlator: &mut Correlator, reason: &'static str, message: &str, at: Timestamp) -> Decision {
        let mut told = told(reason, message, at);
        let (key, decision) = correlator.decide(&mut told);
        match &decision {
            Decision::Create => correlator.remember(key, told.note.message, 1),
            Decision::Count { name, count } => correlator.remember(key, name.clone(), *count),
            Decision::Drop => {}
        }
        decision
    }

    #[test]
    fn repetitions_are_counted_on_the_same_event() {
        let (mut correlator, now) = (Correlator::new(), Timestamp::UNIX_EPOCH);
        assert_eq!(decide(&mut correlator, "BackOff", "a", now), Decision::Create);
        let again = Decision::Count { name: "a".into(), count: 2 };
        assert_eq!(decide(&mut correlator, "BackOff", "a", now), again);
        assert_eq!(decide(&mut correlator, "BackOff", "b", now), Decision::Create);
    }

    #[test]
    fn one_object_cannot_flood_the_api() {
        let (mut correlator, now) = (Correlator::new(), Timestamp::UNIX_EPOCH);
        let passed = (0..100).filter(|_| decide(&mut correlator, "BackOff", "a", now) != Decision::Drop).count();
        assert_eq!(passed, 25);
        let later = now + 301.seconds();
        let true_count = Decision::Count { name: "a".into(), count: 101 };
        assert_eq!(decide(&mut correlator, "BackOff", "a", later), true_count, "those dropped are counted");
        assert_eq!(decide(&mut correlator, "BackOff", "a", later), Decision::Drop);
    }

    #[test]
    fn many_similar_events_are_combined() {
        let (mut correlator, now) = (Correlator::new(), Timestamp::UNIX_EPOCH);
        let mut create = |message: &str, at| decide(&mut correlator, "SuccessfulCreate", message, at);
        for n in 0..9 {
            assert_eq!(create(&format!("Created pod: {n}"), now), Decision::Create);
        }
        assert_eq!(create("Created pod: 9", now), Decision::Create, "the combined one");
        let name = "(combined from similar events): Created pod: 9".to_owned();
        assert_eq!(create("Created pod: 10", now), Decision::Count { name, count: 2 });
        let known = Decision::Count { name: "Created pod: 3".into(), count: 2 };
        assert_eq!(create("Created pod: 3", now), known, "one that was told by itself");
        assert_eq!(create("Created pod: 11", now + 601.seconds()), Decision::Create, "after ten minutes of quiet");
        assert_eq!(decide(&mut correlator, "FailedCreate", "m", now), Decision::Create, "another reason");
    }

    #[test]
    fn memory_is_bounded() {
        let mut correlator = Correlator::new();
        for n in 0..3 * REMEMBERED {
            let mut told = told("R", "m", Timestamp::UNIX_EPOCH);
            told.note.subject = Arc::new(ObjectReference { uid: Some(n.to_string()), ..ObjectReference::default() });
            let (key, _) = correlator.decide(&mut told);
            correlator.remember(key, n.to_string(), 1);
        }
        assert!(correlator.events.len() <= REMEMBERED && correlator.rates.len() <= REMEMBERED);
        assert!(correlator.similar.len() <= REMEMBERED);
    }
}
