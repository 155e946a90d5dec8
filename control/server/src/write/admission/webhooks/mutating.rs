//! `MutatingAdmissionWebhook`: webhooks that change what somebody wants to write, one after the other
//! (`apiserver/pkg/admission/plugin/webhook/mutating`).

use std::time::Duration;

use async_trait::async_trait;
use coracle_api::ApiResult;
use serde_json::Value;

use super::super::rounds::Rounds;
use super::super::{Action, Admitted, Plugin};
use super::ask::{ask, settle};
use super::asked::Asked;
use super::hook::{Hook, Hooks, Source};
use super::is_exempt;
use super::matching::{Matched, matched};
use super::patch::{patched, steps};
use super::verdict::{Failure, mutation, nothing_to_change, quoted_patch};
use crate::hub::Hub;

const STORED_AS: &str = "mutatingwebhookconfigurations.admissionregistration.k8s.io";
const NAME: &str = "MutatingAdmissionWebhook";
const ANNOTATION: &str = "mutation.webhook.admission.k8s.io/";
const PATCH: &str = "patch.webhook.admission.k8s.io/";

/// See the module's documentation.
pub(in super::super) struct MutatingAdmissionWebhook {
    source: Source,
}

impl Default for MutatingAdmissionWebhook {
    fn default() -> Self {
        Self { source: Source::new(STORED_AS) }
    }
}

#[async_trait]
impl Plugin for MutatingAdmissionWebhook {
    fn handles(&self, write: &Admitted<'_>) -> bool {
        !is_exempt(write)
    }

    async fn admit_in(
        &self,
        hub: &Hub,
        write: &Admitted<'_>,
        object: &mut Value,
        rounds: &mut Rounds,
    ) -> ApiResult<()> {
        let Some(hooks) = self.source.hooks(&hub.store) else { return Ok(()) };
        let asked = Asked::about(write, object);
        rounds.begin(NAME, object);
        let mut subject = Some(object);
        all(hub, &asked, &hooks, &mut subject, rounds).await?;
        if let Some(object) = subject {
            rounds.end(NAME, object);
        }
        Ok(())
    }

    /// A deletion changes nothing; these webhooks see it all the same, before those that only judge.
    async fn validate(&self, hub: &Hub, write: &Admitted<'_>, object: &Value) -> ApiResult<()> {
        if write.action != Action::Delete {
            return Ok(());
        }
        let Some(hooks) = self.source.hooks(&hub.store) else { return Ok(()) };
        all(hub, &Asked::about(write, object), &hooks, &mut None, &mut Rounds::default()).await
    }
}

/// Has all webhooks see the object, each as the one before has left it.
async fn all(
    hub: &Hub,
    asked: &Asked<'_>,
    hooks: &Hooks,
    object: &mut Option<&mut Value>,
    rounds: &mut Rounds,
) -> ApiResult<()> {
    for (index, hook) in hooks.all.iter().enumerate() {
        let objects = (object.as_deref(), asked.write.old);
        let Some(matched) = matched(hub, hook, asked, objects).await? else { continue };
        let id = format!("{}/{}/{index}", hook.configuration, hook.name);
        if rounds.skips(NAME, &id) {
            continue;
        }
        let place = format!("round_{}_index_{index}", rounds.number());
        let outcome = change(hub, hook, asked, matched, (&place, rounds.left()?)).await;
        let changed = matches!(&outcome, Ok(Some(_)));
        rounds.called(NAME, &id, changed, hook.again);
        let notes = asked.write.notes;
        notes.annotate(format!("{ANNOTATION}{place}"), mutation(&hook.configuration, &hook.name, changed));
        match outcome {
            Ok(None) => {}
            Ok(Some(new)) => {
                if let Some(object) = object {
                    **object = new;
                }
            }
            Err(failure) => settle(hook, notes, failure, format!("failed-open.{ANNOTATION}{place}"))?,
        }
    }
    Ok(())
}

/// Asks one webhook. Returns the object that it makes, if that is another. `place` is where in the rounds this is.
async fn change(
    hub: &Hub,
    hook: &Hook,
    asked: &Asked<'_>,
    matched: Matched<'_>,
    (place, left): (&str, Duration),
) -> Result<Option<Value>, Failure> {
    let answer = ask(hook, asked, &matched, (true, left)).await?;
    let steps = if answer.patch.is_empty() { Vec::new() } else { steps(&answer.patch)? };
    if steps.is_empty() {
        return Ok(None);
    }
    let Matched { row, object, .. } = matched;
    let object = object.ok_or_else(|| Failure::Refused(nothing_to_change(&hook.name)))?;
    let new = patched(asked, row.as_deref(), &object, &steps)?;
    let quoted = quoted_patch(&hook.configuration, &hook.name, &steps);
    asked.write.notes.quote(format!("{PATCH}{place}"), quoted);
    let Some(new) = new else { return Ok(None) };
    asked.back(hub, row.as_deref(), new).await.map(Some).map_err(Failure::Refused)
}
