//! The worker's part about probes and readiness.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;

use super::{Message, Stage, Worker};
use crate::probes::{Probe, ProbeKind, ProbeReport, ProbeRunner};

impl Worker {
    /// The container counts as started: the probes that wait for that begin.
    pub(super) fn set_started(&mut self, index: usize) {
        self.records[index].started = true;
        let has_readiness = self.probe(index, ProbeKind::Readiness);
        self.probe(index, ProbeKind::Liveness);
        if let Some(run) = &mut self.runs[index] {
            run.probed_ready = has_readiness.then_some(false);
        }
        self.refresh_ready(index);
    }

    /// Begins a probe, if the container has one of this kind.
    pub(super) fn probe(&mut self, index: usize, kind: ProbeKind) -> bool {
        let (Some(spec), Some(prepared), Some(run)) = (self.spec_of(index), &self.prepared, &self.runs[index]) else {
            return false;
        };
        let wire = match kind {
            ProbeKind::Startup => &spec.startup_probe,
            ProbeKind::Readiness => &spec.readiness_probe,
            ProbeKind::Liveness => &spec.liveness_probe,
        };
        // An init container that runs to its end is not probed, nor is one that only looks into the pod.
        let Some(wire) = wire.as_ref().filter(|_| self.records[index].counts_for_readiness()) else { return false };
        let probe = Probe::read(kind, wire, spec, prepared.address);
        let runner = ProbeRunner::new(probe, Some(run.handle.clone()));
        let number = run.number;
        self.ask(index, number, runner);
        true
    }

    fn ask(&mut self, index: usize, number: i32, runner: ProbeRunner) {
        let asking = runner.run(Arc::clone(&self.shared.prober));
        let told = asking.map(move |(runner, report)| Message::Probed(index, number, Box::new(runner), report));
        self.tasks.push(told.boxed());
    }

    pub(super) fn take_probe(&mut self, index: usize, number: i32, runner: ProbeRunner, report: ProbeReport) {
        let Some(run) = self.runs[index].as_ref().filter(|run| run.number == number) else { return };
        // What is to end need not be told that it should start again. But it may say that it takes no more work, or still
        // does, until it has ended (kubelet's `StopLivenessAndStartup`).
        let ends = run.stopping || matches!(self.stage, Stage::Ending(_));
        if ends && report.kind != ProbeKind::Readiness {
            return;
        }
        if let Some(failure) = &report.failure {
            self.shared.events.warning(&self.container_subject(index), "Unhealthy", failure);
        }
        match (report.kind, report.verdict) {
            (ProbeKind::Startup, Some(true)) => return self.set_started(index),
            (ProbeKind::Startup | ProbeKind::Liveness, Some(false)) => {
                let word = report.kind.word().to_lowercase();
                let message = format!("Container {} failed {word} probe, will be restarted", self.records[index].name);
                return self.stop_container(index, &message, runner.probe.grace);
            }
            (ProbeKind::Readiness, Some(ready)) => {
                if let Some(run) = &mut self.runs[index] {
                    run.probed_ready = Some(ready);
                }
                self.refresh_ready(index);
            }
            _ => {}
        }
        self.ask(index, number, runner);
    }

    pub(super) fn take_listening(&mut self, index: usize, number: i32) {
        if let Some(run) = self.runs[index].as_mut().filter(|run| run.number == number && !run.stopping) {
            run.listening = *run.handle.ready().borrow();
            self.refresh_ready(index);
        }
    }

    /// The preStop hook is over: a server gets no new connections from now on.
    pub(super) fn take_draining(&mut self, index: usize, number: i32, left: Duration) {
        let Some(run) = self.runs[index].as_mut().filter(|run| run.number == number) else { return };
        run.listening &= run.handle.address().is_none();
        let handle = run.handle.clone();
        self.tasks.push(async move { handle.stop(left).await }.map(|_| Message::Stopped).boxed());
        self.refresh_ready(index);
    }

    /// Ready: it runs, has started, takes connections, and its probe, if it has one, says so.
    pub(super) fn refresh_ready(&mut self, index: usize) {
        let record = &mut self.records[index];
        let run = self.runs[index].as_ref();
        let ready = run.is_some_and(|run| run.listening && run.probed_ready.unwrap_or(true));
        record.ready = ready && record.started && record.counts_for_readiness();
    }
}
