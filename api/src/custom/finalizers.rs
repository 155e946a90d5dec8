//! Finalizers that may clash with those of others.

use std::collections::BTreeSet;

use crate::names;

/// Finalizers of Kubernetes that are not qualified by a domain.
const STANDARD_FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

/// What to say of finalizers that are new.
pub(super) fn finalizer_warnings(new: &[&str], old: &[&str]) -> Vec<String> {
    let old: BTreeSet<&&str> = old.iter().collect();
    let added: BTreeSet<&str> = new.iter().filter(|name| !old.contains(name)).copied().collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finalizers_of_a_large_object_are_not_compared_one_by_one() {
        let all: Vec<String> = (0..100_000).map(|index| format!("example.com/f{index}")).collect();
        let old: Vec<&str> = all.iter().map(String::as_str).collect();
        let mut new: Vec<&str> = old.iter().rev().copied().collect();
        new.extend(["mine", "mine"]);
        assert_eq!(finalizer_warnings(&new, &old).len(), 1);
    }
}
