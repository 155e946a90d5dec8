//! Stopping one container: its preStop hook, then its grace period, of which the hook's time is a part.

use std::{net::IpAddr, sync::Arc, time::Duration};

use coracle_wasi_host::Container as Handle;
use k8s_openapi::{
    api::core::v1::{Container, HTTPGetAction, LifecycleHandler, Pod},
    apimachinery::pkg::util::intstr::IntOrString,
};
use tokio::time::{Instant, timeout};

use crate::{
    command::run_command,
    events::Subject,
    network::{port_number, resolve_port},
    probes::{Prober, command, connect},
    shared::Shared,
};

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
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).max(LEAST_GRACE)
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
    /// For events.
    pub subject: Subject,
}

/// Stops a container. That it has ended is told by whoever waits for it.
pub async fn stop(shared: Arc<Shared>, what: Stopping) {
    let Stopping { container, handle, address, grace, subject } = what;
    let begun = Instant::now();
    let hook = container.lifecycle.as_ref().and_then(|lifecycle| lifecycle.pre_stop.clone());
    let mut left = grace;
    if let Some(hook) = hook {
        let place = HookPlace { prober: &shared.prober, container: &container, handle: &handle, address };
        let ended = handle.clone();
        tokio::select! {
            result = timeout(grace, run_hook(&hook, &place)) => match result {
                Ok(Ok(())) => {}
                Ok(Err(message)) => {
                    tracing::debug!(container = container.name, message, "PreStop hook failed");
                    shared.events.warning(&subject, "FailedPreStopHook", "PreStopHook failed");
                }
                Err(_) => tracing::info!(container = container.name, "PreStop hook not completed in grace period"),
            },
            _ = ended.wait() => return,
        }
        left = grace.saturating_sub(begun.elapsed()).max(GRACE_AFTER_HOOK.min(grace));
    }
    handle.stop(left).await;
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
    if let Some(get) = &hook.http_get {
        return place.http_get(get).await;
    }
    match &hook.tcp_socket {
        Some(socket) => {
            let port = place.port(&socket.port)?;
            connect(&place.host(socket.host.as_deref()), port, HOOK_LIMIT).await
        }
        None => Err("invalid handler: no handler is given".to_owned()),
    }
}

impl HookPlace<'_> {
    fn port(&self, port: &IntOrString) -> Result<u16, String> {
        let named = |name: &str| {
            let mut ports = self.container.ports.iter().flatten();
            let found = ports.find(|port| port.name.as_deref() == Some(name))?;
            port_number(found.container_port)
        };
        resolve_port(port, named).ok_or_else(|| format!("couldn't find port {port:?}"))
    }

    fn host(&self, given: Option<&str>) -> String {
        given.filter(|host| !host.is_empty()).map_or_else(|| self.address.to_string(), str::to_owned)
    }

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

    async fn http_get(&self, get: &HTTPGetAction) -> Result<(), String> {
        let (port, host) = (self.port(&get.port)?, self.host(get.host.as_deref()));
        let scheme = get.scheme.as_deref().unwrap_or("HTTP").to_ascii_lowercase();
        let path = get.path.as_deref().unwrap_or_default().trim_start_matches('/');
        let headers = get.http_headers.iter().flatten().map(|header| (header.name.clone(), header.value.clone()));
        let headers: Vec<_> = headers.collect();
        self.prober.get(&format!("{scheme}://{host}:{port}/{path}"), &headers, HOOK_LIMIT).await
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
