//! Stopping one container: its grace period, of which its preStop hook's time is a part.

use std::{net::IpAddr, sync::Arc, time::Duration};

use coracle_wasi_host::Container as Handle;
use k8s_openapi::api::core::v1::{Container, LifecycleHandler, Pod};
use tokio::time::{Instant, timeout};

use crate::{
    command::run_command,
    events::Subject,
    probes::{Action, Prober, Urgency, command},
    shared::Shared,
};

/// A year is for ever: times further away can't be counted by every clock.
const LONGEST_GRACE: Duration = Duration::from_secs(365 * 24 * 3600);
/// The grace of a container whose pod was deleted with none (kubelet's minimum).
const LEAST_GRACE: Duration = Duration::from_secs(1);
/// What a hook that took all of the grace leaves (kubelet's `minimumGracePeriodInSeconds`).
const GRACE_AFTER_HOOK: Duration = Duration::from_secs(2);

/// A hook ends with the grace period or the pod at the latest; this bounds one that nothing else ends.
const HOOK_LIMIT: Duration = Duration::from_secs(3600);

/// How long the pod's containers have to end: what its deletion says, otherwise its own.
pub fn grace_period(pod: &Pod) -> Duration {
    let own = || pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds).unwrap_or(30);
    let seconds = pod.metadata.deletion_grace_period_seconds.unwrap_or_else(own);
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).clamp(LEAST_GRACE, LONGEST_GRACE)
}

/// What is to be stopped.
pub struct Stopping {
    /// The container as the pod has it.
    pub container: Container,
    /// The container as it runs.
    pub handle: Handle,
    /// The pod's address.
    pub address: IpAddr,
    /// How long it has.
    pub grace: Duration,
    /// Whether its preStop hook comes first.
    pub hook: bool,
    /// For events.
    pub subject: Subject,
}

/// Runs the container's preStop hook, if it has one, and says how long the container has after that; None if it has
/// ended meanwhile.
pub async fn pre_stop(shared: Arc<Shared>, what: Stopping) -> Option<Duration> {
    let Stopping { container, handle, address, grace, hook, subject } = what;
    let begun = Instant::now();
    let lifecycle = container.lifecycle.as_ref().filter(|_| hook);
    let Some(hook) = lifecycle.and_then(|lifecycle| lifecycle.pre_stop.as_ref()) else {
        return Some(grace);
    };
    let place = HookPlace { prober: &shared.prober, container: &container, handle: &handle, address };
    tokio::select! {
        result = timeout(grace, run_hook(hook, &place)) => match result {
            Ok(Ok(())) => {}
            Ok(Err(message)) => {
                tracing::debug!(container = container.name, message, "PreStop hook failed");
                shared.events.warning(&subject, "FailedPreStopHook", "PreStopHook failed");
            }
            Err(_) => tracing::info!(container = container.name, "PreStop hook not completed in grace period"),
        },
        _ = handle.wait() => return None,
    }
    Some(grace.saturating_sub(begun.elapsed()).max(GRACE_AFTER_HOOK.min(grace)))
}

/// Where a hook runs.
pub struct HookPlace<'a> {
    /// Asks by HTTP.
    pub prober: &'a Prober,
    /// The container as the pod has it.
    pub container: &'a Container,
    /// The container as it runs.
    pub handle: &'a Handle,
    /// The pod's address.
    pub address: IpAddr,
}

/// Runs a hook (`lifecycle.preStop`, `lifecycle.postStart`). Its only limit is what is around it.
pub async fn run_hook(hook: &LifecycleHandler, place: &HookPlace<'_>) -> Result<(), String> {
    if let Some(sleep) = &hook.sleep {
        tokio::time::sleep(Duration::from_secs(u64::try_from(sleep.seconds).unwrap_or(0))).await;
        return Ok(());
    }
    if let Some(exec) = &hook.exec {
        return place.exec(&command(exec, place.container)).await;
    }
    let (action, port) = match (&hook.http_get, &hook.tcp_socket) {
        (Some(get), _) => (Action::http(get, place.container, place.address), &get.port),
        (None, Some(socket)) => (Action::tcp(socket, place.container, place.address), &socket.port),
        (None, None) => return Err("invalid handler: no handler is given".to_owned()),
    };
    let action = action.ok_or_else(|| format!("couldn't find port {port:?}"))?;
    let done = place.prober.act(&action, Some(place.handle), HOOK_LIMIT, Urgency::AtOnce).await;
    done.map_err(|error| error.to_string())
}

impl HookPlace<'_> {
    async fn exec(&self, words: &[String]) -> Result<(), String> {
        let told = |error: &str, output: &str| {
            let name = &self.container.name;
            format!(
                "Exec lifecycle hook ([{}]) for Container {name:?} failed - error: {error}, message: {output:?}",
                words.join(" ")
            )
        };
        match run_command(self.handle, words, HOOK_LIMIT).await {
            Ok(finished) if finished.code == 0 => Ok(()),
            Ok(finished) => {
                Err(told(&format!("command '{}' exited with {}", words.join(" "), finished.code), &finished.output))
            }
            Err(failure) => Err(told(&failure.to_string(), "")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_deletion_decides_about_the_grace_and_leaves_a_second() {
        let grace = |deletion: Option<i64>, own: Option<i64>| {
            let pod = json!({"metadata": {"deletionGracePeriodSeconds": deletion}, "spec": {"containers": [], "terminationGracePeriodSeconds": own}});
            grace_period(&serde_json::from_value(pod).unwrap()).as_secs()
        };
        assert_eq!(
            [grace(None, None), grace(None, Some(5)), grace(Some(7), Some(5)), grace(Some(0), Some(5))],
            [30, 5, 7, 1]
        );
    }
}
