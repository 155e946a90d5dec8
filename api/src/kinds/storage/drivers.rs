//! CSI drivers, and which of them a node has.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::catalog::{Column, RowCells, Rules};
use crate::field::{FieldError, Path};
use crate::kinds::check::{Errors, same};
use crate::kinds::generation;
use crate::kinds::json::{boolean, has, integer, list, object, part, sections, set_default, text, texts};
use crate::kinds::pod::volume_sources::driver_name;
use crate::kinds::table::{AGE, age, column, flag, number, or_none, or_unset};
use crate::names;

const TOKEN_MIN_SECONDS: i64 = 600;
const TOKEN_MAX_SECONDS: i64 = 1 << 32;
const NODE_ID_LIMIT_BYTES: usize = 192;
/// Shortest period between two updates of what a driver can attach, in seconds.
const UPDATE_MIN_SECONDS: i64 = 10;

/// What errors call `attachRequired`: Kubernetes' slip of the pen, which clients see.
const ATTACH: &str = "attachedRequired";

/// The rules of the row.
pub static CSI_DRIVER: Rules = Rules {
    defaults: driver_defaults,
    prepare_update: |new, old| generation::bump_if_changed(new, old, &["spec"]),
    validate: driver,
    validate_update: |new, old| {
        let mut errors = Errors::default();
        let (new, old) = (part(new, "spec"), part(old, "spec"));
        let (attach, path) = (part(&new, "attachRequired"), Path::root("spec"));
        if attach != part(&old, "attachRequired") {
            errors.invalid(&path.child(ATTACH), &attach, crate::metadata::IMMUTABLE);
        }
        errors.fixed(&path, &new, &old, &["volumeLifecycleModes"]);
        errors.0
    },
    name_errors: names::subdomain_name,
    columns: DRIVER_COLUMNS,
    cells: driver_cells,
    ..Rules::GENERIC
};

const DRIVER_COLUMNS: &[Column] = &[
    flag(
        "AttachRequired",
        "attachRequired indicates this CSI volume driver requires an attach operation (because it implements \
             the CSI ControllerPublishVolume() method), and that the Kubernetes attach detach controller should \
             call the attach volume interface which checks the volumeattachment status and waits until the volume \
             is attached before proceeding to mounting. The CSI external-attacher coordinates with CSI volume \
             driver and updates the volumeattachment status when the attach operation is complete. If the value is \
             specified to false, the attach operation will be skipped. Otherwise the attach operation will be \
             called.\n\nThis field is immutable.",
    ),
    flag(
        "PodInfoOnMount",
        "podInfoOnMount indicates this CSI volume driver requires additional pod information (like podName, \
             podUID, etc.) during mount operations, if set to true. If set to false, pod information will not be \
             passed on mount. Default is false.\n\nThe CSI driver specifies podInfoOnMount as part of driver \
             deployment. If true, Kubelet will pass pod information as VolumeContext in the CSI NodePublishVolume() \
             calls. The CSI driver is responsible for parsing and validating the information passed in as \
             VolumeContext.\n\nThe following VolumeContext will be passed if podInfoOnMount is set to true. This \
             list might grow, but the prefix will be used. \"csi.storage.k8s.io/pod.name\": pod.Name \
             \"csi.storage.k8s.io/pod.namespace\": pod.Namespace \"csi.storage.k8s.io/pod.uid\": string(pod.UID) \
             \"csi.storage.k8s.io/ephemeral\": \"true\" if the volume is an ephemeral inline volume\n                                \
             defined by a CSIVolumeSource, otherwise \"false\"\n\n\"csi.storage.k8s.io/ephemeral\" is a new feature \
             in Kubernetes 1.16. It is only required for drivers which support both the \"Persistent\" and \
             \"Ephemeral\" VolumeLifecycleMode. Other drivers can leave pod info disabled and/or ignore this field. \
             As Kubernetes 1.15 doesn't support this field, drivers can only support one mode when deployed on such \
             a cluster and the deployment determines which mode that is, for example via a command line parameter \
             of the driver.\n\nThis field was immutable in Kubernetes < 1.29 and now is mutable.",
    ),
    flag(
        "StorageCapacity",
        "storageCapacity indicates that the CSI volume driver wants pod scheduling to consider the storage \
             capacity that the driver deployment will report by creating CSIStorageCapacity objects with capacity \
             information, if set to true.\n\nThe check can be enabled immediately when deploying a driver. In that \
             case, provisioning new volumes with late binding will pause until the driver deployment has published \
             some suitable CSIStorageCapacity object.\n\nAlternatively, the driver can be deployed with the field \
             unset or false and it can be flipped later when storage capacity information has been \
             published.\n\nThis field was immutable in Kubernetes <= 1.22 and now is mutable.",
    ),
    column(
        "TokenRequests",
        "tokenRequests indicates the CSI driver needs pods' service account tokens it is mounting volume for to \
             do necessary authentication. Kubelet will pass the tokens in VolumeContext in the CSI \
             NodePublishVolume calls. The CSI driver should parse and validate the following VolumeContext: \
             \"csi.storage.k8s.io/serviceAccount.tokens\": {\n  \"<audience>\": {\n    \"token\": <token>,\n    \
             \"expirationTimestamp\": <expiration timestamp in RFC3339>,\n  },\n  ...\n}\n\nNote: Audience in each \
             TokenRequest should be different and at most one token is empty string. To receive a new token after \
             expiry, RequiresRepublish can be used to trigger NodePublishVolume periodically.",
    ),
    flag(
        "RequiresRepublish",
        "requiresRepublish indicates the CSI driver wants `NodePublishVolume` being periodically called to \
             reflect any possible change in the mounted volume. This field defaults to false.\n\nNote: After a \
             successful initial NodePublishVolume call, subsequent calls to NodePublishVolume should only update \
             the contents of the volume. New mount points will not be seen by a running container.",
    ),
    column(
        "Modes",
        "volumeLifecycleModes defines what kind of volumes this CSI volume driver supports. The default if the \
             list is empty is \"Persistent\", which is the usage defined by the CSI specification and implemented \
             in Kubernetes via the usual PV/PVC mechanism.\n\nThe other mode is \"Ephemeral\". In this mode, \
             volumes are defined inline inside the pod spec with CSIVolumeSource and their lifecycle is tied to the \
             lifecycle of that pod. A driver has to be aware of this because it is only going to get a \
             NodePublishVolume call for such a volume.\n\nFor more information about implementing this mode, see \
             https://kubernetes-csi.github.io/docs/ephemeral-local-volumes.html A driver can support one or more of \
             these modes and more modes may be added in the future.\n\nThis field is beta. This field is immutable.",
    ),
    AGE,
];

