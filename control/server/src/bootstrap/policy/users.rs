//! Roles for people and for whoever has authenticated.

use super::words::{group, verb};
use super::{Binding, Role, Rule, Subject, at, binding, gathering, joining, on, role};

const AUTHENTICATED: Subject = Subject::Group("system:authenticated");
const UNAUTHENTICATED: Subject = Subject::Group("system:unauthenticated");
const MASTERS: Subject = Subject::Group("system:masters");
const MONITORING: Subject = Subject::Group("system:monitoring");
const SERVICE_ACCOUNTS: Subject = Subject::Group("system:serviceaccounts");

/// What an administrator of a namespace may do that an editor may not: say who may do what.
const ADMIN: &[Rule] = &[
    on(group::AUTHORIZATION, &["localsubjectaccessreviews"], verb::CREATE),
    on(group::RBAC, &["rolebindings", "roles"], verb::READ_WRITE),
];

/// What an editor of a namespace may do that a viewer may not.
const EDIT: &[Rule] = &[
    // To read these is to act with the rights of others, so viewers may not.
    on(
        group::CORE,
        &["pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets", "services/proxy"],
        verb::READ,
    ),
    on(group::CORE, &["serviceaccounts"], &["impersonate"]),
    on(group::CORE, &["pods", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy"], verb::WRITE),
    on(group::CORE, &["pods/eviction"], verb::CREATE),
    on(
        group::CORE,
        &[
            "configmaps",
            "persistentvolumeclaims",
            "replicationcontrollers",
            "replicationcontrollers/scale",
            "secrets",
            "serviceaccounts",
            "services",
            "services/proxy",
        ],
        verb::WRITE,
    ),
    on(group::CORE, &["serviceaccounts/token"], verb::CREATE),
    on(group::EVENTS, &["events"], verb::WRITE),
    on(
        group::APPS,
        &[
            "daemonsets",
            "deployments",
            "deployments/rollback",
            "deployments/scale",
            "replicasets",
            "replicasets/scale",
            "statefulsets",
            "statefulsets/scale",
        ],
        verb::WRITE,
    ),
    on(group::AUTOSCALING, &["horizontalpodautoscalers"], verb::WRITE),
    on(group::BATCH, &["cronjobs", "jobs"], verb::WRITE),
    on(
        group::EXTENSIONS,
        &[
            "daemonsets",
            "deployments",
            "deployments/rollback",
            "deployments/scale",
            "ingresses",
            "networkpolicies",
            "replicasets",
            "replicasets/scale",
            "replicationcontrollers/scale",
        ],
        verb::WRITE,
    ),
    on(group::POLICY, &["poddisruptionbudgets"], verb::WRITE),
    on(group::NETWORKING, &["ingresses", "networkpolicies"], verb::WRITE),
    on(group::COORDINATION, &["leases"], verb::READ_WRITE),
    on(group::RESOURCE, &["resourceclaims", "resourceclaimtemplates"], verb::WRITE),
];

/// What a viewer of a namespace may see: nothing that gives him the rights of others.
const VIEW: &[Rule] = &[
    on(
        group::CORE,
        &[
            "configmaps",
            "endpoints",
            "persistentvolumeclaims",
            "persistentvolumeclaims/status",
            "pods",
            "replicationcontrollers",
            "replicationcontrollers/scale",
            "serviceaccounts",
            "services",
            "services/status",
        ],
        verb::READ,
    ),
    on(
        group::CORE,
        &[
            "bindings",
            "limitranges",
            "namespaces/status",
            "pods/log",
            "pods/status",
            "replicationcontrollers/status",
            "resourcequotas",
            "resourcequotas/status",
        ],
        verb::READ,
    ),
    // In a namespace, this is the namespace itself.
    on(group::CORE, &["namespaces"], verb::READ),
    on(group::EVENTS, &["events"], verb::READ),
    on(group::DISCOVERY, &["endpointslices"], verb::READ),
    on(
        group::APPS,
        &[
            "controllerrevisions",
            "daemonsets",
            "daemonsets/status",
            "deployments",
            "deployments/scale",
            "deployments/status",
            "replicasets",
            "replicasets/scale",
            "replicasets/status",
            "statefulsets",
            "statefulsets/scale",
            "statefulsets/status",
        ],
        verb::READ,
    ),
    on(group::AUTOSCALING, &["horizontalpodautoscalers", "horizontalpodautoscalers/status"], verb::READ),
    on(group::BATCH, &["cronjobs", "cronjobs/status", "jobs", "jobs/status"], verb::READ),
    on(
        group::EXTENSIONS,
        &[
            "daemonsets",
            "daemonsets/status",
            "deployments",
            "deployments/scale",
            "deployments/status",
            "ingresses",
            "ingresses/status",
            "networkpolicies",
            "replicasets",
            "replicasets/scale",
            "replicasets/status",
            "replicationcontrollers/scale",
        ],
        verb::READ,
    ),
    on(group::POLICY, &["poddisruptionbudgets", "poddisruptionbudgets/status"], verb::READ),
    on(group::NETWORKING, &["ingresses", "ingresses/status", "networkpolicies"], verb::READ),
    on(group::RESOURCE, &["resourceclaims", "resourceclaims/status", "resourceclaimtemplates"], verb::READ),
];

const DISCOVERY_PATHS: Rule = at(
    &[
        "/api",
        "/api/*",
        "/apis",
        "/apis/*",
        "/healthz",
        "/livez",
        "/openapi",
        "/openapi/*",
        "/readyz",
        "/version",
        "/version/",
    ],
    verb::GET,
);

const MONITORING_PATHS: Rule = at(
    &[
        "/flagz",
        "/healthz",
        "/healthz/*",
        "/livez",
        "/livez/*",
        "/metrics",
        "/metrics/slis",
        "/readyz",
        "/readyz/*",
        "/statusz",
    ],
    verb::GET,
);

/// The paths at which others learn how to verify tokens of service accounts.
const ISSUER_PATHS: Rule = at(
    &["/.well-known/openid-configuration", "/.well-known/openid-configuration/", "/openid/v1/jwks", "/openid/v1/jwks/"],
    verb::GET,
);

pub(super) const ROLES: &[Role] = &[
    role("cluster-admin", &[on(group::ALL, &["*"], verb::ALL), at(&["*"], verb::ALL)]),
    gathering("admin", None),
    gathering("edit", Some("admin")),
    gathering("view", Some("edit")),
    joining("admin", "system:aggregate-to-admin", ADMIN),
    joining("edit", "system:aggregate-to-edit", EDIT),
    joining("view", "system:aggregate-to-view", VIEW),
    role(
        "system:basic-user",
        &[
            on(group::AUTHORIZATION, &["selfsubjectaccessreviews", "selfsubjectrulesreviews"], verb::CREATE),
            on(group::AUTHENTICATION, &["selfsubjectreviews"], verb::CREATE),
        ],
    ),
    role("system:discovery", &[DISCOVERY_PATHS]),
    role("system:monitoring", &[MONITORING_PATHS, on(group::CORE, &["nodes/metrics"], verb::GET)]),
    role("system:public-info-viewer", &[at(&["/healthz", "/livez", "/readyz", "/version", "/version/"], verb::GET)]),
    role("system:service-account-issuer-discovery", &[ISSUER_PATHS]),
];

pub(super) const BINDINGS: &[Binding] = &[
    binding("cluster-admin", &[MASTERS]),
    binding("system:basic-user", &[AUTHENTICATED]),
    binding("system:discovery", &[AUTHENTICATED]),
    binding("system:monitoring", &[MONITORING]),
    binding("system:public-info-viewer", &[AUTHENTICATED, UNAUTHENTICATED]),
    binding("system:service-account-issuer-discovery", &[SERVICE_ACCOUNTS]),
];
