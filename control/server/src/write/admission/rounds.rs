//! The rounds of mutating admission: when one plugin changes what another has seen, everybody is asked once more
//! (`k8s.io/apiserver/pkg/admission/reinvocation.go`).
//!
//! A plugin that calls others (webhooks, mutating policies) tells which it has called, and which of them want to see what
//! has changed since (`reinvocationPolicy: IfNeeded`). Its order of calls for each round:
//! [`begin`](Rounds::begin), for each of its hooks [`skips`](Rounds::skips) and, if not, [`called`](Rounds::called), then
//! [`end`](Rounds::end).
//!
//! Invariant: there are two rounds at most.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use coracle_api::{ApiError, ApiResult, Reason};
use serde_json::Value;

/// How long both rounds may take together: what kube-apiserver gives a request (`--request-timeout`). Each webhook has a
/// time of its own, but there may be many of them, one after the other.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The rounds of one write.
#[derive(Debug)]
pub(crate) struct Rounds {
    begun: Instant,
    /// This is the second one.
    second: bool,
    /// Somebody has changed the object.
    wanted: bool,
    plugins: BTreeMap<&'static str, Called>,
}

/// What one plugin has called.
#[derive(Debug, Default)]
struct Called {
    /// The object as it was when the plugin was done.
    output: Option<Value>,
    /// Has seen the object, and wants to see it again if it changes.
    waiting: BTreeSet<String>,
    /// Is to see it again in the second round.
    due: BTreeSet<String>,
}

impl Called {
    fn wake(&mut self) {
        self.due.append(&mut self.waiting);
    }
}

impl Default for Rounds {
    fn default() -> Self {
        Self { begun: Instant::now(), second: false, wanted: false, plugins: BTreeMap::new() }
    }
}

impl Rounds {
    /// The time that is left.
    ///
    /// # Errors
    /// 504 when there is none.
    pub(crate) fn left(&self) -> ApiResult<Duration> {
        let left = TIMEOUT.saturating_sub(self.begun.elapsed());
        let late = || ApiError::new(Reason::Timeout, "request did not complete within requested timeout");
        (!left.is_zero()).then_some(left).ok_or_else(late)
    }

    /// The number of the round, from 0, as annotations of the audit log have it.
    pub(crate) fn number(&self) -> usize {
        usize::from(self.second)
    }

    /// The plugin begins its calls about the object.
    pub(crate) fn begin(&mut self, plugin: &'static str, object: &Value) {
        let called = self.plugins.entry(plugin).or_default();
        // Somebody else has changed it since.
        if self.second && called.output.as_ref() != Some(object) {
            called.wake();
        }
    }

    /// Whether the hook is not to be called in this round: in the second, only those that wait for a change are.
    pub(crate) fn skips(&self, plugin: &'static str, hook: &str) -> bool {
        self.second && !self.plugins.get(plugin).is_some_and(|called| called.due.contains(hook))
    }

    /// The hook has been called, and has changed the object or not. `again`: it wants to see later changes.
    pub(crate) fn called(&mut self, plugin: &'static str, hook: &str, changed: bool, again: bool) {
        let called = self.plugins.entry(plugin).or_default();
        if changed {
            called.wake();
            self.wanted = true;
        }
        if again {
            called.waiting.insert(hook.to_string());
        }
    }

    /// The plugin is done, and leaves the object like this.
    pub(crate) fn end(&mut self, plugin: &'static str, object: &Value) {
        let called = self.plugins.entry(plugin).or_default();
        // Only who waits for a change needs to be told of one.
        called.output = (!called.waiting.is_empty() || !called.due.is_empty()).then(|| object.clone());
    }

    /// Whether there is another round; it begins.
    pub(super) fn next(&mut self) -> bool {
        let another = self.wanted && !self.second;
        self.second = another;
        another
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn who_waits_for_changes_sees_those_of_later_hooks_once() {
        let mut rounds = Rounds::default();
        rounds.begin("p", &json!(0));
        assert!(!rounds.skips("p", "a"));
        rounds.called("p", "a", true, true);
        rounds.called("p", "b", true, true);
        rounds.called("p", "c", false, false);
        rounds.end("p", &json!(2));
        assert!(rounds.next());
        rounds.begin("p", &json!(2));
        assert_eq!(["a", "b", "c"].map(|hook| rounds.skips("p", hook)), [false, true, true]);
        rounds.called("p", "a", true, true);
        rounds.end("p", &json!(3));
        assert!(!rounds.next());
    }

    #[test]
    fn a_change_of_another_plugin_wakes_all_that_wait() {
        let mut rounds = Rounds::default();
        rounds.begin("p", &json!(0));
        rounds.called("p", "a", true, true);
        rounds.end("p", &json!(1));
        assert!(rounds.next());
        assert_eq!(rounds.number(), 1);
        rounds.begin("p", &json!(2));
        assert!(!rounds.skips("p", "a"));
    }

    #[test]
    fn the_rounds_end_when_their_time_is_over() {
        assert!(Rounds::default().left().is_ok());
        let Some(begun) = Instant::now().checked_sub(TIMEOUT) else { return };
        assert_eq!(Rounds { begun, ..Rounds::default() }.left().unwrap_err().code(), 504);
    }

    #[test]
    fn nothing_changed_is_one_round() {
        let mut rounds = Rounds::default();
        rounds.begin("p", &json!(0));
        rounds.called("p", "a", false, true);
        rounds.end("p", &json!(0));
        assert!(!rounds.next());
    }
}
