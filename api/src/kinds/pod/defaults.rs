//! Defaults of pods and pod templates (`pkg/apis/core/v1/defaults.go`).

use serde_json::{Map, Value, json};

use super::{gates, resource_defaults, volume_sources};
use crate::kinds::json::{boolean, has, items, list, sections, set_default, set_if_zero, text};
use crate::kinds::volume_claim;

/// File mode of volumes made of objects: 0644.
const DEFAULT_MODE: i64 = 0o644;
/// How long a projected service account token lives, in seconds.
const TOKEN_SECONDS: i64 = 3600;

/// What a pod gets: everything a template gets, and what only a pod does.
pub(super) fn defaults(pod: &mut Value) {
    sections(pod, &["spec"]);
    one_address(pod);
    let Some(spec) = pod.get_mut("spec").filter(|s| s.is_object()) else { return };
    spec_defaults(spec);
    resource_defaults::pod_requests(spec);
    let host_network = boolean(spec, "hostNetwork");
    if let Some(map) = spec.as_object_mut() {
        set_default(map, "enableServiceLinks", true);
    }
    if host_network {
        ["containers", "initContainers"].into_iter().for_each(|key| host_ports(spec, key));
    }
}

/// `podIP` and the first of `podIPs` are the same thing, which the singular field decides.
fn one_address(pod: &mut Value) {
    let Some(status) = pod.get_mut("status").filter(|s| s.is_object()) else { return };
    let first = list(status, "podIPs").first().map(|entry| text(entry, "ip").to_string());
    let single = text(status, "podIP").to_string();
    if !single.is_empty() && first.as_ref() != Some(&single) {
        status["podIPs"] = json!([{ "ip": single }]);
    } else if let Some(first) = first.filter(|_| single.is_empty()) {
        status["podIP"] = json!(first);
    }
}

/// What `spec.template` of a workload gets.
pub(in crate::kinds) fn template_defaults(template: &mut Value) {
    if let Some(spec) = template.get_mut("spec").filter(|s| s.is_object()) {
        spec_defaults(spec);
    }
}

fn spec_defaults(spec: &mut Value) {
    gates::drop_disabled(spec);
    items(spec, "volumes").for_each(volume);
    for key in ["initContainers", "containers", "ephemeralContainers"] {
        items(spec, key).for_each(container);
    }
    resource_defaults::normalize_at(spec, "overhead");
    resource_defaults::normalize_requirements(spec);
    let account = match text(spec, "serviceAccountName") {
        "" => text(spec, "serviceAccount").to_string(),
        name => name.to_string(),
    };
    let Some(map) = spec.as_object_mut() else { return };
    if !account.is_empty() {
        // The deprecated field mirrors the one that replaced it.
        map.insert("serviceAccountName".into(), json!(account));
        map.insert("serviceAccount".into(), json!(account));
    }
    set_if_zero(map, "dnsPolicy", "ClusterFirst");
    set_if_zero(map, "restartPolicy", "Always");
    set_if_zero(map, "schedulerName", "default-scheduler");
    set_default(map, "securityContext", Map::new());
    set_default(map, "terminationGracePeriodSeconds", 30);
}

fn container(container: &mut Value) {
    let policy = if has_latest_tag(text(container, "image")) { "Always" } else { "IfNotPresent" };
    items(container, "ports").for_each(|port| default_in(port, "protocol", "TCP"));
    items(container, "env").for_each(|variable| {
        if let Some(source) = variable.get_mut("valueFrom") {
            source.get_mut("fieldRef").into_iter().for_each(field_ref);
            source.get_mut("resourceFieldRef").into_iter().for_each(resource_field_ref);
        }
    });
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        container.get_mut(probe).into_iter().for_each(self::probe);
    }
    if let Some(lifecycle) = container.get_mut("lifecycle") {
        for hook in ["postStart", "preStop"] {
            lifecycle.get_mut(hook).and_then(|h| h.get_mut("httpGet")).into_iter().for_each(http_get);
        }
    }
    if let Some(map) = container.as_object_mut() {
        set_if_zero(map, "imagePullPolicy", policy);
        set_if_zero(map, "terminationMessagePath", "/dev/termination-log");
        set_if_zero(map, "terminationMessagePolicy", "File");
        set_default(map, "resources", Map::new());
    }
    resource_defaults::normalize_requirements(container);
}

