//! What a PUT may do beyond changing the version that it names.

use super::Resource;

/// Resources that a PUT creates when they are not there (`AllowCreateOnUpdate`), by group.
const CREATED: &[(&str, &str)] = &[
    ("", "endpoints"),
    ("", "events"),
    ("", "limitranges"),
    ("", "services"),
    ("coordination.k8s.io", "leases"),
    ("events.k8s.io", "events"),
    ("node.k8s.io", "runtimeclasses"),
    ("rbac.authorization.k8s.io", "clusterrolebindings"),
    ("rbac.authorization.k8s.io", "clusterroles"),
    ("rbac.authorization.k8s.io", "rolebindings"),
    ("rbac.authorization.k8s.io", "roles"),
];

/// Resources of which a PUT must name the version that it follows (no `AllowUnconditionalUpdate`), by group. Custom
/// resources are among them.
const CONDITIONAL: &[(&str, &str)] = &[
    ("admissionregistration.k8s.io", "mutatingadmissionpolicies"),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings"),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    ("apiextensions.k8s.io", "customresourcedefinitions"),
    ("apiregistration.k8s.io", "apiservices"),
    ("coordination.k8s.io", "leases"),
    ("node.k8s.io", "runtimeclasses"),
    ("policy", "poddisruptionbudgets"),
    ("storage.k8s.io", "csidrivers"),
    ("storage.k8s.io", "csinodes"),
    ("storage.k8s.io", "csistoragecapacities"),
    ("storage.k8s.io", "volumeattachments"),
];

impl Resource {
    /// Whether a PUT creates the object when it is not there.
    pub fn is_created_by_update(&self) -> bool {
        self.is_in(CREATED)
    }

    /// Whether a PUT without a resourceVersion follows whatever is there.
    pub fn is_updated_unconditionally(&self) -> bool {
        self.custom.is_none() && !self.is_in(CONDITIONAL)
    }

    fn is_in(&self, rows: &[(&str, &str)]) -> bool {
        self.custom.is_none() && rows.contains(&(self.group.as_ref(), self.plural.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use crate::catalog::Catalog;

    #[test]
    fn every_row_is_of_the_catalogue() {
        let catalog = Catalog::builtin();
        for (group, plural) in super::CREATED.iter().chain(super::CONDITIONAL) {
            assert!(catalog.find(group, "v1", plural).is_some(), "{plural}.{group}");
        }
    }

    #[test]
    fn most_objects_follow_whatever_is_there_and_are_not_made_by_an_update() {
        let of = |group, plural| {
            let row = Catalog::builtin().find(group, "v1", plural).unwrap();
            (row.is_created_by_update(), row.is_updated_unconditionally())
        };
        assert_eq!(of("", "pods"), (false, true));
        assert_eq!(of("coordination.k8s.io", "leases"), (true, false));
        assert_eq!(of("", "services"), (true, true));
    }
}
