//! The groups and verbs that many rules name.

/// API groups.
pub(super) mod group {
    use super::super::Texts;

    pub(crate) const ALL: Texts = &["*"];
    pub(crate) const CORE: Texts = &[""];
    pub(crate) const ADMISSION: Texts = &["admissionregistration.k8s.io"];
    pub(crate) const APPS: Texts = &["apps"];
    pub(crate) const APPS_AND_EXTENSIONS: Texts = &["apps", "extensions"];
    pub(crate) const AUTHENTICATION: Texts = &["authentication.k8s.io"];
    pub(crate) const AUTHORIZATION: Texts = &["authorization.k8s.io"];
    pub(crate) const AUTOSCALING: Texts = &["autoscaling"];
    pub(crate) const BATCH: Texts = &["batch"];
    pub(crate) const CERTIFICATES: Texts = &["certificates.k8s.io"];
    pub(crate) const COORDINATION: Texts = &["coordination.k8s.io"];
    pub(crate) const DISCOVERY: Texts = &["discovery.k8s.io"];
    /// Both groups that serve events.
    pub(crate) const EVENTS: Texts = &["", "events.k8s.io"];
    pub(crate) const EXTENSIONS: Texts = &["extensions"];
    pub(crate) const NETWORKING: Texts = &["networking.k8s.io"];
    pub(crate) const NODE: Texts = &["node.k8s.io"];
    pub(crate) const POLICY: Texts = &["policy"];
    pub(crate) const RBAC: Texts = &["rbac.authorization.k8s.io"];
    pub(crate) const RESOURCE: Texts = &["resource.k8s.io"];
    pub(crate) const STORAGE: Texts = &["storage.k8s.io"];
}

/// Sets of verbs.
pub(super) mod verb {
    use super::super::Texts;

    pub(crate) const ALL: Texts = &["*"];
    pub(crate) const APPROVE: Texts = &["approve"];
    pub(crate) const CREATE: Texts = &["create"];
    pub(crate) const DELETE: Texts = &["delete"];
    pub(crate) const GET: Texts = &["get"];
    pub(crate) const PATCH: Texts = &["patch"];
    pub(crate) const UPDATE: Texts = &["update"];
    pub(crate) const WATCH: Texts = &["watch"];

    pub(crate) const GET_UPDATE: Texts = &["get", "update"];
    pub(crate) const LIST_WATCH: Texts = &["list", "watch"];
    pub(crate) const PATCH_UPDATE: Texts = &["patch", "update"];

    /// To see, one by one or all.
    pub(crate) const READ: Texts = &["get", "list", "watch"];
    pub(crate) const READ_CREATE: Texts = &["create", "get", "list", "watch"];
    pub(crate) const READ_CREATE_DELETE: Texts = &["create", "delete", "get", "list", "watch"];
    pub(crate) const READ_CREATE_UPDATE: Texts = &["create", "get", "list", "update", "watch"];
    pub(crate) const READ_DELETE: Texts = &["delete", "get", "list", "watch"];
    pub(crate) const READ_UPDATE: Texts = &["get", "list", "update", "watch"];
    pub(crate) const READ_PATCH_UPDATE: Texts = &["get", "list", "patch", "update", "watch"];

    /// To change, one by one or all.
    pub(crate) const WRITE: Texts = &["create", "delete", "deletecollection", "patch", "update"];
    pub(crate) const READ_WRITE: Texts =
        &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
    /// All of that but to delete many at once.
    pub(crate) const OWN: Texts = &["create", "delete", "get", "list", "patch", "update", "watch"];
    /// As an owner that replaces and never patches.
    pub(crate) const OWN_NO_PATCH: Texts = &["create", "delete", "get", "list", "update", "watch"];
    /// As an owner that knows the names of its objects.
    pub(crate) const OWN_BY_NAME: Texts = &["create", "delete", "get", "patch", "update"];
    /// As a controller that makes pods and finds them by informers.
    pub(crate) const OWN_PODS: Texts = &["create", "delete", "list", "patch", "watch"];
    /// As a recorder of events.
    pub(crate) const RECORD: Texts = &["create", "patch", "update"];
}
