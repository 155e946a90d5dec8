//! Stopping one container: its preStop hook, then its grace period, of which the hook's time is a part.

use std::{net::IpAddr, sync::Arc, time::Duration};

use coracle_wasi_host::Container as Handle;
use k8s_openapi::api::core::v1::{Container, Pod};
use tokio::time::{Instant, timeout};

use crate::{network::resolve_port, probes::Prober, shared::Shared};

/// The grace of a container whose pod was deleted with none (kubelet's minimum).
const LEAST_GRACE: Duration = Duration::from_secs(1);
/// What a hook that took all of the grace leaves (kubelet's `minimumGracePeriodInSeconds`).
const GRACE_AFTER_HOOK: Duration = Duration::from_secs(2);

/// How long the pod's containers have to end: what its deletion says, otherwise its own.
pub fn grace_period(pod: &Pod) -> Duration {
    let own = || pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds).unwrap_or(30);
    let seconds = pod.metadata.deletion_grace_period_seconds.unwrap_or_else(own);
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).max(LEAST_GRACE)
}

/// Stops a container. That it has ended is told by whoever waits for it.
pub async fn stop(shared: Arc<Shared>, container: Container, handle: Handle, address: IpAddr, grace: Duration) {
    let begun = Instant::now();
    let hook = container.lifecycle.as_ref().and_then(|lifecycle| lifecycle.pre_stop.clone());
    let mut left = grace;
    if let Some(hook) = hook {
        let ended = handle.clone();
        let run = run_hook(&shared.prober, &hook, &container, address);
        tokio::select! {
            result = timeout(grace, run) => match result {
                Ok(Ok(())) => {}
                Ok(Err(message)) => tracing::info!(container = container.name, message, "PreStop hook failed"),
                Err(_) => tracing::info!(container = container.name, "PreStop hook not completed in grace period"),
            },
            _ = ended.wait() => return,
        }
        left = grace.saturating_sub(begun.elapsed()).max(GRACE_AFTER_HOOK.min(grace));
    }
    handle.stop(left).await;
}

/// Runs a hook (`lifecycle.preStop`, `lifecycle.postStart`).
pub async fn run_hook(
    prober: &Prober,
    hook: &k8s_openapi::api::core::v1::LifecycleHandler,
    container: &Container,
    address: IpAddr,
) -> Result<(), String> {
    if let Some(sleep) = &hook.sleep {
        tokio::time::sleep(Duration::from_secs(u64::try_from(sleep.seconds).unwrap_or(0))).await;
        return Ok(());
    }
    let Some(get) = &hook.http_get else {
        return Err("only sleep and httpGet hooks are supported for WebAssembly containers".to_owned());
    };
    let named = |name: &str| {
        let mut ports = container.ports.iter().flatten();
        ports
            .find(|port| port.name.as_deref() == Some(name))
            .and_then(|port| crate::network::port_number(port.container_port))
    };
    let port = resolve_port(&get.port, named).ok_or_else(|| format!("couldn't find port {:?}", get.port))?;
    let host = get.host.clone().filter(|host| !host.is_empty()).unwrap_or_else(|| address.to_string());
    let scheme = get.scheme.as_deref().unwrap_or("HTTP").to_ascii_lowercase();
    let path = get.path.as_deref().unwrap_or_default().trim_start_matches('/');
    let headers: Vec<_> =
        get.http_headers.iter().flatten().map(|header| (header.name.clone(), header.value.clone())).collect();
    // The hook's only limit is the grace period around it.
    prober.get(&format!("{scheme}://{host}:{port}/{path}"), &headers, Duration::from_secs(3600)).await
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