/// The rules of the row.
pub static CSI_NODE: Rules = Rules {
    defaults: |node| {
        sections(node, &["spec"]);
        if let Some(spec) = object(node, "spec") {
            set_default(spec, "drivers", Value::Null);
        }
    },
    validate: node,
    validate_update: |new, old| {
        let mut errors = Errors::default();
        let path = Path::root("spec").child("drivers");
        // The first of a name counts.
        let drivers = list(new, "spec.drivers").iter().rev();
        let drivers: BTreeMap<&str, &Value> = drivers.map(|driver| (text(driver, "name"), driver)).collect();
        for before in list(old, "spec.drivers") {
            let after = drivers.get(text(before, "name")).map(|after| without_count(after));
            if let Some(after) = after.filter(|after| !same(after, &without_count(before))) {
                errors.invalid(&path, &after, crate::metadata::IMMUTABLE);
            }
        }
        errors.0
    },
    name_errors: names::subdomain_name,
    columns: &[number("Drivers", "Drivers indicates the number of CSI drivers registered on the node"), AGE],
    cells: |node, now_seconds| RowCells {
        cells: vec![json!(list(node, "spec.drivers").len()), age(node, now_seconds)],
    },
    ..Rules::GENERIC
};

/// How much a driver can attach may change (KEP-4876).
fn without_count(driver: &Value) -> Value {
    let mut driver = driver.clone();
    driver.as_object_mut().map(|map| map.remove("allocatable"));
    driver
}

fn driver_defaults(driver: &mut Value) {
    let Some(spec) = object(driver, "spec") else { return };
    set_default(spec, "attachRequired", true);
    set_default(spec, "podInfoOnMount", false);
    set_default(spec, "storageCapacity", false);
    set_default(spec, "fsGroupPolicy", "ReadWriteOnceWithFSType");
    set_default(spec, "requiresRepublish", false);
    set_default(spec, "seLinuxMount", false);
    if spec.get("volumeLifecycleModes").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        spec.insert("volumeLifecycleModes".into(), json!(["Persistent"]));
    }
}

