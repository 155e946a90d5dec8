//! Whether a quota has room for what a write adds.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::amounts;
use super::usage::{add_container, counts_resource};
use crate::meta;
use crate::pod::{ResourceList, is_pod_level};
use crate::quantity::Quantity;

/// What every container must say when a quota limits it.
const DEMANDED: [&str; 6] = ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];

/// Why a quota refuses a write, in Kubernetes' words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuotaError {
    /// A container does not say what the quota limits.
    #[error("failed quota: {quota}: must specify {missing}")]
    Unspecified {
        /// The quota's name.
        quota: String,
        /// `limits.cpu for: a,b; limits.memory for: b`
        missing: String,
    },
    /// Nobody has counted yet.
    #[error("status unknown for quota: {quota}, resources: {resources}")]
    Unknown {
        /// The quota's name.
        quota: String,
        /// Those that have not been counted.
        resources: String,
    },
    /// It is too much.
    #[error("exceeded quota: {quota}, requested: {requested}, used: {used}, limited: {limited}")]
    Exceeded {
        /// The quota's name.
        quota: String,
        /// What the write would add.
        requested: String,
        /// What is taken.
        used: String,
        /// What there is in all.
        limited: String,
    },
}

/// An object, and what it costs.
#[derive(Debug, Clone, Copy)]
pub struct Costing<'a> {
    /// The object.
    pub object: &'a Value,
    /// Its [`usage`](super::usage).
    pub cost: &'a ResourceList,
}

/// A write that quotas are asked about.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// Of what: `pods`, `jobs.batch`.
    pub resource: &'a str,
    /// What is to be stored.
    pub new: Costing<'a>,
    /// What that replaces; nothing, for a create.
    pub old: Option<Costing<'a>>,
    /// It tells what is so already: it is counted, and nobody can refuse it.
    pub is_fact: bool,
}

/// What `status.used` of the quota becomes by the write; `None` when the quota is not about it or nothing is added. What
/// becomes less is counted by the controller: only what grows is taken at once. An object that comes into the quota's
/// scopes by the write costs all that it costs.
///
/// # Errors
/// When the quota refuses.
pub fn charge(quota: &Value, wish: &Wish<'_>) -> Result<Option<ResourceList>, QuotaError> {
    let (resource, Costing { object, cost: new }) = (wish.resource, wish.new);
    let nothing = ResourceList::new();
    let old = wish.old.filter(|old| super::covers(quota, resource, old.object)).map_or(&nothing, |old| old.cost);
    let name = || meta::name(quota).to_string();
    let (hard, used) = (amounts(quota.pointer("/status/hard")), amounts(quota.pointer("/status/used")));
    let limited: BTreeSet<&str> = hard.keys().map(String::as_str).filter(|n| counts_resource(resource, n)).collect();
    if limited.is_empty() || !super::covers(quota, resource, object) {
        return Ok(None);
    }
    if resource == "pods"
        && let Some(missing) = unspecified(&limited, object)
    {
        return Err(QuotaError::Unspecified { quota: name(), missing });
    }
    let unknown: Vec<&str> = limited.iter().copied().filter(|n| !used.contains_key(*n)).collect();
    if !unknown.is_empty() {
        return Err(QuotaError::Unknown { quota: name(), resources: unknown.join(",") });
    }
    let added: ResourceList = new
        .iter()
        .filter(|(n, _)| limited.contains(n.as_str()))
        .map(|(n, amount)| (n.clone(), *amount - old.get(n).copied().unwrap_or_default()))
        .filter(|(_, amount)| !amount.is_zero() && !amount.is_negative())
        .collect();
    if added.is_empty() {
        return Ok(None);
    }
    let exceeded: Vec<&String> = added.keys().filter(|n| used[*n] + added[*n] > hard[*n]).collect();
    if !exceeded.is_empty() && !wish.is_fact {
        let show = |amounts: &ResourceList| shown(&exceeded, amounts);
        let (requested, used, limited) = (show(&added), show(&used), show(&hard));
        return Err(QuotaError::Exceeded { quota: name(), requested, used, limited });
    }
    let mut total = used;
    for (name, amount) in added {
        *total.entry(name).or_default() += amount;
    }
    Ok(Some(total))
}

fn shown(names: &[&String], amounts: &ResourceList) -> String {
    let texts = names.iter().map(|n| format!("{n}={}", amounts.get(*n).copied().unwrap_or_default()));
    texts.collect::<Vec<_>>().join(",")
}

/// The containers that leave out what the quota limits, by resource; `None` when all say it, or the pod as a whole does.
fn unspecified(limited: &BTreeSet<&str>, pod: &Value) -> Option<String> {
    let spec = &pod["spec"];
    let demanded: Vec<&str> = DEMANDED.into_iter().filter(|d| limited.contains(d)).collect();
    if demanded.is_empty() || is_said_as_a_whole(&spec["resources"]) {
        return None;
    }
    let mut missing: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for list in ["containers", "initContainers"] {
        for container in spec[list].as_array().into_iter().flatten() {
            let said = said(&container["resources"]);
            for demand in demanded.iter().filter(|d| !said.contains_key(**d)) {
                missing.entry(demand).or_default().insert(container["name"].as_str().unwrap_or_default());
            }
        }
    }
    let texts = missing.into_iter().map(|(resource, containers)| {
        let containers: Vec<&str> = containers.into_iter().collect();
        format!("{resource} for: {}", containers.join(","))
    });
    let texts: Vec<String> = texts.collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}

/// Whether a pod asks for anything as a whole (`IsPodLevelResourcesSet`); an empty list asks for nothing.
fn is_said_as_a_whole(resources: &Value) -> bool {
    let lists = ["requests", "limits"].into_iter().filter_map(|field| resources[field].as_object());
    lists.flatten().any(|(name, _)| is_pod_level(name))
}

fn said(resources: &Value) -> BTreeMap<String, Quantity> {
    let mut usage = ResourceList::new();
    add_container(&amounts(resources.get("requests")), &amounts(resources.get("limits")), &mut usage);
    usage
}
