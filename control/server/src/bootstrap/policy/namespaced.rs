//! Roles in the namespaces of the system.

use super::words::{group, verb};
use super::{Binding, RECORDS_EVENTS, Role, Rule, SYSTEM, Subject, binding, on, on_named, role};

const PUBLIC: &str = "kube-public";

const BOOTSTRAP_SIGNER: &str = "system:controller:bootstrap-signer";
const CLOUD_PROVIDER: &str = "system:controller:cloud-provider";
const TOKEN_CLEANER: &str = "system:controller:token-cleaner";
const AUTHENTICATION_READER: &str = "extension-apiserver-authentication-reader";
const CONTROLLER_MANAGER_LOCK: &str = "system::leader-locking-kube-controller-manager";
const SCHEDULER_LOCK: &str = "system::leader-locking-kube-scheduler";

const CONTROLLER_MANAGER: Subject = Subject::User("system:kube-controller-manager");
const SCHEDULER: Subject = Subject::User("system:kube-scheduler");

/// To be elected.
const LOCKING: &[Rule] = &[
    on(group::COORDINATION, &["leases"], verb::READ_CREATE_UPDATE),
    on(group::COORDINATION, &["leasecandidates"], verb::READ_CREATE_UPDATE),
];

pub(super) const ROLES: &[(&str, Role)] = &[
    (
        PUBLIC,
        role(
            BOOTSTRAP_SIGNER,
            &[
                on(group::CORE, &["configmaps"], verb::READ),
                on_named(group::CORE, &["configmaps"], &["cluster-info"], verb::UPDATE),
                RECORDS_EVENTS,
            ],
        ),
    ),
    (
        SYSTEM,
        role(
            AUTHENTICATION_READER,
            &[on_named(group::CORE, &["configmaps"], &["extension-apiserver-authentication"], verb::READ)],
        ),
    ),
    (SYSTEM, role(CONTROLLER_MANAGER_LOCK, LOCKING)),
    (SYSTEM, role(SCHEDULER_LOCK, LOCKING)),
    (SYSTEM, role(BOOTSTRAP_SIGNER, &[on(group::CORE, &["secrets"], verb::READ)])),
    (SYSTEM, role(CLOUD_PROVIDER, &[on(group::CORE, &["configmaps"], verb::READ_CREATE)])),
    (SYSTEM, role(TOKEN_CLEANER, &[on(group::CORE, &["secrets"], verb::READ_DELETE), RECORDS_EVENTS])),
];

pub(super) const BINDINGS: &[(&str, Binding)] = &[
    (PUBLIC, binding(BOOTSTRAP_SIGNER, &[Subject::Account("bootstrap-signer")])),
    (
        SYSTEM,
        Binding {
            name: "system::extension-apiserver-authentication-reader",
            role: AUTHENTICATION_READER,
            subjects: &[CONTROLLER_MANAGER, SCHEDULER],
        },
    ),
    (
        SYSTEM,
        binding(
            CONTROLLER_MANAGER_LOCK,
            &[
                CONTROLLER_MANAGER,
                Subject::Account("kube-controller-manager"),
                Subject::Account("leader-election-controller"),
            ],
        ),
    ),
    (SYSTEM, binding(SCHEDULER_LOCK, &[SCHEDULER, Subject::Account("kube-scheduler")])),
    (SYSTEM, binding(BOOTSTRAP_SIGNER, &[Subject::Account("bootstrap-signer")])),
    (SYSTEM, binding(CLOUD_PROVIDER, &[Subject::Account("cloud-provider")])),
    (SYSTEM, binding(TOKEN_CLEANER, &[Subject::Account("token-cleaner")])),
];
