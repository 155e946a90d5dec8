//! What a namespace says about its own deletion, in Kubernetes' words.

use super::content::Remains;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::NamespaceCondition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use std::collections::BTreeMap;

/// The conditions after a round of deletion. One that says the same as before keeps its time, and those of others stay.
pub fn conditions(old: &[NamespaceCondition], remains: &Remains, now: Timestamp) -> Vec<NamespaceCondition> {
    let mut all = old.to_vec();
    for (kind, trouble, (fine, sentence)) in news(remains) {
        let (status, reason, message) = match trouble {
            Some((reason, message)) => ("True", reason, message),
            None => ("False", fine, sentence.to_owned()),
        };
        let place = all.iter().position(|c| c.type_ == kind);
        let before = place.map(|place| &all[place]).filter(|c| c.status == status);
        let condition = NamespaceCondition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason: Some(reason.to_owned()),
            message: Some(message),
            last_transition_time: before.map_or(Some(Time(now)), |c| c.last_transition_time.clone()),
        };
        match place {
            Some(place) => all[place] = condition,
            None => all.push(condition),
        }
    }
    all
}

/// What there is to say about each condition: the trouble, if there is any, and what is said without.
fn news(remains: &Remains) -> [(&'static str, Trouble, (&'static str, &'static str)); 5] {
    [
        (
            "NamespaceDeletionDiscoveryFailure",
            undiscovered(&remains.undiscovered),
            ("ResourcesDiscovered", "All resources successfully discovered"),
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            unreadable(&remains.unreadable),
            ("ParsedGroupVersions", "All legacy kube types successfully parsed"),
        ),
        (
            "NamespaceDeletionContentFailure",
            failed(&remains.errors),
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
    ]
}

type Trouble = Option<(&'static str, String)>;

fn undiscovered(failures: &[(String, String)]) -> Trouble {
    let mut texts: Vec<String> = failures.iter().map(|(version, why)| format!("{version}: {why}")).collect();
    texts.sort();
    let (count, texts) = (texts.len(), texts.join(", "));
    let all = "unable to retrieve the complete list of server APIs";
    (count > 0)
        .then(|| ("DiscoveryFailed", format!("Discovery failed for some groups, {count} failing: {all}: {texts}")))
}

fn unreadable(versions: &[String]) -> Trouble {
    let first = versions.first()?;
    Some(("GroupVersionParsingFailed", format!("unexpected GroupVersion string: {first}")))
}

fn failed(errors: &[String]) -> Trouble {
    let mut texts = errors.to_vec();
    texts.sort();
    let (count, texts) = (texts.len(), texts.join(", "));
    let sentence = "Failed to delete all resource types";
    (count > 0).then(|| ("ContentDeletionFailed", format!("{sentence}, {count} remaining: {texts}")))
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

    #[test]
    fn says_what_failed_in_kubernetes_words() {
        let remains = Remains {
            undiscovered: vec![("b/v1".to_owned(), "not now".to_owned()), ("a/v1".to_owned(), "gone".to_owned())],
            unreadable: vec!["a/b/c".to_owned()],
            errors: vec!["z".to_owned(), "y".to_owned()],
            ..Remains::default()
        };
        let foreign = NamespaceCondition { type_: "Audited".into(), status: "True".into(), ..Default::default() };
        let told = conditions(std::slice::from_ref(&foreign), &remains, Timestamp::UNIX_EPOCH);
        assert_eq!((told.len(), &told[0]), (6, &foreign));
        let said: Vec<(&str, &str)> = told[1..4]
            .iter()
            .map(|c| (c.reason.as_deref().unwrap_or_default(), c.message.as_deref().unwrap_or_default()))
            .collect();
        let all = "unable to retrieve the complete list of server APIs";
        assert_eq!(
            said,
            [
                (
                    "DiscoveryFailed",
                    &*format!("Discovery failed for some groups, 2 failing: {all}: a/v1: gone, b/v1: not now")
                ),
                ("GroupVersionParsingFailed", "unexpected GroupVersion string: a/b/c"),
                ("ContentDeletionFailed", "Failed to delete all resource types, 2 remaining: y, z"),
            ]
        );
    }
}
