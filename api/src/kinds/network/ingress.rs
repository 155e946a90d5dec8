//! Ingresses: which requests from outside go to which Service.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::catalog::{Column, RowCells, Rules};
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::{carry_over, has, integer, list, part, sections, set_default, text, texts};
use crate::kinds::table::{AGE, age, column, or_none};
use crate::{meta, names};

/// How the class was named before there was a field.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
const PATH_TYPES: &[&str] = &["Exact", "ImplementationSpecific", "Prefix"];
const INVALID_SEQUENCES: [&str; 5] = ["//", "/./", "/../", "%2f", "%2F"];
const INVALID_SUFFIXES: [&str; 2] = ["/..", "/."];
/// Hosts that a cell shows before it counts the rest.
const HOSTS_SHOWN: usize = 3;

/// The rules of the row.
pub static INGRESS: Rules = Rules {
    defaults: |ingress| {
        sections(ingress, &["spec"]);
        if let Some(map) = ingress.as_object_mut() {
            set_default(map, "status", json!({ "loadBalancer": {} }));
        }
    },
    prepare_create: |ingress| ingress["status"] = json!({ "loadBalancer": {} }),
    prepare_update: |new, old| carry_over(new, old, "status"),
    validate,
    validate_new: class_twice,
    validate_status,
    warnings: |ingress| {
        if meta::annotations(ingress).contains_key(CLASS_ANNOTATION) && !has(ingress, "spec.ingressClassName") {
            vec![format!("annotation \"{CLASS_ANNOTATION}\" is deprecated, please use 'spec.ingressClassName' instead")]
        } else {
            Vec::new()
        }
    },
    name_errors: names::subdomain_name,
    columns: COLUMNS,
    cells,
    ..Rules::GENERIC
};

const COLUMNS: &[Column] = &[
    column("Class", "The name of the IngressClass resource that should be used for additional configuration"),
    column("Hosts", "Hosts that incoming requests are matched against before the ingress rule"),
    column("Address", "Address is a list containing ingress points for the load-balancer"),
    column("Ports", "Ports of TLS configurations that open"),
    AGE,
];

fn cells(ingress: &Value, now_seconds: i64) -> RowCells {
    let balancers = list(ingress, "status.loadBalancer.ingress").iter().map(|point| match text(point, "ip") {
        "" => text(point, "hostname"),
        address => address,
    });
    let addresses: Vec<&str> = balancers.filter(|address| !address.is_empty()).collect();
    let tls = !list(ingress, "spec.tls").is_empty();
    let cells = vec![
        or_none(text(ingress, "spec.ingressClassName")),
        json!(hosts(ingress)),
        json!(addresses.join(",")),
        json!(if tls { "80, 443" } else { "80" }),
        age(ingress, now_seconds),
    ];
    RowCells { cells }
}

fn hosts(ingress: &Value) -> String {
    let hosts: Vec<&str> =
        list(ingress, "spec.rules").iter().map(|rule| text(rule, "host")).filter(|host| !host.is_empty()).collect();
    let shown = hosts[..hosts.len().min(HOSTS_SHOWN)].join(",");
    match hosts.len().saturating_sub(HOSTS_SHOWN) {
        0 if shown.is_empty() => "*".to_string(),
        0 => shown,
        more => format!("{shown} + {more} more..."),
    }
}

fn validate(ingress: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, spec) = (Path::root("spec"), part(ingress, "spec"));
    if list(&spec, "rules").is_empty() && !has(&spec, "defaultBackend") {
        errors.invalid(&path, &part(&spec, "rules"), "either `defaultBackend` or `rules` must be specified");
    }
    if has(&spec, "defaultBackend") {
        backend(&mut errors, &part(&spec, "defaultBackend"), &path.child("defaultBackend"));
    }
    for (index, rule) in list(&spec, "rules").iter().enumerate() {
        self::rule(&mut errors, rule, &path.child("rules").index(index));
    }
    for (index, tls) in list(&spec, "tls").iter().enumerate() {
        let path = path.child("tls").index(index);
        for (index, host) in texts(tls, "hosts").into_iter().enumerate() {
            host_name(&mut errors, host, &path.child("hosts").index(index));
        }
        let secret = text(tls, "secretName");
        if !secret.is_empty() {
            errors.named(&path.child("secretName"), secret, names::dns1123_subdomain);
        }
    }
    if has(&spec, "ingressClassName") {
        let class = text(&spec, "ingressClassName");
        errors.named(&path.child("ingressClassName"), class, names::dns1123_subdomain);
    }
    errors.0
}

