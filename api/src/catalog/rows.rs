//! The rows themselves.

use super::{ALL_VERBS, Resource, Rules, Subresource};
use crate::kinds;
use Subresource::{Binding, Finalize, Log, Scale, Status};

/// Namespaces and nodes are never deleted as a collection by Kubernetes' own rules.
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
        orphans_by_default: false,
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

    fn in_all(mut self) -> Self {
        self.categories = vec!["all".into()];
        self
    }

    fn sub(mut self, subresources: &[Subresource]) -> Self {
        self.has_status = subresources.contains(&Status);
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

/// Every built-in row, in the order discovery lists them.
pub(super) fn builtin() -> Vec<Resource> {
    let mut rows = core();
    rows.extend(workloads());
    rows.extend(infrastructure());
    rows
}

fn core() -> Vec<Resource> {
    let mut pods = row("", "v1", "Pod", "pods").short(&["po"]).in_all().rules(&kinds::pod::RULES);
    pods.graceful = true;
    vec![
        row("", "v1", "ConfigMap", "configmaps").short(&["cm"]).rules(&kinds::config::CONFIG_MAP),
        row("", "v1", "Endpoints", "endpoints").short(&["ep"]).rules(&kinds::service::ENDPOINTS),
        row("", "v1", "Event", "events").short(&["ev"]).rules(&kinds::event::CORE),
        row("", "v1", "Namespace", "namespaces")
            .cluster()
            .short(&["ns"])
            .only(NO_COLLECTION)
            .sub(&[Finalize, Status])
            .rules(&kinds::namespace::RULES),
        row("", "v1", "Node", "nodes").cluster().short(&["no"]).sub(&[Status]).rules(&kinds::node::RULES),
        pods.sub(&[Binding, Log, Status]),
        row("", "v1", "Secret", "secrets").rules(&kinds::config::SECRET),
        row("", "v1", "ServiceAccount", "serviceaccounts").short(&["sa"]).rules(&kinds::config::SERVICE_ACCOUNT),
        row("", "v1", "Service", "services").short(&["svc"]).in_all().sub(&[Status]).rules(&kinds::service::SERVICE),
    ]
}

fn workloads() -> Vec<Resource> {
    let mut jobs = row("batch", "v1", "Job", "jobs").in_all().sub(&[Status]).rules(&kinds::job::RULES);
    jobs.orphans_by_default = true;
    vec![
        row("apps", "v1", "Deployment", "deployments")
            .short(&["deploy"])
            .in_all()
            .sub(&[Scale, Status])
            .rules(&kinds::deployment::RULES),
        row("apps", "v1", "ReplicaSet", "replicasets")
            .short(&["rs"])
            .in_all()
            .sub(&[Scale, Status])
            .rules(&kinds::replica_set::RULES),
        jobs,
    ]
}

fn infrastructure() -> Vec<Resource> {
    let mut events = row("events.k8s.io", "v1", "Event", "events").short(&["ev"]).rules(&kinds::event::EVENTS_V1);
    events.stored_as = Some("events");
    vec![
        row("coordination.k8s.io", "v1", "Lease", "leases").rules(&kinds::lease::RULES),
        row("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices").rules(&kinds::service::ENDPOINT_SLICE),
        events,
    ]
}
