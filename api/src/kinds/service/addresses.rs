//! Validation of the addresses of Services and of their address families. The cluster has IPv4 addresses only.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::ServiceSpec;

use super::validation::is_set;
use crate::field::Path;
use crate::kinds::check::Errors;
use crate::kinds::ip;

const FAMILIES: &[&str] = &["IPv4", "IPv6"];
const FAMILY_POLICIES: &[&str] = &["PreferDualStack", "RequireDualStack", "SingleStack"];
const HEADLESS: &str = "None";

pub(super) fn is_headless(spec: &ServiceSpec) -> bool {
    spec.cluster_ips.as_ref().is_some_and(|ips| ips.len() == 1 && ips[0] == HEADLESS)
}

/// Addresses and families by themselves and against each other.
pub(super) fn validate(errors: &mut Errors, spec: &ServiceSpec, path: &Path) {
    let addresses = spec.cluster_ips.as_deref().unwrap_or_default();
    let list_path = path.child("clusterIPs");
    match (is_set(spec.cluster_ip.as_ref()), addresses.first()) {
        (true, None) => errors.required(&list_path, ""),
        (true, first) if first != spec.cluster_ip.as_ref() => {
            errors.invalid(&list_path, &addresses, "first value must match `clusterIP`");
        }
        (false, Some(_)) => errors.invalid(&list_path, &addresses, "must be empty when `clusterIP` is not specified"),
        _ => {}
    }
    let families = spec.ip_families.as_deref().unwrap_or_default();
    let mut seen = BTreeSet::new();
    for (index, family) in families.iter().enumerate() {
        let path = path.child("ipFamilies").index(index);
        errors.one_of_if_set(&path, Some(family), FAMILIES);
        if !seen.insert(family) {
            errors.duplicate(&path, family);
        }
    }
    errors.one_of_if_set(&path.child("ipFamilyPolicy"), spec.ip_family_policy.as_deref(), FAMILY_POLICIES);
    if well_formed(errors, addresses, &list_path) {
        matching(errors, addresses, families, &list_path);
        configured(errors, spec, path);
    }
}

fn well_formed(errors: &mut Errors, addresses: &[String], path: &Path) -> bool {
    let mut well = true;
    for (index, address) in addresses.iter().enumerate() {
        if index == 0 && address == HEADLESS {
            if addresses.len() > 1 {
                errors.invalid(path, &addresses, "'None' must be the first and only value");
                well = false;
            }
        } else if let Some(detail) = ip::address_error(address, &[]) {
            errors.invalid(&path.index(index), address, detail);
            well = false;
        }
    }
    if addresses.len() > 2 {
        errors.invalid(path, &addresses, "may only hold up to 2 values");
    }
    well
}

fn matching(errors: &mut Errors, addresses: &[String], families: &[String], path: &Path) {
    if addresses.len() > 1 {
        let both = [true, false].iter().all(|v6| addresses.iter().any(|address| ip::is_ipv6(address) == *v6));
        if !both {
            errors.invalid(path, &addresses, "may specify no more than one IP for each IP family");
        }
    }
    for (index, (address, family)) in addresses.iter().zip(families).enumerate().filter(|(_, (a, _))| *a != HEADLESS) {
        let is = if ip::is_ipv6(address) { "IPv6" } else { "IPv4" };
        if is != family && FAMILIES.contains(&family.as_str()) {
            let detail = format!("expected an {family} value as indicated by `ipFamilies[{index}]`");
            errors.invalid(&path.index(index), address, &detail);
        }
    }
}

/// What the cluster can give. A headless Service whose endpoints somebody else writes may have any families.
fn configured(errors: &mut Errors, spec: &ServiceSpec, path: &Path) {
    let selectorless = spec.selector.as_ref().is_none_or(std::collections::BTreeMap::is_empty);
    if is_headless(spec) && selectorless {
        return;
    }
    let policy = spec.ip_family_policy.as_deref().unwrap_or_default();
    let families = spec.ip_families.as_deref().unwrap_or_default();
    let policy_path = path.child("ipFamilyPolicy");
    for (what, count) in [("clusterIPs", spec.cluster_ips.as_ref().map_or(0, Vec::len)), ("ipFamilies", families.len())]
    {
        if policy == "SingleStack" && count == 2 {
            let detail = format!("must be RequireDualStack or PreferDualStack when multiple {what} are specified");
            errors.invalid(&policy_path, &policy, &detail);
        }
    }
    if policy == "RequireDualStack" {
        errors.invalid(&policy_path, &policy, "this cluster is not configured for dual-stack services");
    }
    for (index, family) in families.iter().enumerate().filter(|(_, family)| *family == "IPv6") {
        errors.invalid(&path.child("ipFamilies").index(index), family, "not configured on this cluster");
    }
}

/// The first address and the first family stay; second ones come and go.
pub(super) fn validate_update(errors: &mut Errors, new: &ServiceSpec, old: &ServiceSpec) {
    if is_headless(new) && is_headless(old) {
        return;
    }
    let (path, policy) = (Path::root("spec"), new.ip_family_policy.as_deref());
    for (field, one, new, old) in [
        ("clusterIPs", "clusterIP", &new.cluster_ips, &old.cluster_ips),
        ("ipFamilies", "ipFamily", &new.ip_families, &old.ip_families),
    ] {
        let (new, old) = (new.as_deref().unwrap_or_default(), old.as_deref().unwrap_or_default());
        let path_of = |index| path.child(field).index(index);
        if new.is_empty() && !old.is_empty() {
            errors.invalid(&path_of(0), &new, &format!("primary {one} can not be unset"));
        }
        let compared = if new.len() == old.len() { new.len() } else { 1 };
        for (index, (now, before)) in new.iter().zip(old).take(compared).enumerate() {
            if now != before {
                errors.invalid(&path_of(index), &new, "may not change once set");
            }
        }
        if new.len() == 1 && old.len() > 1 && policy != Some("SingleStack") {
            let detail = format!("must be set to 'SingleStack' when releasing the secondary {one}");
            errors.invalid(&path.child("ipFamilyPolicy"), &policy, &detail);
        }
    }
}
