//! Who owns what: controller references, and how objects are adopted and released.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource};
use serde_json::json;

/// The owner reference that manages the object, if one does.
pub fn controller_of(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
}

/// The owner reference by which `owner` manages an object.
pub fn owner_reference<K: Resource<DynamicType = ()>>(owner: &K) -> OwnerReference {
    OwnerReference {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        name: owner.meta().name.clone().unwrap_or_default(),
        uid: owner.meta().uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// What an object is to a controller that selects it or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Ours, and selected.
    Mine,
    /// Ours, but not selected any more: to be released.
    Release,
    /// Nobody's, and selected: to be adopted.
    Adopt,
    /// None of our business.
    Other,
}

impl Owner {
    /// What the object with `meta` is to the owner with `uid`. Objects being deleted are neither adopted nor released,
    /// and an owner being deleted does neither.
    pub fn of(meta: &ObjectMeta, uid: &str, owner_deleting: bool, selected: bool) -> Owner {
        match controller_of(meta) {
            Some(controller) if controller.uid != uid => Owner::Other,
            Some(_) if selected => Owner::Mine,
            Some(_) if owner_deleting => Owner::Other,
            Some(_) => Owner::Release,
            None if !selected || owner_deleting || meta.deletion_timestamp.is_some() => Owner::Other,
            None => Owner::Adopt,
        }
    }
}

/// Makes `owner` the controller of an object.
///
/// # Errors
/// When the write is refused, also because the object changed meanwhile.
pub async fn adopt<K>(api: &Api<K>, meta: &ObjectMeta, owner: OwnerReference) -> kube::Result<K>
where
    K: Clone + serde::de::DeserializeOwned + std::fmt::Debug,
{
    let mut owners = meta.owner_references.clone().unwrap_or_default();
    owners.retain(|existing| existing.uid != owner.uid);
    owners.push(owner);
    set_owners(api, meta, &owners).await
}

/// Takes the owner with `uid` off an object.
///
/// # Errors
/// When the write is refused, also because the object changed meanwhile.
pub async fn release<K>(api: &Api<K>, meta: &ObjectMeta, uid: &str) -> kube::Result<K>
where
    K: Clone + serde::de::DeserializeOwned + std::fmt::Debug,
{
    let mut owners = meta.owner_references.clone().unwrap_or_default();
    owners.retain(|existing| existing.uid != uid);
    set_owners(api, meta, &owners).await
}

async fn set_owners<K>(api: &Api<K>, meta: &ObjectMeta, owners: &[OwnerReference]) -> kube::Result<K>
where
    K: Clone + serde::de::DeserializeOwned + std::fmt::Debug,
{
    let patch = json!({"metadata": {
        "uid": meta.uid, "resourceVersion": meta.resource_version, "ownerReferences": owners,
    }});
    api.patch(meta.name.as_deref().unwrap_or_default(), &PatchParams::default(), &Patch::Merge(patch)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    #[test]
    fn what_an_object_is_to_a_controller() {
        let orphan = ObjectMeta::default();
        let owner = OwnerReference { uid: "me".into(), controller: Some(true), ..OwnerReference::default() };
        let mine = ObjectMeta { owner_references: Some(vec![owner]), ..ObjectMeta::default() };
        assert_eq!(Owner::of(&mine, "me", false, true), Owner::Mine);
        assert_eq!(Owner::of(&mine, "me", false, false), Owner::Release);
        assert_eq!(Owner::of(&mine, "me", true, false), Owner::Other);
        assert_eq!(Owner::of(&mine, "you", false, true), Owner::Other);
        assert_eq!(Owner::of(&orphan, "me", false, true), Owner::Adopt);
        assert_eq!(Owner::of(&orphan, "me", true, true), Owner::Other);
        assert_eq!(Owner::of(&orphan, "me", false, false), Owner::Other);
        let dying = ObjectMeta { deletion_timestamp: Some(Time(jiff::Timestamp::UNIX_EPOCH)), ..orphan };
        assert_eq!(Owner::of(&dying, "me", false, true), Owner::Other);
    }
}
