//! The flags that bound requests, under the names that kube-apiserver has for them.

use std::time::Duration;

use anyhow::ensure;
use coracle_node::parse_duration;
use coracle_server::Limits;

/// How many requests the API server works on at a time, and who waits for whom.
#[derive(Debug, Clone, clap::Args)]
pub struct FairnessArgs {
    /// Requests queue by FlowSchemas and PriorityLevelConfigurations; `false` refuses what is beyond the two limits.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", action = clap::ArgAction::Set)]
    pub enable_priority_and_fairness: bool,
    /// Requests in progress that read. Priority levels share this and the next number; without them 0 is no limit.
    #[arg(long, value_name = "COUNT", default_value_t = 400)]
    pub max_requests_inflight: u32,
    /// Requests in progress that write.
    #[arg(long, value_name = "COUNT", default_value_t = 200)]
    pub max_mutating_requests_inflight: u32,
    /// The time that a request has; a quarter of it may pass in a queue.
    #[arg(long, value_name = "DURATION", default_value = "1m0s", value_parser = parse_duration)]
    pub request_timeout: Duration,
}

impl Default for FairnessArgs {
    fn default() -> Self {
        Self {
            enable_priority_and_fairness: true,
            max_requests_inflight: 400,
            max_mutating_requests_inflight: 200,
            request_timeout: Duration::from_secs(60),
        }
    }
}

impl FairnessArgs {
    /// Has the API server keep to it.
    pub fn apply(&self, limits: &mut Limits) -> anyhow::Result<()> {
        let (reading, writing) = (self.max_requests_inflight, self.max_mutating_requests_inflight);
        ensure!(
            !self.enable_priority_and_fairness || reading > 0 || writing > 0,
            "--max-requests-inflight and --max-mutating-requests-inflight must add up to something positive"
        );
        limits.priority_and_fairness = self.enable_priority_and_fairness;
        (limits.read_only_in_flight, limits.mutating_in_flight) = (reading as usize, writing as usize);
        limits.request_timeout = self.request_timeout;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        fairness: FairnessArgs,
    }

    fn limits(flags: &[&str]) -> anyhow::Result<Limits> {
        let command = Command::try_parse_from(std::iter::once("up").chain(flags.iter().copied()))?;
        let mut limits = Limits::default();
        command.fairness.apply(&mut limits)?;
        Ok(limits)
    }

    #[test]
    fn the_flags_are_kubernetes_own() {
        let usual = limits(&[]).unwrap();
        assert!(usual.priority_and_fairness);
        assert_eq!((usual.read_only_in_flight, usual.mutating_in_flight), (400, 200));
        assert_eq!(usual.request_timeout, Duration::from_secs(60));
        let plain = limits(&["--enable-priority-and-fairness=false", "--max-requests-inflight=0"]).unwrap();
        assert!(!plain.priority_and_fairness);
        assert_eq!((plain.read_only_in_flight, plain.mutating_in_flight), (0, 200));
        assert!(limits(&["--max-requests-inflight=0", "--max-mutating-requests-inflight=0"]).is_err());
        assert!(limits(&["--max-requests-inflight=-1"]).is_err());
    }
}
