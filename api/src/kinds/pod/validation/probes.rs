//! Probes and lifecycle hooks.

use k8s_openapi::api::core::v1::{Container, HTTPGetAction, LifecycleHandler, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::field::Path;
use crate::kinds::check::Errors;
use crate::names;

/// All probes and hooks of a container that keeps running.
pub(super) fn validate(errors: &mut Errors, container: &Container, path: &Path) {
    if let Some(hooks) = &container.lifecycle {
        let path = path.child("lifecycle");
        for (field, hook) in [("postStart", &hooks.post_start), ("preStop", &hooks.pre_stop)] {
            if let Some(hook) = hook {
                self::hook(errors, hook, &path.child(field));
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
        if once && probe.success_threshold.is_some_and(|t| t != 1) {
            errors.invalid(&path.child("successThreshold"), &probe.success_threshold, "must be 1");
        }
        if field == "readinessProbe" && probe.termination_grace_period_seconds.is_some() {
            let value = &probe.termination_grace_period_seconds;
            errors.invalid(&path.child("terminationGracePeriodSeconds"), value, "must not be set for readinessProbes");
        }
    }
}

fn probe(errors: &mut Errors, probe: &Probe, path: &Path) {
    let handlers = [probe.exec.is_some(), probe.http_get.is_some(), probe.tcp_socket.is_some(), probe.grpc.is_some()];
    handler_count(errors, &handlers, path);
    if let Some(action) = &probe.exec
        && action.command.as_ref().is_none_or(Vec::is_empty)
    {
        errors.required(&path.child("exec").child("command"), "");
    }
    if let Some(action) = &probe.http_get {
        http_get(errors, action, &path.child("httpGet"));
    }
    if let Some(action) = &probe.tcp_socket {
        port(errors, &action.port, &path.child("tcpSocket").child("port"));
    }
    if let Some(action) = &probe.grpc {
        port(errors, &IntOrString::Int(action.port), &path.child("grpc").child("port"));
    }
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

fn hook(errors: &mut Errors, hook: &LifecycleHandler, path: &Path) {
    let handlers = [hook.exec.is_some(), hook.http_get.is_some(), hook.tcp_socket.is_some(), hook.sleep.is_some()];
    handler_count(errors, &handlers, path);
    if let Some(action) = &hook.http_get {
        http_get(errors, action, &path.child("httpGet"));
    }
    if let Some(sleep) = hook.sleep.as_ref().filter(|s| s.seconds < 0) {
        let detail = "must be non-negative and less than terminationGracePeriodSeconds";
        errors.invalid(&path.child("sleep"), &sleep.seconds, detail);
    }
}

fn handler_count(errors: &mut Errors, handlers: &[bool], path: &Path) {
    match handlers.iter().filter(|set| **set).count() {
        0 => errors.required(path, "must specify a handler type"),
        1 => {}
        _ => errors.forbidden(path, "may not specify more than 1 handler type"),
    }
}

fn http_get(errors: &mut Errors, action: &HTTPGetAction, path: &Path) {
    if action.path.as_deref().unwrap_or_default().is_empty() {
        errors.required(&path.child("path"), "");
    }
    port(errors, &action.port, &path.child("port"));
    errors.one_of(&path.child("scheme"), action.scheme.as_ref(), &["HTTP", "HTTPS"]);
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