/// A new ingress names its class in one way.
fn class_twice(ingress: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    if let Some(class) = meta::annotations(ingress).get(CLASS_ANNOTATION)
        && has(ingress, "spec.ingressClassName")
    {
        let path = Path::root("metadata").child("annotations").child(CLASS_ANNOTATION);
        errors.invalid(&path, class, "can not be set when the class field is also set");
    }
    errors.0
}

/// A host, or all hosts below one.
fn host_name(errors: &mut Errors, host: &str, path: &Path) {
    if host.contains('*') {
        errors.named(path, host, names::wildcard_subdomain);
    } else {
        errors.named(path, host, names::dns1123_subdomain);
    }
}

fn rule(errors: &mut Errors, rule: &Value, path: &Path) {
    let host = text(rule, "host");
    if !host.is_empty() {
        if host.parse::<IpAddr>().is_ok() {
            errors.invalid(&path.child("host"), &host, "must be a DNS name, not an IP address");
        }
        host_name(errors, host, &path.child("host"));
    }
    if !has(rule, "http") {
        return;
    }
    let (path, paths) = (path.child("http").child("paths"), list(rule, "http.paths"));
    if paths.is_empty() {
        errors.required(&path, "");
    }
    for (index, entry) in paths.iter().enumerate() {
        http_path(errors, entry, &path.index(index));
        backend(errors, &part(entry, "backend"), &path.index(index).child("backend"));
    }
}

fn http_path(errors: &mut Errors, entry: &Value, path: &Path) {
    let (value, path_path) = (text(entry, "path"), path.child("path"));
    match text(entry, "pathType") {
        "" => errors.required(&path.child("pathType"), "pathType must be specified"),
        "Exact" | "Prefix" => {
            if !value.starts_with('/') {
                errors.invalid(&path_path, &value, "must be an absolute path");
            }
            for sequence in INVALID_SEQUENCES.iter().filter(|sequence| value.contains(**sequence)) {
                errors.invalid(&path_path, &value, &format!("must not contain '{sequence}'"));
            }
            for suffix in INVALID_SUFFIXES.iter().filter(|suffix| value.ends_with(**suffix)) {
                errors.invalid(&path_path, &value, &format!("cannot end with '{suffix}'"));
            }
        }
        "ImplementationSpecific" if !value.is_empty() && !value.starts_with('/') => {
            errors.invalid(&path_path, &value, "must be an absolute path");
        }
        "ImplementationSpecific" => {}
        other => errors.not_supported(&path.child("pathType"), other, PATH_TYPES),
    }
}

fn backend(errors: &mut Errors, backend: &Value, path: &Path) {
    match (has(backend, "resource"), has(backend, "service")) {
        (true, true) => errors.invalid(path, &"", "cannot set both resource and service backends"),
        (true, false) => {
            let (resource, path) = (part(backend, "resource"), path.child("resource"));
            for field in ["kind", "name"] {
                errors.required_name(&path.child(field), text(&resource, field), names::path_segment);
            }
        }
        (false, true) => service(errors, &part(backend, "service"), &path.child("service")),
        (false, false) => errors.invalid(path, &"", "resource or service backend is required"),
    }
}

fn service(errors: &mut Errors, service: &Value, path: &Path) {
    errors.required_name(&path.child("name"), text(service, "name"), names::dns1035_label);
    let (name, number) = (text(service, "port.name"), integer(service, "port.number"));
    let port = path.child("port");
    match (name.is_empty(), number) {
        (false, number) if number != 0 => errors.invalid(path, &"", "cannot set both port name & port number"),
        (false, _) => errors.named(&port.child("name"), name, names::port_name),
        (true, 0) => errors.required(path, "port name or number is required"),
        (true, number) => {
            names::port_number(number).iter().for_each(|d| errors.invalid(&port.child("number"), &number, d));
        }
    }
}

fn validate_status(new: &Value, _: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let path = Path::root("status").child("loadBalancer").child("ingress");
    for (index, point) in list(new, "status.loadBalancer.ingress").iter().enumerate() {
        let (path, address, host) = (path.index(index), text(point, "ip"), text(point, "hostname"));
        if !address.is_empty() {
            crate::kinds::pod::valid_address(&mut errors, &path.child("ip"), address);
        }
        if !host.is_empty() {
            errors.named(&path.child("hostname"), host, names::dns1123_subdomain);
            if host.parse::<IpAddr>().is_ok() {
                errors.invalid(&path.child("hostname"), &host, "must be a DNS name, not an IP address");
            }
        }
    }
    errors.0
}