/// Whether the image is named by the tag `latest`, which is also what a missing tag means.
fn has_latest_tag(image: &str) -> bool {
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    let last = name.rsplit('/').next().unwrap_or_default();
    match last.split_once(':') {
        Some((_, tag)) => tag == "latest",
        None => digest.is_none() && !image.is_empty(),
    }
}

fn default_in(value: &mut Value, key: &str, default: &str) {
    if let Some(map) = value.as_object_mut() {
        set_if_zero(map, key, default);
    }
}

fn field_ref(reference: &mut Value) {
    default_in(reference, "apiVersion", "v1");
}

/// `divisor` is a quantity, so it is always written: "0" stands for the default of 1.
fn resource_field_ref(reference: &mut Value) {
    if let Some(map) = reference.as_object_mut() {
        set_default(map, "divisor", "0");
        resource_defaults::normalize_field(map, "divisor");
    }
}

fn http_get(action: &mut Value) {
    default_in(action, "path", "/");
    default_in(action, "scheme", "HTTP");
}

fn probe(probe: &mut Value) {
    probe.get_mut("httpGet").into_iter().for_each(http_get);
    if let Some(grpc) = probe.get_mut("grpc").and_then(Value::as_object_mut) {
        set_default(grpc, "service", "");
    }
    if let Some(map) = probe.as_object_mut() {
        set_if_zero(map, "timeoutSeconds", 1);
        set_if_zero(map, "periodSeconds", 10);
        set_if_zero(map, "successThreshold", 1);
        set_if_zero(map, "failureThreshold", 3);
    }
}

fn volume(volume: &mut Value) {
    let has_source = volume.as_object().is_some_and(|m| m.iter().any(|(k, v)| k != "name" && !v.is_null()));
    if !has_source && let Some(map) = volume.as_object_mut() {
        map.insert("emptyDir".into(), json!({}));
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(map) = volume.get_mut(source).and_then(Value::as_object_mut) {
            set_default(map, "defaultMode", DEFAULT_MODE);
        }
    }
    volume_sources::defaults(volume);
    if let Some(map) = volume.get_mut("emptyDir").and_then(Value::as_object_mut) {
        resource_defaults::normalize_field(map, "sizeLimit");
    }
    volume.get_mut("downwardAPI").into_iter().for_each(downward_api);
    volume.get_mut("projected").into_iter().flat_map(|p| items(p, "sources")).for_each(projection);
    if let Some(image) = volume.get_mut("image") {
        let policy = if has_latest_tag(text(image, "reference")) { "Always" } else { "IfNotPresent" };
        default_in(image, "pullPolicy", policy);
    }
    if let Some(spec) = volume.get_mut("ephemeral").and_then(|e| e.get_mut("volumeClaimTemplate")?.get_mut("spec")) {
        volume_claim::spec_defaults(spec);
    }
}

fn downward_api(source: &mut Value) {
    items(source, "items").for_each(|item| {
        item.get_mut("fieldRef").into_iter().for_each(field_ref);
        item.get_mut("resourceFieldRef").into_iter().for_each(resource_field_ref);
    });
}

fn projection(source: &mut Value) {
    source.get_mut("downwardAPI").into_iter().for_each(downward_api);
    if let Some(map) = source.get_mut("serviceAccountToken").and_then(Value::as_object_mut) {
        set_default(map, "expirationSeconds", TOKEN_SECONDS);
    }
}

/// On the host's network, a container port is a host port.
fn host_ports(spec: &mut Value, key: &str) {
    for container in items(spec, key).filter(|c| !list(c, "ports").is_empty()) {
        for port in items(container, "ports") {
            let number = port.get("containerPort").cloned().unwrap_or_default();
            if has(port, "containerPort")
                && let Some(map) = port.as_object_mut()
            {
                set_if_zero(map, "hostPort", number);
            }
        }
    }
}
