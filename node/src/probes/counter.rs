//! Thresholds: how many results in a row make a verdict.

/// Counts results in a row.
#[derive(Debug, Clone)]
pub struct Counter {
    success_threshold: u32,
    failure_threshold: u32,
    /// What the container counts as now; None: neither (a startup probe that has not finished).
    verdict: Option<bool>,
    last: Option<bool>,
    in_a_row: u32,
}

impl Counter {
    /// A counter that begins with `verdict`.
    pub fn new(success_threshold: u32, failure_threshold: u32, verdict: Option<bool>) -> Counter {
        Counter { success_threshold, failure_threshold, verdict, last: None, in_a_row: 0 }
    }

    /// Whether the container counts as well.
    pub fn is_success(&self) -> bool {
        self.verdict == Some(true)
    }

    /// Takes a result; the new verdict, if it changes.
    pub fn take(&mut self, success: bool) -> Option<bool> {
        self.in_a_row = if self.last == Some(success) { self.in_a_row.saturating_add(1) } else { 1 };
        self.last = Some(success);
        let threshold = if success { self.success_threshold } else { self.failure_threshold };
        if self.in_a_row < threshold || self.verdict == Some(success) {
            return None;
        }
        self.verdict = Some(success);
        self.verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_takes_as_many_results_in_a_row_as_the_threshold_says() {
        let mut readiness = Counter::new(2, 3, Some(false));
        let verdicts: Vec<_> = [true, false, true, true, true, false, false, true, false, false, false, false]
            .map(|r| readiness.take(r))
            .into();
        let mut expected = vec![None; 12];
        expected[3] = Some(true);
        expected[10] = Some(false);
        assert_eq!(verdicts, expected);
    }

    #[test]
    fn liveness_begins_alive_and_startup_undecided() {
        assert_eq!(Counter::new(1, 1, Some(true)).take(true), None);
        assert_eq!(Counter::new(1, 1, Some(true)).take(false), Some(false));
        assert_eq!(Counter::new(1, 1, None).take(true), Some(true));
        assert_eq!(Counter::new(1, 1, None).take(false), Some(false));
    }
}
