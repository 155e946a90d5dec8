//! `PersistentVolumeClaimResize`: a claim grows only when it is bound and its class lets it.

use async_trait::async_trait;
use coracle_api::ApiResult;
use coracle_api::quantity::Quantity;
use coracle_api::quota::class_of_claim;
use serde_json::{Value, json};

use super::{Action, Admitted, Plugin, stored};
use crate::hub::Hub;

pub(super) struct PersistentVolumeClaimResize;

#[async_trait]
impl Plugin for PersistentVolumeClaimResize {
    fn handles(&self, write: &Admitted<'_>) -> bool {
        write.is(Action::Update, "", "persistentvolumeclaims")
    }

    async fn validate(&self, hub: &Hub, write: &Admitted<'_>, object: &Value) -> ApiResult<()> {
        let size = |claim: &Value| Quantity::from_value(&claim["spec"]["resources"]["requests"]["storage"]);
        let old = write.old.unwrap_or(&Value::Null);
        if size(object).unwrap_or_default() <= size(old).unwrap_or_default() {
            return Ok(());
        }
        let refused = |why: &str| Err(write.forbidden(why));
        if old["status"]["phase"] != "Bound" {
            return refused("Only bound persistent volume claims can be expanded");
        }
        let class = stored(hub, "storageclasses.storage.k8s.io", "", class_of_claim(object));
        if class.is_none_or(|class| class["allowVolumeExpansion"] != json!(true)) {
            return refused(
                "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must \
                 support resize",
            );
        }
        Ok(())
    }
}
