//! Whom a token that a node asks for is for: who stands in its pod, or who is allowed to this node (KEP-4412's
//! `ServiceAccountNodeAudienceRestriction`).

use coracle_api::field::aggregate;
use coracle_api::{ApiResult, meta};
use serde_json::Value;

use super::Deed;
use crate::authz::{Attributes, Subject};
use crate::value::{items, text};
use crate::write::admission::stored;

/// The drivers that have taken the place of what once was built in, by the field of a volume's source.
const DRIVERS_OF_BUILT_IN: [(&str, &str); 7] = [
    ("awsElasticBlockStore", "ebs.csi.aws.com"),
    ("azureDisk", "disk.csi.azure.com"),
    ("azureFile", "file.csi.azure.com"),
    ("cinder", "cinder.csi.openstack.org"),
    ("gcePersistentDisk", "pd.csi.storage.gke.io"),
    ("portworxVolume", "pxd.portworx.com"),
    ("vsphereVolume", "csi.vsphere.vmware.com"),
];

/// What is missing is told of so many objects at most.
const TOLD: usize = 8;

/// Refuses all audiences but one that the pod names, or that the node may ask for.
pub(super) fn check(deed: &Deed<'_>, audiences: &Value, pod: &Value) -> ApiResult<()> {
    let asked: Vec<&str> = items(audiences).filter_map(Value::as_str).collect();
    let audience = match asked[..] {
        // The server itself, which a projection need not name either.
        [] => "",
        [audience] => audience,
        _ => return deed.refuse("node may only request 0 or 1 audiences"),
    };
    let mut missing: Vec<String> = Vec::new();
    for volume in items(&pod["spec"]["volumes"]) {
        match is_named(deed, pod, volume, audience) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(what) if missing.len() >= TOLD || missing.contains(&what) => {}
            Err(what) => missing.push(what),
        }
    }
    if !missing.is_empty() {
        return deed.refuse(format!("error validating audience {audience:?}: {}", aggregate(missing)));
    }
    if is_allowed(deed, audience) {
        return Ok(());
    }
    deed.refuse(format!(
        "audience {audience:?} not found in pod spec volume, {} is not authorized to request tokens for this audience",
        deed.write.user.name
    ))
}

/// Whether a volume of the pod needs a token for the audience: one that is projected, or one of a CSI driver that asks for it.
///
/// # Errors
/// Names the object that would tell, and is not there.
fn is_named(deed: &Deed<'_>, pod: &Value, volume: &Value, audience: &str) -> Result<bool, String> {
    let mut projected = items(&volume["projected"]["sources"]).map(|source| &source["serviceAccountToken"]);
    if projected.any(|token| token.is_object() && text(&token["audience"]) == audience) {
        return Ok(true);
    }
    let Some(driver) = driver(deed, pod, volume)? else { return Ok(false) };
    let driver = find(deed, ("csidriver.storage.k8s.io", "csidrivers.storage.k8s.io"), "", &driver)?;
    Ok(items(&driver["spec"]["tokenRequests"]).any(|request| text(&request["audience"]) == audience))
}

/// The CSI driver of a pod's volume, if it has one: its own, or that of the persistent volume behind its claim.
fn driver(deed: &Deed<'_>, pod: &Value, volume: &Value) -> Result<Option<String>, String> {
    let claim = if volume["ephemeral"]["volumeClaimTemplate"].is_object() {
        format!("{}-{}", meta::name(pod), text(&volume["name"]))
    } else if volume["persistentVolumeClaim"].is_object() {
        text(&volume["persistentVolumeClaim"]["claimName"]).to_string()
    } else {
        return Ok(driver_of(volume));
    };
    let claim = find(deed, ("persistentvolumeclaim", "persistentvolumeclaims"), deed.write.namespace, &claim)?;
    let bound = find(deed, ("persistentvolume", "persistentvolumes"), "", text(&claim["spec"]["volumeName"]))?;
    Ok(driver_of(&bound["spec"]))
}

/// The CSI driver of a volume's source.
fn driver_of(source: &Value) -> Option<String> {
    let own = source["csi"]["driver"].as_str().filter(|driver| !driver.is_empty());
    let built_in =
        || DRIVERS_OF_BUILT_IN.iter().find(|(field, _)| source[*field].is_object()).map(|(_, driver)| *driver);
    own.or_else(built_in).map(str::to_string)
}

fn find(deed: &Deed<'_>, (kind, resource): (&str, &str), namespace: &str, name: &str) -> Result<Value, String> {
    stored(deed.hub, resource, namespace, name).ok_or_else(|| format!("{kind} {name:?} not found"))
}

fn is_allowed(deed: &Deed<'_>, audience: &str) -> bool {
    let target = Subject::resource("", audience, "", deed.write.namespace, deed.write.name);
    deed.hub.authorizer.allows(deed.write.user, &Attributes::new("request-serviceaccounts-token-audience", target))
}
