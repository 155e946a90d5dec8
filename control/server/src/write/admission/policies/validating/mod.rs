//! `ValidatingAdmissionPolicy`: expressions that must hold of what is written
//! (`k8s.io/apiserver/pkg/admission/plugin/policy/validating`).

mod judge;
mod report;

use async_trait::async_trait;
use coracle_api::ApiResult;
use serde_json::Value;

use super::super::webhooks::{Asked, Objects};
use super::super::{Action, Admitted, Plugin};
use super::invocations::{Case, Invocation, LastView, Misfit, View, invocations};
use super::is_exempt;
use super::source::{Policies, Source};
use crate::hub::Hub;
pub(super) use judge::{Annotation, Decision, Validations, Verdict};
use report::{Annotations, Denial, refusal};

const POLICIES: &str = "validatingadmissionpolicies.admissionregistration.k8s.io";
const BINDINGS: &str = "validatingadmissionpolicybindings.admissionregistration.k8s.io";

/// See the module's documentation.
pub(in super::super) struct ValidatingAdmissionPolicy {
    source: Source<Validations>,
}

impl Default for ValidatingAdmissionPolicy {
    fn default() -> Self {
        Self { source: Source::new(POLICIES, BINDINGS) }
    }
}

#[async_trait]
impl Plugin for ValidatingAdmissionPolicy {
    fn handles(&self, write: &Admitted<'_>) -> bool {
        !is_exempt(write)
    }

    async fn validate(&self, hub: &Hub, write: &Admitted<'_>, object: &Value) -> ApiResult<()> {
        let Some(policies) = self.source.policies(&hub.store) else { return Ok(()) };
        let asked = Asked::about(write, object);
        let object = (write.action != Action::Delete).then_some(object);
        match all(hub, &policies, &asked, object).await? {
            Some(denial) => Err(refusal(&asked, &denial)),
            None => Ok(()),
        }
    }
}

/// Has all policies judge the request. Returns the first denial, which is the one that is told.
async fn all(
    hub: &Hub,
    policies: &Policies<Validations>,
    asked: &Asked<'_>,
    object: Option<&Value>,
) -> ApiResult<Option<Denial>> {
    let objects = (object, asked.write.old);
    let todo = invocations(hub, policies, asked, objects);
    if todo.is_empty() {
        return Ok(None);
    }
    let mut case: Option<Case<'_>> = None;
    let (mut denied, mut annotations, mut view) = (None, Annotations::default(), LastView::default());
    for invocation in &todo {
        let denial = match invocation {
            Ok(invocation) => {
                let case = match &mut case {
                    Some(case) => case,
                    none => none.insert(Case::of(hub, asked)?),
                };
                case.next().await?;
                one(hub, case, invocation, (objects, &mut view), &mut annotations).await
            }
            Err(misfit) => misfitted(misfit),
        };
        denied = denied.or(denial);
    }
    annotations.publish(asked.write.notes);
    Ok(denied)
}

/// Has one policy judge the request, with one parameter.
async fn one<'v>(
    hub: &Hub,
    case: &Case<'_>,
    invocation: &Invocation<'_, Validations>,
    (objects, last): (Objects<'v>, &mut LastView<'v>),
    annotations: &mut Annotations,
) -> Option<Denial> {
    let broken = |why: String| {
        let (policy, binding) = (invocation.policy, Some(invocation.binding));
        misfitted(&Misfit { policy, binding, why: format!("failed to configure binding: {why}") })
    };
    let param = match invocation.param(hub).await {
        Ok(param) => param,
        Err(why) => return broken(why),
    };
    let view = match last.of(case, &invocation.version, objects).await {
        Ok(view) => view,
        Err(why) => return broken(why),
    };
    let verdict = judge(case, invocation, view, param.as_ref());
    report::settle(case.asked.write.notes, invocation, verdict, annotations)
}

/// No part of it waits: values of expressions stay where they are.
fn judge(case: &Case<'_>, invocation: &Invocation<'_, Validations>, view: &View<'_>, param: Option<&Value>) -> Verdict {
    invocation.policy.rules.judge(case.inputs_of_conditions(view, param), case.inputs(view, param))
}

/// What becomes of a request that a policy may be about that can't be used.
fn misfitted(misfit: &Misfit<'_, Validations>) -> Option<Denial> {
    (!misfit.policy.ignores_failures).then(|| Denial {
        policy: misfit.policy.name.clone(),
        binding: misfit.binding.map(|binding| binding.name.clone()),
        message: misfit.why.clone(),
        reason: String::new(),
    })
}
