//! `ValidatingAdmissionWebhook`: webhooks that judge what would be stored, all at once
//! (`apiserver/pkg/admission/plugin/webhook/validating`).

use std::time::Duration;

use async_trait::async_trait;
use coracle_api::ApiResult;
use futures::future::join_all;
use serde_json::Value;

use super::super::{Action, Admitted, Plugin};
use super::ask::{ask, settle};
use super::asked::Asked;
use super::hook::{Hook, Source};
use super::is_exempt;
use super::matching::{Matched, matched};
use crate::hub::Hub;

const STORED_AS: &str = "validatingwebhookconfigurations.admissionregistration.k8s.io";

/// See the module's documentation.
pub(in super::super) struct ValidatingAdmissionWebhook {
    source: Source,
}

impl Default for ValidatingAdmissionWebhook {
    fn default() -> Self {
        Self { source: Source::new(STORED_AS) }
    }
}

#[async_trait]
impl Plugin for ValidatingAdmissionWebhook {
    fn handles(&self, write: &Admitted<'_>) -> bool {
        !is_exempt(write)
    }

    async fn validate(&self, hub: &Hub, write: &Admitted<'_>, object: &Value) -> ApiResult<()> {
        let Some(hooks) = self.source.hooks(&hub.store) else { return Ok(()) };
        let asked = Asked::about(write, object);
        let object = (write.action != Action::Delete).then_some(object);
        // Who is to be asked is decided before anybody is: what can't be decided refuses the request.
        let mut calls = Vec::new();
        for (index, hook) in hooks.all.iter().enumerate() {
            if let Some(matched) = matched(hub, hook, &asked, (object, write.old)).await? {
                calls.push((index, hook, matched));
            }
        }
        let answers = join_all(calls.iter().map(|(index, hook, matched)| judge(&asked, *index, hook, matched))).await;
        // Of several refusals, that of the first by name is told.
        answers.into_iter().collect()
    }
}

async fn judge(asked: &Asked<'_>, index: usize, hook: &Hook, matched: &Matched<'_>) -> ApiResult<()> {
    // Nobody waits for anybody: each may take its own time.
    match ask(hook, asked, matched, (false, Duration::MAX)).await {
        Ok(_) => Ok(()),
        Err(failure) => {
            let opened = format!("failed-open.validating.webhook.admission.k8s.io/round_0_index_{index}");
            settle(hook, asked.write.notes, failure, opened)
        }
    }
}
