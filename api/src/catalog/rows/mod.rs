//! The rows themselves, and the words they are written in.

mod core;
mod groups;

use crate::kinds::{scale, usage};

use super::{ALL_VERBS, Dependents, Resource, Rules, Subresource};

/// Namespaces are never deleted as a collection by Kubernetes' own rules.
const NO_COLLECTION: &[&str] = &["create", "delete", "get", "list", "patch", "update", "watch"];

fn row(group: &'static str, version: &'static str, kind: &'static str, plural: &'static str) -> Resource {
    Resource {
        group: group.into(),
        version: version.into(),
        kind: kind.into(),
        plural: plural.into(),
        singular: kind.to_lowercase().into(),
        short_names: Vec::new(),
        categories: Vec::new(),
        namespaced: true,
        verbs: ALL_VERBS,
        subresources: Vec::new(),
        stored_as: None,
        graceful: false,
        has_status: false,
        dependents: Dependents::Deleted,
        shows_deleted: false,
        review: false,
        custom: None,
        rules: &Rules::GENERIC,
    }
}

impl Resource {
    fn cluster(mut self) -> Self {
        self.namespaced = false;
        self
    }

    fn short(mut self, names: &[&'static str]) -> Self {
        self.short_names = names.iter().map(|n| (*n).into()).collect();
        self
    }

    fn in_all(self) -> Self {
        self.category("all")
    }

    fn category(mut self, name: &'static str) -> Self {
        self.categories = vec![name.into()];
        self
    }

    fn dependents(mut self, dependents: Dependents) -> Self {
        self.dependents = dependents;
        self
    }

    fn shows_deleted(mut self) -> Self {
        self.shows_deleted = true;
        self
    }

    fn stored_as(mut self, key: &'static str) -> Self {
        self.stored_as = Some(key);
        self
    }

    /// A question that a create asks.
    fn review(mut self) -> Self {
        self.review = true;
        self.only(&["create"])
    }

    fn sub(mut self, subresources: &[Subresource]) -> Self {
        self.has_status = subresources.contains(&Subresource::Status);
        self.subresources = subresources.to_vec();
        self
    }

    fn rules(mut self, rules: &'static Rules) -> Self {
        self.rules = rules;
        self
    }

    fn only(mut self, verbs: &'static [&'static str]) -> Self {
        self.verbs = verbs;
        self
    }
}

/// What the `scale` subresource shows: a kind without a resource.
pub(super) fn scale() -> Resource {
    row("autoscaling", "v1", "Scale", "scales").rules(&scale::RULES)
}

/// The group of what pods and nodes use.
pub(super) const USAGE_GROUP: &str = "metrics.k8s.io";

/// What pods and nodes use: kinds that are made when somebody asks.
pub(super) fn usage() -> Vec<Resource> {
    let of = |kind, plural| row(USAGE_GROUP, "v1beta1", kind, plural).only(&["get", "list"]);
    let ignored = |row: Resource| row.dependents(Dependents::Ignored);
    vec![
        ignored(of("NodeMetrics", "nodes").cluster().rules(&usage::NODES)),
        ignored(of("PodMetrics", "pods").rules(&usage::PODS)),
    ]
}

/// Every built-in row, in the order discovery lists the groups.
pub(super) fn builtin() -> Vec<Resource> {
    let mut rows = core::rows();
    rows.extend(groups::rows());
    rows
}
