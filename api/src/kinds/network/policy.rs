//! Network policies: who may talk to whom.

use ipnet::IpNet;
use serde_json::{Value, json};

use crate::catalog::{RowCells, Rules};
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::generation;
use crate::kinds::json::{has, integer, items, list, part, sections, set_if_zero, text, texts};
use crate::kinds::pod::PROTOCOLS;
use crate::kinds::table::{AGE, age, column, selector};
use crate::names;

const INVALID_CIDR: &str = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";

/// The rules of the row.
pub static NETWORK_POLICY: Rules = Rules {
    defaults,
    prepare_create: generation::start,
    prepare_update: |new, old| generation::bump_if_changed(new, old, &["spec"]),
    validate,
    name_errors: names::subdomain_name,
    columns: &[
        column(
            "Pod-Selector",
            "podSelector selects the pods to which this NetworkPolicy object applies. The array of rules is \
                 applied to any pods selected by this field. An empty selector matches all pods in the policy's \
                 namespace. Multiple network policies can select the same set of pods. In this case, the ingress \
                 rules for each are combined additively. This field is optional. If it is not specified, it \
                 defaults to an empty selector.",
        ),
        AGE,
    ],
    cells: |policy, now_seconds| RowCells {
        cells: vec![selector(policy.pointer("/spec/podSelector")), age(policy, now_seconds)],
    },
    ..Rules::GENERIC
};

fn defaults(policy: &mut Value) {
    sections(policy, &["spec", "podSelector"]);
    let Some(spec) = policy.get_mut("spec").filter(|s| s.is_object()) else { return };
    for rules in ["ingress", "egress"] {
        for rule in items(spec, rules) {
            items(rule, "ports").filter_map(Value::as_object_mut).for_each(|port| set_if_zero(port, "protocol", "TCP"));
        }
    }
    if list(spec, "policyTypes").is_empty() {
        let both = !list(spec, "egress").is_empty();
        spec["policyTypes"] = if both { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
    }
}

fn validate(policy: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, spec) = (Path::root("spec"), part(policy, "spec"));
    errors.selector(&path, &spec, "podSelector");
    for (rules, peers) in [("ingress", "from"), ("egress", "to")] {
        for (index, rule) in list(&spec, rules).iter().enumerate() {
            let path = path.child(rules).index(index);
            for (index, port) in list(rule, "ports").iter().enumerate() {
                self::port(&mut errors, port, &path.child("ports").index(index));
            }
            for (index, peer) in list(rule, peers).iter().enumerate() {
                self::peer(&mut errors, peer, &path.child(peers).index(index));
            }
        }
    }
    let (path, types) = (path.child("policyTypes"), texts(&spec, "policyTypes"));
    if types.len() > 2 {
        errors.invalid(&path, &types, "may not specify more than two policyTypes");
        return errors.0;
    }
    for (index, kind) in types.into_iter().enumerate() {
        errors.one_of_if_set(&path.index(index), Some(kind), &["Egress", "Ingress"]);
    }
    errors.0
}

fn port(errors: &mut Errors, port: &Value, path: &Path) {
    errors.choice_if_set(path, port, "protocol", PROTOCOLS);
    let (end, end_path) = (integer(port, "endPort"), path.child("endPort"));
    match port.get("port").filter(|p| !p.is_null()) {
        None if has(port, "endPort") => {
            errors.invalid(&end_path, &end, "may not be specified when `port` is not specified");
        }
        None => {}
        Some(Value::String(name)) => {
            if has(port, "endPort") {
                errors.invalid(&end_path, &end, "may not be specified when `port` is non-numeric");
            }
            errors.named(&path.child("port"), name, names::port_name);
        }
        Some(number) => {
            let number = number.as_i64().unwrap_or_default();
            names::port_number(number).iter().for_each(|d| errors.invalid(&path.child("port"), &number, d));
            if has(port, "endPort") {
                if end < number {
                    errors.invalid(&end_path, &end, "must be greater than or equal to `port`");
                }
                names::port_number(end).iter().for_each(|detail| errors.invalid(&end_path, &end, detail));
            }
        }
    }
}

fn peer(errors: &mut Errors, peer: &Value, path: &Path) {
    errors.selector(path, peer, "podSelector");
    errors.selector(path, peer, "namespaceSelector");
    if has(peer, "ipBlock") {
        block(errors, &part(peer, "ipBlock"), &path.child("ipBlock"));
    }
    let selects = has(peer, "podSelector") || has(peer, "namespaceSelector");
    match (has(peer, "ipBlock"), selects) {
        (true, true) => errors.forbidden(path, "may not specify both ipBlock and another peer"),
        (false, false) => errors.required(path, "must specify a peer"),
        _ => {}
    }
}

fn block(errors: &mut Errors, block: &Value, path: &Path) {
    let cidr = text(block, "cidr");
    let Ok(net) = cidr.parse::<IpNet>() else {
        return match cidr {
            "" => errors.required(&path.child("cidr"), ""),
            _ => errors.invalid(&path.child("cidr"), &cidr, INVALID_CIDR),
        };
    };
    for (index, except) in texts(block, "except").into_iter().enumerate() {
        let path = path.child("except").index(index);
        match except.parse::<IpNet>() {
            Err(_) => errors.invalid(&path, &except, INVALID_CIDR),
            Ok(inner) if !net.contains(&inner) || inner.prefix_len() <= net.prefix_len() => {
                errors.invalid(&path, &except, "must be a strict subset of `cidr`");
            }
            Ok(_) => {}
        }
    }
}
