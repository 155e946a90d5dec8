//! Probes and lifecycle hooks.

use k8s_openapi::api::core::v1::{
    Container, ExecAction, GRPCAction, HTTPGetAction, LifecycleHandler, Probe, SleepAction, TCPSocketAction,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::field::Path;
use crate::kinds::check::Errors;
use crate::names;

/// All probes and hooks of a container that keeps running, in a pod with this grace period.
pub(super) fn validate(errors: &mut Errors, container: &Container, grace_seconds: Option<i64>, path: &Path) {
    if let Some(hooks) = &container.lifecycle {
        let path = path.child("lifecycle");
        for (field, hook) in [("postStart", &hooks.post_start), ("preStop", &hooks.pre_stop)] {
            if let Some(hook) = hook {
                handler(errors, &Handler::from(hook), grace_seconds, &path.child(field));
            }
        }
    }
    for (field, probe, once) in [
        ("livenessProbe", &container.liveness_probe, true),
        ("readinessProbe", &container.readiness_probe, false),
        ("startupProbe", &container.startup_probe, true),
    ] {
        let Some(probe) = probe else { continue };
        let path = path.child(field);
        self::probe(errors, probe, &path);
        let threshold = probe.success_threshold.unwrap_or_default();
        if once && threshold != 1 {
            errors.invalid(&path.child("successThreshold"), &threshold, "must be 1");
        }
        if field == "readinessProbe" && probe.termination_grace_period_seconds.is_some() {
            let value = &probe.termination_grace_period_seconds;
            errors.invalid(&path.child("terminationGracePeriodSeconds"), value, "must not be set for readinessProbes");
        }
    }
}

fn probe(errors: &mut Errors, probe: &Probe, path: &Path) {
    handler(errors, &Handler::from(probe), None, path);
    for (field, value) in [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ] {
        errors.not_negative(&path.child(field), value);
    }
    if let Some(seconds) = probe.termination_grace_period_seconds.filter(|s| *s <= 0) {
        errors.invalid(&path.child("terminationGracePeriodSeconds"), &seconds, "must be greater than 0");
    }
}

/// What a probe or a hook does.
#[derive(Default)]
struct Handler<'a> {
    exec: Option<&'a ExecAction>,
    http_get: Option<&'a HTTPGetAction>,
    tcp_socket: Option<&'a TCPSocketAction>,
    grpc: Option<&'a GRPCAction>,
    sleep: Option<&'a SleepAction>,
}

impl<'a> From<&'a Probe> for Handler<'a> {
    fn from(probe: &'a Probe) -> Self {
        Self {
            exec: probe.exec.as_ref(),
            http_get: probe.http_get.as_ref(),
            tcp_socket: probe.tcp_socket.as_ref(),
            grpc: probe.grpc.as_ref(),
            sleep: None,
        }
    }
}

impl<'a> From<&'a LifecycleHandler> for Handler<'a> {
    fn from(hook: &'a LifecycleHandler) -> Self {
        Self {
            exec: hook.exec.as_ref(),
            http_get: hook.http_get.as_ref(),
            tcp_socket: hook.tcp_socket.as_ref(),
            grpc: None,
            sleep: hook.sleep.as_ref(),
        }
    }
}

/// There is one action. The first one counts and is checked, any other is one too many.
fn handler(errors: &mut Errors, handler: &Handler<'_>, grace_seconds: Option<i64>, path: &Path) {
    let mut taken = false;
    let mut first = |errors: &mut Errors, is_set: bool, path: &Path| {
        if is_set && taken {
            errors.forbidden(path, "may not specify more than 1 handler type");
        }
        let is_first = is_set && !taken;
        taken |= is_set;
        is_first
    };
    let at = path.child("exec");
    if first(errors, handler.exec.is_some(), &at)
        && handler.exec.is_some_and(|action| action.command.as_ref().is_none_or(Vec::is_empty))
    {
        errors.required(&at.child("command"), "");
    }
    let at = path.child("httpGet");
    if let (true, Some(action)) = (first(errors, handler.http_get.is_some(), &at), handler.http_get) {
        http_get(errors, action, &at);
    }
    let at = path.child("tcpSocket");
    if let (true, Some(action)) = (first(errors, handler.tcp_socket.is_some(), &at), handler.tcp_socket) {
        port(errors, &action.port, &at.child("port"));
    }
    let at = path.child("grpc");
    if let (true, Some(action)) = (first(errors, handler.grpc.is_some(), &at), handler.grpc) {
        port(errors, &IntOrString::Int(action.port), &at.child("port"));
    }
    let at = path.child("sleep");
    if let (true, Some(action), Some(grace)) =
        (first(errors, handler.sleep.is_some(), &at), handler.sleep, grace_seconds)
        && !(0..=grace).contains(&action.seconds)
    {
        let detail = format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
        errors.invalid(&at, &action.seconds, &detail);
    }
    if !taken {
        errors.required(path, "must specify a handler type");
    }
}

fn http_get(errors: &mut Errors, action: &HTTPGetAction, path: &Path) {
    if action.path.as_deref().unwrap_or_default().is_empty() {
        errors.required(&path.child("path"), "");
    }
    port(errors, &action.port, &path.child("port"));
    let scheme = action.scheme.as_deref().unwrap_or_default();
    errors.one_of_if_set(&path.child("scheme"), Some(scheme), &["HTTP", "HTTPS"]);
    for header in action.http_headers.iter().flatten() {
        errors.named(&path.child("httpHeaders"), &header.name, names::http_header_name);
    }
}

/// A port by number or by name.
pub(in crate::kinds) fn port(errors: &mut Errors, port: &IntOrString, path: &Path) {
    match port {
        IntOrString::Int(number) => {
            names::port_number(i64::from(*number)).iter().for_each(|detail| errors.invalid(path, number, detail));
        }
        IntOrString::String(name) => errors.named(path, name, names::port_name),
    }
}
