//! What the controllers of workloads may do: those that make, count, scale and remove pods.

use super::words::{group, verb};
use super::{RECORDS_EVENTS, Rule, on};

/// By the name of the controller's account.
pub(super) const RULES: &[(&str, &[Rule])] = &[
    (
        "cronjob-controller",
        &[
            on(group::BATCH, &["cronjobs"], verb::READ_UPDATE),
            on(group::BATCH, &["jobs"], verb::OWN),
            on(group::BATCH, &["cronjobs/status"], verb::UPDATE),
            on(group::BATCH, &["cronjobs/finalizers"], verb::UPDATE),
            on(group::CORE, &["pods"], &["delete", "list", "watch"]),
            RECORDS_EVENTS,
        ],
    ),
    (
        "daemon-set-controller",
        &[
            on(group::APPS_AND_EXTENSIONS, &["daemonsets"], verb::READ),
            on(group::APPS_AND_EXTENSIONS, &["daemonsets/status"], verb::UPDATE),
            on(group::APPS_AND_EXTENSIONS, &["daemonsets/finalizers"], verb::UPDATE),
            on(group::CORE, &["nodes"], verb::LIST_WATCH),
            on(group::CORE, &["pods"], verb::OWN_PODS),
            on(group::CORE, &["pods/binding"], verb::CREATE),
            on(group::APPS, &["controllerrevisions"], verb::OWN),
            RECORDS_EVENTS,
        ],
    ),
    (
        "deployment-controller",
        &[
            on(group::APPS_AND_EXTENSIONS, &["deployments"], verb::READ_UPDATE),
            on(group::APPS_AND_EXTENSIONS, &["deployments/status"], verb::UPDATE),
            on(group::APPS_AND_EXTENSIONS, &["deployments/finalizers"], verb::UPDATE),
            on(group::APPS_AND_EXTENSIONS, &["replicasets"], verb::OWN),
            on(group::CORE, &["pods"], verb::READ_UPDATE),
            RECORDS_EVENTS,
        ],
    ),
    (
        "device-taint-eviction-controller",
        &[
            on(group::CORE, &["pods"], verb::READ_DELETE),
            on(group::CORE, &["pods/status"], verb::PATCH_UPDATE),
            on(group::RESOURCE, &["resourceclaims"], verb::READ),
            on(group::RESOURCE, &["resourceslices"], verb::READ),
            on(group::RESOURCE, &["deviceclasses"], verb::READ),
            RECORDS_EVENTS,
        ],
    ),
    (
        "disruption-controller",
        &[
            on(group::APPS_AND_EXTENSIONS, &["deployments"], verb::READ),
            on(group::APPS_AND_EXTENSIONS, &["replicasets"], verb::READ),
            on(group::CORE, &["replicationcontrollers"], verb::READ),
            on(group::POLICY, &["poddisruptionbudgets"], verb::READ),
            on(group::APPS, &["statefulsets"], verb::READ),
            on(group::POLICY, &["poddisruptionbudgets/status"], verb::UPDATE),
            on(group::CORE, &["pods/status"], verb::PATCH_UPDATE),
            on(group::ALL, &["*/scale"], verb::GET),
            RECORDS_EVENTS,
        ],
    ),
    (
        "horizontal-pod-autoscaler",
        &[
            on(group::AUTOSCALING, &["horizontalpodautoscalers"], verb::READ),
            on(group::AUTOSCALING, &["horizontalpodautoscalers/status"], verb::UPDATE),
            on(group::ALL, &["*/scale"], verb::GET_UPDATE),
            on(group::CORE, &["pods"], verb::LIST_WATCH),
            on(&["metrics.k8s.io"], &["pods"], verb::LIST_WATCH),
            on(&["custom.metrics.k8s.io"], &["*"], verb::READ),
            on(&["external.metrics.k8s.io"], &["*"], verb::READ),
            RECORDS_EVENTS,
        ],
    ),
    (
        "job-controller",
        &[
            on(group::BATCH, &["jobs"], verb::READ_PATCH_UPDATE),
            on(group::BATCH, &["jobs/status"], verb::UPDATE),
            on(group::BATCH, &["jobs/finalizers"], verb::UPDATE),
            on(group::CORE, &["pods"], verb::OWN_PODS),
            RECORDS_EVENTS,
        ],
    ),
    (
        "pod-garbage-collector",
        &[
            on(group::CORE, &["pods"], &["delete", "list", "watch"]),
            on(group::CORE, &["nodes"], verb::READ),
            on(group::CORE, &["pods/status"], verb::PATCH),
        ],
    ),
    (
        "replicaset-controller",
        &[
            on(group::APPS_AND_EXTENSIONS, &["replicasets"], verb::READ_UPDATE),
            on(group::APPS_AND_EXTENSIONS, &["replicasets/status"], verb::UPDATE),
            on(group::APPS_AND_EXTENSIONS, &["replicasets/finalizers"], verb::UPDATE),
            on(group::CORE, &["pods"], verb::OWN_PODS),
            RECORDS_EVENTS,
        ],
    ),
    (
        "replication-controller",
        &[
            on(group::CORE, &["replicationcontrollers"], verb::READ_UPDATE),
            on(group::CORE, &["replicationcontrollers/status"], verb::UPDATE),
            on(group::CORE, &["replicationcontrollers/finalizers"], verb::UPDATE),
            on(group::CORE, &["pods"], verb::OWN_PODS),
            RECORDS_EVENTS,
        ],
    ),
    (
        "resource-claim-controller",
        &[
            on(group::CORE, &["pods"], verb::READ),
            on(group::CORE, &["pods/finalizers"], verb::UPDATE),
            on(group::RESOURCE, &["resourceclaims"], verb::READ_CREATE_DELETE),
            on(group::RESOURCE, &["resourceclaims", "resourceclaims/status"], verb::PATCH_UPDATE),
            on(group::CORE, &["pods/status"], verb::PATCH_UPDATE),
            RECORDS_EVENTS,
            on(group::RESOURCE, &["resourceclaims/binding"], verb::PATCH_UPDATE),
        ],
    ),
    (
        "statefulset-controller",
        &[
            on(group::CORE, &["pods"], verb::LIST_WATCH),
            on(group::APPS, &["statefulsets"], verb::READ),
            on(group::APPS, &["statefulsets/status"], verb::UPDATE),
            on(group::APPS, &["statefulsets/finalizers"], verb::UPDATE),
            on(group::CORE, &["pods"], verb::OWN_BY_NAME),
            on(group::APPS, &["controllerrevisions"], verb::OWN),
            on(group::CORE, &["persistentvolumeclaims"], verb::READ_CREATE),
            on(group::CORE, &["persistentvolumeclaims"], &["delete", "update"]),
            on(group::CORE, &["pods/finalizers"], verb::UPDATE),
            RECORDS_EVENTS,
        ],
    ),
    ("ttl-after-finished-controller", &[on(group::BATCH, &["jobs"], verb::READ_DELETE), RECORDS_EVENTS]),
];
