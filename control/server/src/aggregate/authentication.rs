//! ConfigMap `kube-system/extension-apiserver-authentication`: how the servers behind this one tell who is asking.

use coracle_api::ApiResult;
use coracle_store::{Expect, Key, Txn};
use serde_json::{Value, json};

use super::front_proxy::COMMON_NAME;
use crate::hub::Hub;
use crate::write::{commit, prepare_create, stored_as_is};

/// Its name: everybody authenticated may read it.
const AUTHENTICATION: &str = "extension-apiserver-authentication";

/// Writes the ConfigMap, unless it says so already.
pub(crate) async fn publish(hub: &Hub) -> ApiResult<()> {
    let resource = hub.row("v1", "configmaps")?;
    let key = Key::new("configmaps", "kube-system", AUTHENTICATION);
    let data = data(hub);
    let (object, expect) = match hub.store.get(&key) {
        Some(record) => {
            let mut object = crate::read::parse(&record.json)?;
            if object["data"] == data {
                return Ok(());
            }
            object["data"] = data;
            (object, Expect::Revision(record.revision))
        }
        None => {
            let mut object = json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": { "name": AUTHENTICATION, "namespace": "kube-system" }, "data": data,
            });
            prepare_create(&resource, &mut object);
            (object, Expect::Absent)
        }
    };
    let txn = Txn::put(key, stored_as_is(&resource, object)?, expect);
    commit(hub, &resource, AUTHENTICATION, txn).await.map(|_| ())
}

fn data(hub: &Hub) -> Value {
    let list = |items: &[&str]| json!(items).to_string();
    let mut data = json!({
        "requestheader-allowed-names": list(&[COMMON_NAME]),
        "requestheader-client-ca-file": hub.front_proxy.ca_pem,
        "requestheader-extra-headers-prefix": list(&["X-Remote-Extra-"]),
        "requestheader-group-headers": list(&["X-Remote-Group"]),
        "requestheader-uid-headers": list(&["X-Remote-Uid"]),
        "requestheader-username-headers": list(&["X-Remote-User"]),
    });
    if let Some(ca) = &hub.config.client_ca_pem {
        data["client-ca-file"] = json!(ca);
    }
    data
}
