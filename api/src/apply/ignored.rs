//! Fields that a write can't change, because the strategy of its resource resets them: nobody comes to own them by it.

use super::path::Element;
use super::set::FieldSet;
use crate::catalog::Resource;

/// What a write to one part of an object leaves out of the books.
#[derive(Debug)]
pub(super) enum Ignored {
    /// These fields and all below them.
    These(FieldSet),
    /// Everything but `status`.
    AllButStatus,
}

/// Groups whose status can only be written without any metadata.
const BARE_STATUS: [&str; 2] = ["flowcontrol.apiserver.k8s.io", "admissionregistration.k8s.io"];
/// Resources of other groups of which this is so.
const BARE_STATUS_RESOURCES: [&str; 3] = ["volumeattachments", "resourceclaims", "servicecidrs"];

impl Ignored {
    /// For a write to a subresource; empty for the object itself.
    pub(super) fn of(resource: &Resource, subresource: &str) -> Self {
        match subresource {
            "status" if resource.custom.is_some() => Self::AllButStatus,
            "status" => Self::These(status(resource)),
            _ if resource.has_status => Self::These(set(&[&["status"]])),
            _ => Self::These(FieldSet::default()),
        }
    }

    /// The set without what is left out.
    pub(super) fn filter(&self, fields: FieldSet) -> FieldSet {
        match self {
            Self::These(none) if none.is_empty() => fields,
            Self::These(ignored) => fields.outside(ignored),
            Self::AllButStatus => fields.only(&Element::field("status")),
        }
    }
}

fn status(resource: &Resource) -> FieldSet {
    let bare = BARE_STATUS.contains(&&*resource.group) || BARE_STATUS_RESOURCES.contains(&&*resource.plural);
    match (&*resource.group, &*resource.plural) {
        _ if bare => set(&[&["spec"], &["metadata"]]),
        ("apps", "deployments") => set(&[&["spec"], &["metadata", "labels"]]),
        ("", "pods") => set(&[&["spec"], &["metadata", "deletionTimestamp"], &["metadata", "ownerReferences"]]),
        _ => set(&[&["spec"]]),
    }
}

fn set(paths: &[&[&str]]) -> FieldSet {
    let mut all = FieldSet::default();
    for path in paths {
        let path = path.iter().rev().fold(FieldSet::leaf(), |below, name| {
            let mut set = FieldSet::default();
            set.put(Element::field(name), below);
            set
        });
        all.add(path);
    }
    all
}
