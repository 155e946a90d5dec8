//! Asking again and again. A runner sleeps between its questions and comes back only when there is something to say.

use std::sync::Arc;

use coracle_wasi_host::Container;
use tokio::time::{Instant, sleep_until};

use super::{
    counter::Counter,
    http::{ProbeError, Prober, Urgency},
    spec::{Probe, ProbeKind},
};

/// What a runner comes back with.
#[derive(Debug, PartialEq, Eq)]
pub struct ProbeReport {
    /// What it asked for.
    pub kind: ProbeKind,
    /// The event to record, if the last answer was none.
    pub failure: Option<String>,
    /// What the container counts as from now on, if that has changed.
    pub verdict: Option<bool>,
}

/// One probe of one run of a container.
pub struct ProbeRunner {
    /// The probe.
    pub probe: Probe,
    /// Where a command runs.
    container: Option<Container>,
    counter: Counter,
    next: Instant,
    /// The one event of a probe that can't ask has been recorded.
    excused: bool,
}

impl ProbeRunner {
    /// A runner for a container that has started now.
    pub fn new(probe: Probe, container: Option<Container>) -> ProbeRunner {
        let verdict = match probe.kind {
            ProbeKind::Startup => None,
            ProbeKind::Readiness => Some(false),
            ProbeKind::Liveness => Some(true),
        };
        let counter = Counter::new(probe.success_threshold, probe.failure_threshold, verdict);
        let next = Instant::now() + probe.initial_delay;
        ProbeRunner { probe, container, counter, next, excused: false }
    }

    /// Asks until there is something to say.
    pub async fn run(mut self, prober: Arc<Prober>) -> (ProbeRunner, ProbeReport) {
        let kind = self.probe.kind;
        loop {
            sleep_until(self.next).await;
            let urgency = if self.counter.is_success() { Urgency::NextBeat } else { Urgency::AtOnce };
            let answer = prober.ask(&self.probe, self.container.as_ref(), urgency).await;
            self.next = prober.turn_after((self.next + self.probe.period).max(Instant::now()));
            let answer = match answer {
                // An answer that can't be had is thrown away (kubelet's prober): nothing follows from it.
                Err(ProbeError::Unknown(_)) if self.excused => continue,
                Err(ProbeError::Unknown(why)) => {
                    self.excused = true;
                    let failure = format!("{} probe errored and resulted in unknown state: {why}", kind.word());
                    return (self, ProbeReport { kind, failure: Some(failure), verdict: None });
                }
                Err(ProbeError::Failed(why)) => Err(why),
                Ok(()) => Ok(()),
            };
            let verdict = self.counter.take(answer.is_ok());
            let failure = answer.err().map(|why| format!("{} probe failed: {why}", kind.word()));
            if failure.is_some() || verdict.is_some() {
                return (self, ProbeReport { kind, failure, verdict });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::probes::spec::Action;

    fn probe(kind: ProbeKind, action: Action) -> Probe {
        Probe {
            kind,
            action,
            initial_delay: Duration::from_millis(1),
            period: Duration::from_millis(1),
            timeout: Duration::from_secs(1),
            success_threshold: 1,
            failure_threshold: 2,
            grace: None,
        }
    }

    #[tokio::test]
    async fn a_failing_probe_tells_every_failure_and_one_verdict() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let action = Action::Tcp { host: "127.0.0.1".into(), port: free.port() };
        let prober = Prober::new().unwrap();
        let mut runner = ProbeRunner::new(probe(ProbeKind::Liveness, action), None);
        for verdict in [None, Some(false), None] {
            let (again, report) = runner.run(Arc::clone(&prober)).await;
            assert_eq!(report.verdict, verdict);
            let failure = report.failure.unwrap();
            assert!(failure.starts_with("Liveness probe failed: dial tcp 127.0.0.1"), "{failure}");
            runner = again;
        }
    }

    #[tokio::test]
    async fn a_probe_that_cannot_ask_says_so_once_and_decides_nothing() {
        let prober = Prober::new().unwrap();
        let runner = ProbeRunner::new(probe(ProbeKind::Readiness, Action::Impossible("no exec".into())), None);
        let (runner, report) = runner.run(Arc::clone(&prober)).await;
        assert_eq!(report.verdict, None);
        assert_eq!(report.failure.unwrap(), "Readiness probe errored and resulted in unknown state: no exec");
        assert!(tokio::time::timeout(Duration::from_millis(30), runner.run(prober)).await.is_err());
    }
}
