//! `DefaultTolerationSeconds`: a pod stays five minutes on a node that is not ready or not reachable.

use async_trait::async_trait;
use coracle_api::ApiResult;
use serde_json::{Value, json};

use super::{Admitted, Plugin};
use crate::hub::Hub;

const TAINTS: [&str; 2] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
const SECONDS: i64 = 300;

pub(super) struct DefaultTolerationSeconds;

#[async_trait]
impl Plugin for DefaultTolerationSeconds {
    fn handles(&self, write: &Admitted<'_>) -> bool {
        write.creates("pods")
    }

    async fn admit(&self, _: &Hub, _: &Admitted<'_>, object: &mut Value) -> ApiResult<()> {
        if !object["spec"].is_object() {
            return Ok(());
        }
        let tolerations = &mut object["spec"]["tolerations"];
        if !tolerations.is_array() {
            *tolerations = json!([]);
        }
        let Some(list) = tolerations.as_array_mut() else { return Ok(()) };
        for taint in TAINTS {
            if !list.iter().any(|toleration| covers(toleration, taint)) {
                list.push(
                    json!({ "key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS }),
                );
            }
        }
        Ok(())
    }
}

/// Whether the author has said something about the taint already.
fn covers(toleration: &Value, taint: &str) -> bool {
    let text = |field: &str| toleration[field].as_str().unwrap_or_default();
    (text("key") == taint || text("key").is_empty()) && matches!(text("effect"), "NoExecute" | "")
}
