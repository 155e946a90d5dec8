//! What a namespace says about its own deletion, in Kubernetes' words.

use super::content::Remains;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::NamespaceCondition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use std::collections::BTreeMap;

/// The conditions after a round of deletion; those that say the same as before keep their time.
pub fn conditions(old: &[NamespaceCondition], remains: &Remains, now: Timestamp) -> Vec<NamespaceCondition> {
    let told = [
        (
            "NamespaceDeletionDiscoveryFailure",
            failure("DiscoveryFailed", "Discovery failed for some groups", &remains.undiscovered),
            ("ResourcesDiscovered", "All resources successfully discovered"),
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            None,
            ("ParsedGroupVersions", "All legacy kube types successfully parsed"),
        ),
        (
            "NamespaceDeletionContentFailure",
            failure("ContentDeletionFailed", "Failed to delete all resource types", &remains.errors),
            ("ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
        ),
        (
            "NamespaceContentRemaining",
            remaining("SomeResourcesRemain", "Some resources are remaining", &remains.resources, "has"),
            ("ContentRemoved", "All content successfully removed"),
        ),
        (
            "NamespaceFinalizersRemaining",
            remaining(
                "SomeFinalizersRemain",
                "Some content in the namespace has finalizers remaining",
                &remains.finalizers,
                "in",
            ),
            ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
        ),
    ];
    told.into_iter()
        .map(|(kind, trouble, (fine, sentence))| {
            let (status, reason, message) = match trouble {
                Some((reason, message)) => ("True", reason, message),
                None => ("False", fine, sentence.to_owned()),
            };
            let before = old.iter().find(|c| c.type_ == kind && c.status == status);
            NamespaceCondition {
                type_: kind.to_owned(),
                status: status.to_owned(),
                reason: Some(reason.to_owned()),
                message: Some(message),
                last_transition_time: before.map_or(Some(Time(now)), |c| c.last_transition_time.clone()),
            }
        })
        .collect()
}

type Trouble = Option<(&'static str, String)>;

fn failure(reason: &'static str, sentence: &str, items: &[String]) -> Trouble {
    (!items.is_empty()).then(|| (reason, format!("{sentence}, {} failure(s): {}", items.len(), items.join(", "))))
}

fn remaining(reason: &'static str, sentence: &str, counts: &BTreeMap<String, usize>, verb: &str) -> Trouble {
    let parts: Vec<String> = counts.iter().map(|(name, n)| format!("{name} {verb} {n} resource instances")).collect();
    (!parts.is_empty()).then(|| (reason, format!("{sentence}: {}", parts.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_left() {
        let remains = Remains {
            resources: [("pods.".to_owned(), 2)].into(),
            finalizers: [("example.com/hold".to_owned(), 1)].into(),
            ..Remains::default()
        };
        let first = conditions(&[], &remains, Timestamp::UNIX_EPOCH);
        let text = |kind: &str| first.iter().find(|c| c.type_ == kind).unwrap().message.clone().unwrap();
        assert_eq!(text("NamespaceContentRemaining"), "Some resources are remaining: pods. has 2 resource instances");
        assert_eq!(
            text("NamespaceFinalizersRemaining"),
            "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
        );
        let later = conditions(&first, &remains, Timestamp::from_second(9).unwrap());
        assert_eq!(first, later, "the same news at a later time");
        assert!(conditions(&first, &Remains::default(), Timestamp::UNIX_EPOCH).iter().all(|c| c.status == "False"));
    }
}
