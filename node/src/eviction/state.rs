//! Which thresholds are crossed, since when, and which conditions follow: a pure state machine over observations.

use std::time::Duration;

use tokio::time::Instant;

use super::{observe::Observations, signal::Condition, thresholds::Threshold};

/// Which conditions are true, by [`Condition::index`].
pub type Conditions = [bool; Condition::ALL.len()];

/// What was seen of the thresholds so far.
#[derive(Debug)]
pub struct State {
    thresholds: Vec<Threshold>,
    transition: Duration,
    /// By threshold: since when it is crossed.
    since: Vec<Option<Instant>>,
    /// By threshold: it was acted on at the last look, and its minimum reclaim counts until that is there.
    acted: Vec<bool>,
    /// By condition: when it last had a reason.
    seen: [Option<Instant>; Condition::ALL.len()],
}

impl State {
    /// Nothing seen yet.
    pub fn new(thresholds: Vec<Threshold>, transition: Duration) -> State {
        let (since, acted) = (vec![None; thresholds.len()], vec![false; thresholds.len()]);
        State { thresholds, transition, since, acted, seen: [None; Condition::ALL.len()] }
    }

    /// Takes in an observation. Returns the threshold to act on now, if there is one: memory before everything else.
    pub fn observe(&mut self, observations: &Observations, now: Instant) -> Option<Threshold> {
        for (place, threshold) in self.thresholds.iter().enumerate() {
            let crossed = is_crossed(threshold, observations, false)
                || (self.acted[place] && is_crossed(threshold, observations, true));
            self.since[place] = crossed.then(|| self.since[place].unwrap_or(now));
            if crossed {
                self.seen[threshold.signal.condition().index()] = Some(now);
            }
            self.acted[place] = self.since[place].is_some_and(|since| now.duration_since(since) >= threshold.grace);
        }
        let acted = self.thresholds.iter().zip(&self.acted).filter(|(_, acted)| **acted);
        acted.map(|(threshold, _)| *threshold).min_by_key(|threshold| threshold.signal as usize)
    }

    /// Whether nothing is short, not even for a moment.
    pub fn is_relieved(&self, observations: &Observations) -> bool {
        !self.thresholds.iter().any(|threshold| is_crossed(threshold, observations, false))
    }

    /// The conditions: each stays for a while after its last reason, so that it does not flap.
    pub fn conditions(&self, now: Instant) -> Conditions {
        self.seen.map(|seen| seen.is_some_and(|seen| seen == now || now.duration_since(seen) < self.transition))
    }
}

fn is_crossed(threshold: &Threshold, observations: &Observations, with_reclaim: bool) -> bool {
    let Some(observed) = observations.get(threshold.signal) else { return false };
    let reclaim = threshold.reclaim.filter(|_| with_reclaim).map_or(0, |amount| amount.of(observed.capacity));
    observed.available < threshold.amount.of(observed.capacity).saturating_add(reclaim)
}

#[cfg(test)]
mod tests {
    use super::super::{signal::Signal, thresholds::EvictionSettings};
    use super::*;

    fn state(settings: &EvictionSettings) -> State {
        State::new(settings.thresholds().unwrap(), settings.pressure_transition_period)
    }

    fn memory(available: u64) -> Observations {
        Observations::default().with(Signal::Memory, available, 1000).with(Signal::Nodefs, 900, 1000)
    }

    fn names(conditions: Conditions) -> Vec<&'static str> {
        Condition::ALL.into_iter().filter(|it| conditions[it.index()]).map(Condition::name).collect()
    }

    #[test]
    fn a_hard_threshold_acts_at_once_and_its_condition_stays_for_a_while() {
        let settings = EvictionSettings { hard: "memory.available<100".parse().unwrap(), ..Default::default() };
        let (mut state, begin) = (state(&settings), Instant::now());
        assert_eq!(state.observe(&memory(100), begin), None);
        assert!(names(state.conditions(begin)).is_empty());
        assert_eq!(state.observe(&memory(99), begin).map(|it| it.signal), Some(Signal::Memory));
        assert_eq!(names(state.conditions(begin)), ["MemoryPressure"]);
        let later = begin + Duration::from_secs(299);
        assert_eq!(state.observe(&memory(500), later), None);
        assert_eq!(names(state.conditions(later)), ["MemoryPressure"]);
        assert!(names(state.conditions(begin + Duration::from_secs(300))).is_empty());
    }

    #[test]
    fn without_a_transition_period_a_condition_is_true_while_it_has_a_reason() {
        let hard = "memory.available<100".parse().unwrap();
        let settings =
            EvictionSettings { hard, pressure_transition_period: Duration::ZERO, ..EvictionSettings::default() };
        let (mut state, begin) = (state(&settings), Instant::now());
        state.observe(&memory(1), begin);
        assert_eq!(names(state.conditions(begin)), ["MemoryPressure"]);
        let later = begin + Duration::from_secs(1);
        state.observe(&memory(500), later);
        assert!(names(state.conditions(later)).is_empty());
    }

    #[test]
    fn a_soft_threshold_waits_for_its_grace_period() {
        let settings = EvictionSettings {
            hard: "".parse().unwrap(),
            soft: "memory.available<20%".parse().unwrap(),
            soft_grace_periods: "memory.available=30s".parse().unwrap(),
            ..EvictionSettings::default()
        };
        let (mut state, begin) = (state(&settings), Instant::now());
        let at = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(state.observe(&memory(150), at(0)), None);
        // The condition does not wait: nothing new is to come here meanwhile.
        assert_eq!(names(state.conditions(at(0))), ["MemoryPressure"]);
        assert_eq!(state.observe(&memory(150), at(29)), None);
        assert!(state.observe(&memory(150), at(30)).is_some());
        assert_eq!(state.observe(&memory(300), at(31)), None);
        assert_eq!(state.observe(&memory(150), at(40)), None, "a new shortage has a new grace period");
    }

    #[test]
    fn a_shortage_lasts_until_the_minimum_is_reclaimed() {
        let settings = EvictionSettings {
            hard: "memory.available<100".parse().unwrap(),
            minimum_reclaim: "memory.available=50".parse().unwrap(),
            ..EvictionSettings::default()
        };
        let (mut state, now) = (state(&settings), Instant::now());
        assert_eq!(state.observe(&memory(120), now), None);
        assert!(state.observe(&memory(90), now).is_some());
        assert!(state.observe(&memory(149), now).is_some() && state.is_relieved(&memory(149)));
        assert_eq!(state.observe(&memory(150), now), None);
        assert_eq!(state.observe(&memory(149), now), None);
    }

    #[test]
    fn memory_comes_first_and_what_can_not_be_told_is_never_short() {
        let hard = "pid.available<100,nodefs.inodesFree<5%,nodefs.available<95%,memory.available<100".parse().unwrap();
        let settings = EvictionSettings { hard, ..EvictionSettings::default() };
        let (mut state, now) = (state(&settings), Instant::now());
        assert_eq!(state.observe(&memory(1), now).map(|it| it.signal), Some(Signal::Memory));
        assert_eq!(state.observe(&memory(900), now).map(|it| it.signal), Some(Signal::Nodefs));
        assert_eq!(names(state.conditions(now)), ["MemoryPressure", "DiskPressure"]);
    }
}
