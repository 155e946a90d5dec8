//! RBAC: roles say what may be done, bindings who may do what a role says.
//!
//! Invariant: a decision is about the roles and bindings that are stored when it is made. What was read before is used
//! again only as long as none of the four lists has changed, which is a comparison of pointers.

mod cover;
mod policy;
mod rule;

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use coracle_store::Store;

pub(crate) use cover::{all_missing, missing, quoted};
use policy::Policy;
pub(crate) use policy::RoleRef;
pub(crate) use rule::Rule;

use super::{Attributes, Authorizer, Subject, Verdict};
use crate::identity::User;

/// The authorizer.
pub(crate) struct Rbac {
    store: Store,
    latest: ArcSwapOption<Policy>,
}

impl Rbac {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, latest: ArcSwapOption::empty() }
    }

    fn policy(&self) -> Arc<Policy> {
        let known = self.latest.load();
        let policy = Policy::read(&self.store, known.as_ref());
        if !known.as_ref().is_some_and(|known| Arc::ptr_eq(known, &policy)) {
            self.latest.store(Some(policy.clone()));
        }
        policy
    }

    /// All rules that the user has in a namespace (in the cluster, if that is empty), and what could not be resolved.
    pub(crate) fn rules_of(&self, user: &User, namespace: &str) -> (Vec<Rule>, Vec<String>) {
        let policy = self.policy();
        let (mut rules, mut errors) = (Vec::new(), Vec::new());
        for (granted, _) in policy.granted(user, namespace) {
            match granted {
                Ok(own) => rules.extend(own.iter().cloned()),
                Err(error) => errors.push(error),
            }
        }
        (rules, errors)
    }

    /// The rules of a role.
    ///
    /// # Errors
    /// When there is none: says so.
    pub(crate) fn rules_of_role(&self, role: &RoleRef) -> Result<Vec<Rule>, String> {
        self.policy().rules(role).map(<[Rule]>::to_vec)
    }
}

impl Authorizer for Rbac {
    fn decide(&self, user: &User, attributes: &Attributes<'_>) -> Verdict {
        let namespace = match attributes.target {
            Subject::Resource { namespace, .. } => namespace,
            Subject::Path(_) => "",
        };
        let policy = self.policy();
        let mut unresolved = BTreeSet::new();
        for (granted, binding) in policy.granted(user, namespace) {
            match granted {
                Ok(rules) if rules.iter().any(|rule| rule.allows(attributes)) => {
                    return Verdict::allowed(format!("RBAC: allowed by {binding}"));
                }
                Ok(_) => {}
                Err(error) => drop(unresolved.insert(error)),
            }
        }
        Verdict::no_opinion(aggregate(unresolved).map(|errors| format!("RBAC: {errors}")).unwrap_or_default())
    }
}

/// Several errors as one text (`utilerrors.Aggregate`).
fn aggregate(errors: BTreeSet<String>) -> Option<String> {
    let errors: Vec<String> = errors.into_iter().collect();
    match errors.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        many => Some(format!("[{}]", many.join(", "))),
    }
}
