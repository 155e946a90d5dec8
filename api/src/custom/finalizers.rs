//! Finalizers that may clash with those of others.

use crate::names;

/// Finalizers of Kubernetes that are not qualified by a domain.
const STANDARD_FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

/// What to say of finalizers that are new.
pub(super) fn finalizer_warnings(new: &[&str], old: &[&str]) -> Vec<String> {
    let mut added: Vec<&str> = new.iter().filter(|name| !old.contains(name)).copied().collect();
    added.sort_unstable();
    added.dedup();
    let mut warnings = Vec::new();
    for name in added {
        let mut say = |what: &str| warnings.push(format!("metadata.finalizers: {name:?}: {what}"));
        names::qualified_name(name).iter().for_each(|what| say(what));
        if !name.contains('/') && !STANDARD_FINALIZERS.contains(&name) {
            say(
                "prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts with other \
                 finalizer writers",
            );
        }
    }
    warnings
}
