//! `DefaultStorageClass` and `DefaultIngressClass`: the class of an object that names none.

use async_trait::async_trait;
use coracle_api::{ApiResult, meta};
use serde_json::{Value, json};

use super::{Action, Admitted, Plugin, all_stored};
use crate::hub::Hub;

const CLAIM_CLASS: &str = "volume.beta.kubernetes.io/storage-class";
const INGRESS_CLASS: &str = "kubernetes.io/ingress.class";

pub(super) struct DefaultStorageClass;

#[async_trait]
impl Plugin for DefaultStorageClass {
    fn handles(&self, write: &Admitted<'_>) -> bool {
        write.creates("persistentvolumeclaims")
    }

    async fn admit(&self, hub: &Hub, _: &Admitted<'_>, object: &mut Value) -> ApiResult<()> {
        // An empty name is a choice: no class.
        let chosen = object["spec"].get("storageClassName").is_some_and(|c| !c.is_null())
            || meta::annotations(object).contains_key(CLAIM_CLASS);
        let marks = ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];
        if !chosen
            && object["spec"].is_object()
            && let Some(class) = newest_default(hub, "storageclasses.storage.k8s.io", &marks)
        {
            object["spec"]["storageClassName"] = json!(class);
        }
        Ok(())
    }
}

pub(super) struct DefaultIngressClass;

#[async_trait]
impl Plugin for DefaultIngressClass {
    fn handles(&self, write: &Admitted<'_>) -> bool {
        write.is(Action::Create, "networking.k8s.io", "ingresses")
    }

    async fn admit(&self, hub: &Hub, _: &Admitted<'_>, object: &mut Value) -> ApiResult<()> {
        let chosen = object["spec"].get("ingressClassName").is_some_and(|c| !c.is_null())
            || meta::annotations(object).contains_key(INGRESS_CLASS);
        let marks = ["ingressclass.kubernetes.io/is-default-class"];
        if !chosen
            && object["spec"].is_object()
            && let Some(class) = newest_default(hub, "ingressclasses.networking.k8s.io", &marks)
        {
            object["spec"]["ingressClassName"] = json!(class);
        }
        Ok(())
    }
}

/// The name of the class that is marked as the default; of several the newest, of equally new ones the first by name.
fn newest_default(hub: &Hub, resource: &str, marks: &[&str]) -> Option<String> {
    let is_default = |class: &Value| marks.iter().any(|mark| meta::annotations(class).get(mark) == Some(&"true"));
    let age = |class: &Value| meta::text(class, "creationTimestamp").to_string();
    let mut defaults: Vec<Value> = all_stored(hub, resource, "").into_iter().filter(is_default).collect();
    defaults.sort_by(|a, b| age(b).cmp(&age(a)).then_with(|| meta::name(a).cmp(meta::name(b))));
    defaults.first().map(|class| meta::name(class).to_string())
}
