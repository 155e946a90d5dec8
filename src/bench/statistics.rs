//! Percentiles of a handful of durations.

use std::time::Duration;

/// Durations, sorted once they are asked about.
#[derive(Debug, Default)]
pub struct Sample {
    durations: Vec<Duration>,
}

impl Sample {
    /// Adds one.
    pub fn push(&mut self, duration: Duration) {
        self.durations.push(duration);
    }

    /// Adds all of another.
    pub fn extend(&mut self, other: Self) {
        self.durations.extend(other.durations);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.durations.len()
    }

    /// `n=100 min 3.1 ms p50 4.0 ms p90 … p99 … max …`
    pub fn summary(&mut self) -> String {
        if self.durations.is_empty() {
            return "n=0".into();
        }
        self.durations.sort();
        let ms = |d: Duration| format!("{:.2} ms", d.as_secs_f64() * 1000.0);
        format!(
            "n={} min {} p50 {} p90 {} p99 {} max {}",
            self.durations.len(),
            ms(self.durations[0]),
            ms(self.percentile(50)),
            ms(self.percentile(90)),
            ms(self.percentile(99)),
            ms(self.durations[self.durations.len() - 1]),
        )
    }

    /// `p50 4.0 ms p99 …`
    pub fn short(&mut self) -> String {
        if self.durations.is_empty() {
            return "n=0".into();
        }
        self.durations.sort();
        let ms = |d: Duration| d.as_secs_f64() * 1000.0;
        let [p50, p99] = [50, 99].map(|percent| ms(self.percentile(percent)));
        format!("n={} p50 {p50:.2} ms p99 {p99:.2} ms", self.durations.len())
    }

    /// Nearest rank, on sorted durations.
    fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.durations.len() * percent).div_ceil(100).max(1);
        self.durations[rank - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_nearest_rank() {
        let mut sample = Sample::default();
        for ms in (1..=100).rev() {
            sample.push(Duration::from_millis(ms));
        }
        assert_eq!(sample.summary(), "n=100 min 1.00 ms p50 50.00 ms p90 90.00 ms p99 99.00 ms max 100.00 ms");
    }
}
