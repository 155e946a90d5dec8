//! What is to become of one object, given its owners. Pure.

use super::node::{FOREGROUND, ORPHAN};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::PropagationPolicy;

/// How one owner of an object stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It exists.
    Solid,
    /// It exists, and waits for its dependents to go.
    Waiting,
    /// It is gone.
    Dangling,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    /// Nothing.
    Keep,
    /// Somebody still owns it: references to owners with these uids are taken off.
    Release(Vec<String>),
    /// Nobody owns it any more.
    Delete(PropagationPolicy),
}

/// Decides about an object with these owners.
pub fn verdict(meta: &ObjectMeta, owners: &[(OwnerReference, Standing)], has_dependents: bool) -> Verdict {
    if owners.is_empty() || meta.deletion_timestamp.is_some() {
        return Verdict::Keep;
    }
    let is = |wanted: Standing| owners.iter().any(|(_, standing)| *standing == wanted);
    if is(Standing::Solid) {
        let others = owners.iter().filter(|(_, standing)| *standing != Standing::Solid);
        let uids: Vec<String> = others.map(|(owner, _)| owner.uid.clone()).collect();
        return if uids.is_empty() { Verdict::Keep } else { Verdict::Release(uids) };
    }
    if is(Standing::Waiting) && has_dependents {
        // The owner waits for everything below it, so that this must wait for what it owns.
        return Verdict::Delete(PropagationPolicy::Foreground);
    }
    let has = |finalizer: &str| meta.finalizers.iter().flatten().any(|f| f == finalizer);
    Verdict::Delete(if has(ORPHAN) {
        PropagationPolicy::Orphan
    } else if has(FOREGROUND) {
        PropagationPolicy::Foreground
    } else {
        PropagationPolicy::Background
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owners(standings: &[Standing]) -> Vec<(OwnerReference, Standing)> {
        let owner = |i: usize| OwnerReference { uid: i.to_string(), ..OwnerReference::default() };
        standings.iter().enumerate().map(|(i, standing)| (owner(i), *standing)).collect()
    }

    #[test]
    fn verdicts() {
        use Standing::{Dangling, Solid, Waiting};
        let meta = ObjectMeta::default();
        let decide = |standings: &[Standing], has_dependents| verdict(&meta, &owners(standings), has_dependents);
        assert_eq!(decide(&[], false), Verdict::Keep);
        assert_eq!(decide(&[Solid], false), Verdict::Keep);
        assert_eq!(decide(&[Dangling, Solid, Waiting], false), Verdict::Release(vec!["0".into(), "2".into()]));
        assert_eq!(decide(&[Dangling], true), Verdict::Delete(PropagationPolicy::Background));
        assert_eq!(decide(&[Waiting], true), Verdict::Delete(PropagationPolicy::Foreground));
        assert_eq!(decide(&[Waiting], false), Verdict::Delete(PropagationPolicy::Background));
        let orphaning = ObjectMeta { finalizers: Some(vec![ORPHAN.into()]), ..ObjectMeta::default() };
        assert_eq!(verdict(&orphaning, &owners(&[Dangling]), false), Verdict::Delete(PropagationPolicy::Orphan));
    }
}
