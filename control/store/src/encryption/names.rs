//! Names of resources in a configuration: `secrets`, `deployments.apps`, `*.apps`, `*.` (the core group), `*.*`.

/// What a name in a configuration means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Name<'a> {
    pub(super) resource: &'a str,
    pub(super) group: &'a str,
}

impl<'a> Name<'a> {
    /// As `schema.ParseGroupResource` reads it: the group is what stands behind the first dot.
    pub(super) fn parse(text: &'a str) -> Self {
        let (resource, group) = text.split_once('.').unwrap_or((text, ""));
        Self { resource, group }
    }

    pub(super) fn is_everything(self) -> bool {
        self.resource == "*" && self.group == "*"
    }

    /// As [`crate::Key::resource`] has it, which for the core group is without a dot.
    pub(super) fn stored(self) -> String {
        if self.group.is_empty() { self.resource.into() } else { format!("{}.{}", self.resource, self.group) }
    }
}

/// The group of a resource as in [`crate::Key::resource`].
pub(super) fn group_of(resource: &str) -> &str {
    Name::parse(resource).group
}