fn driver(driver: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, spec) = (Path::root("spec"), part(driver, "spec"));
    let missing = |errors: &mut Errors, field: &str, name: &str| {
        if !has(&spec, field) {
            errors.required(&path.child(name), "");
        }
    };
    missing(&mut errors, "attachRequired", ATTACH);
    missing(&mut errors, "podInfoOnMount", "podInfoOnMount");
    missing(&mut errors, "storageCapacity", "storageCapacity");
    let policies = ["File", "None", "ReadWriteOnceWithFSType"];
    errors.choice_if_set(&path, &spec, "fsGroupPolicy", &policies);
    tokens(&mut errors, &spec, &path.child("tokenRequests"));
    for mode in texts(&spec, "volumeLifecycleModes") {
        errors.one_of_if_set(&path.child("volumeLifecycleModes"), Some(mode), &["Persistent", "Ephemeral"]);
    }
    missing(&mut errors, "seLinuxMount", "seLinuxMount");
    let period = integer(&spec, "nodeAllocatableUpdatePeriodSeconds");
    if has(&spec, "nodeAllocatableUpdatePeriodSeconds") && period < UPDATE_MIN_SECONDS {
        let path = path.child("nodeAllocatableUpdatePeriodSeconds");
        errors.invalid(&path, &period, "must be greater than or equal to 10 seconds");
    }
    let in_secrets = part(&spec, "serviceAccountTokenInSecrets");
    if !in_secrets.is_null() && list(&spec, "tokenRequests").is_empty() {
        let detail = "serviceAccountTokenInSecrets is set but no tokenRequests are specified";
        errors.invalid(&path.child("serviceAccountTokenInSecrets"), &in_secrets, detail);
    }
    errors.0
}

fn tokens(errors: &mut Errors, spec: &Value, path: &Path) {
    let mut seen = BTreeSet::new();
    for (index, request) in list(spec, "tokenRequests").iter().enumerate() {
        let path = path.index(index);
        let audience = text(request, "audience");
        if !seen.insert(audience) {
            errors.duplicate(&path.child("audience"), &audience);
            continue;
        }
        let seconds = integer(request, "expirationSeconds");
        let path = path.child("expirationSeconds");
        if has(request, "expirationSeconds") && seconds < TOKEN_MIN_SECONDS {
            errors.invalid(&path, &seconds, "may not specify a duration less than 10 minutes");
        } else if seconds > TOKEN_MAX_SECONDS {
            errors.invalid(&path, &seconds, "may not specify a duration larger than 2^32 seconds");
        }
    }
}

fn driver_cells(driver: &Value, now_seconds: i64) -> RowCells {
    let flag = |field: &str| json!(boolean(driver, &format!("spec.{field}")));
    let audiences: Vec<&str> = list(driver, "spec.tokenRequests").iter().map(|t| text(t, "audience")).collect();
    let attach = !has(driver, "spec.attachRequired") || boolean(driver, "spec.attachRequired");
    let tokens = if has(driver, "spec.tokenRequests") { json!(audiences.join(",")) } else { or_unset("") };
    let cells = vec![
        json!(attach),
        flag("podInfoOnMount"),
        flag("storageCapacity"),
        tokens,
        flag("requiresRepublish"),
        or_none(&texts(driver, "spec.volumeLifecycleModes").join(",")),
        age(driver, now_seconds),
    ];
    RowCells { cells }
}

fn node(node: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, mut seen) = (Path::root("spec").child("drivers"), BTreeSet::new());
    for (index, driver) in list(node, "spec.drivers").iter().enumerate() {
        let path = path.index(index);
        let (name, id) = (text(driver, "name"), text(driver, "nodeID"));
        driver_name(&mut errors, name, &path.child("name"));
        if id.is_empty() {
            errors.required(&path.child("nodeID"), "");
        } else if id.len() > NODE_ID_LIMIT_BYTES {
            errors.invalid(&path.child("nodeID"), &id, &format!("must be {NODE_ID_LIMIT_BYTES} characters or less"));
        }
        let count = integer(driver, "allocatable.count");
        errors.not_negative(&path.child("allocatable").child("count"), Some(count));
        if !seen.insert(name) {
            errors.duplicate(&path.child("name"), &name);
        }
        let mut keys = BTreeSet::new();
        for key in texts(driver, "topologyKeys") {
            if key.is_empty() {
                errors.required(&path, "");
            }
            if !keys.insert(key) {
                errors.duplicate(&path, &key);
            }
            errors.named(&path, key, names::qualified_name);
        }
    }
    errors.0
}
