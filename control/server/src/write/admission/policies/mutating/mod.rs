//! `MutatingAdmissionPolicy`: expressions that change what is written
//! (`k8s.io/apiserver/pkg/admission/plugin/policy/mutating`).
//!
//! Policies see the object one after the other, by name, each as the one before has left it. What one changes, those that
//! want to (`reinvocationPolicy: IfNeeded`) see once more.

mod mutations;
mod patch;

use async_trait::async_trait;
use coracle_api::{ApiError, ApiResult};
use serde_json::{Value, json};

use super::super::rounds::Rounds;
use super::super::webhooks::Asked;
use super::super::{Action, Admitted, Plugin};
use super::invocations::{Case, Invocation, invocations};
use super::source::{Binding, Policies, Policy, Source};
use super::{is_exempt, shown_name};
use crate::hub::Hub;
pub(super) use mutations::Mutations;

const POLICIES: &str = "mutatingadmissionpolicies.admissionregistration.k8s.io";
const BINDINGS: &str = "mutatingadmissionpolicybindings.admissionregistration.k8s.io";
const NAME: &str = "MutatingAdmissionPolicy";

/// See the module's documentation.
pub(in super::super) struct MutatingAdmissionPolicy {
    source: Source<Mutations>,
}

impl Default for MutatingAdmissionPolicy {
    fn default() -> Self {
        Self { source: Source::new(POLICIES, BINDINGS) }
    }
}

#[async_trait]
impl Plugin for MutatingAdmissionPolicy {
    /// Of a deletion there is nothing to change.
    fn handles(&self, write: &Admitted<'_>) -> bool {
        write.action != Action::Delete && !is_exempt(write)
    }

    async fn admit_in(
        &self,
        hub: &Hub,
        write: &Admitted<'_>,
        object: &mut Value,
        rounds: &mut Rounds,
    ) -> ApiResult<()> {
        let Some(policies) = self.source.policies(&hub.store) else { return Ok(()) };
        let asked = Asked::about(write, object);
        let refusals = all(hub, &policies, &asked, object, rounds).await?;
        if refusals.is_empty() { Ok(()) } else { Err(refused(&asked, &refusals)) }
    }
}

/// Why a request is refused.
struct Refusal {
    text: String,
    /// What was wrong came up when the policy was evaluated.
    invalid: bool,
}

impl Refusal {
    /// Of a policy that must not fail, and has; none of another.
    fn of(policy: &Policy<Mutations>, binding: Option<&Binding>, why: &str, invalid: bool) -> Option<Self> {
        let name = &policy.name;
        let text = match binding {
            Some(binding) => format!("policy '{name}' with binding '{}' denied request: {why}", binding.name),
            None => format!("policy {name:?} denied request: {why}"),
        };
        (!policy.ignores_failures).then_some(Self { text, invalid })
    }
}

/// Has all policies change the object. Those that can't be used are told before those that fail.
async fn all(
    hub: &Hub,
    policies: &Policies<Mutations>,
    asked: &Asked<'_>,
    object: &mut Value,
    rounds: &mut Rounds,
) -> ApiResult<Vec<Refusal>> {
    let (mut todo, mut refusals) = (Vec::new(), Vec::new());
    for found in invocations(hub, policies, asked, (Some(&*object), asked.write.old)) {
        match found {
            Ok(invocation) => todo.push(invocation),
            Err(misfit) => refusals.extend(Refusal::of(misfit.policy, misfit.binding, &misfit.why, false)),
        }
    }
    if todo.is_empty() {
        return Ok(refusals);
    }
    let mut case = Case::of(hub, asked)?;
    rounds.begin(NAME, object);
    for invocation in &todo {
        case.next().await?;
        rounds.left()?;
        for why in one(hub, &mut case, invocation, object, rounds).await? {
            refusals.extend(Refusal::of(invocation.policy, Some(invocation.binding), &why, true));
        }
    }
    rounds.end(NAME, object);
    Ok(refusals)
}

/// Has one policy change the object, with one parameter. Returns what is wrong with its expressions.
///
/// # Errors
/// When the request must be refused whatever the policy says about failures.
async fn one(
    hub: &Hub,
    case: &mut Case<'_>,
    invocation: &Invocation<'_, Mutations>,
    object: &mut Value,
    rounds: &mut Rounds,
) -> ApiResult<Vec<String>> {
    let param = match invocation.param(hub).await {
        Ok(param) => param,
        Err(why) => return Ok(vec![why]),
    };
    let (row, mutations) = (invocation.version.as_deref(), &invocation.policy.rules);
    let objects = (Some(&*object), case.asked.write.old);
    let mut view = case.view(row, objects).await.map_err(ApiError::internal)?;
    match mutations.conditions_hold(case.inputs_of_conditions(&view, param.as_ref())) {
        Ok(true) => {}
        Ok(false) => return Ok(Vec::new()),
        Err(why) => return Ok(vec![why]),
    }
    let key = invocation.key();
    if rounds.skips(NAME, &key) {
        return Ok(Vec::new());
    }
    let (mut changed, mut wrong) = (false, Vec::new());
    for index in 0..mutations.len() {
        case.next().await?;
        match mutations.apply(index, case, row, (&view, param.as_ref())) {
            Ok(None) => {}
            Ok(Some(new)) => {
                changed = true;
                view.object = Some(std::borrow::Cow::Owned(new));
            }
            Err(patch::Failure::Policy(why)) => wrong.push(why),
            Err(patch::Failure::Request(error)) => return Err(error),
        }
    }
    let new = view.object.take().filter(|_| changed).map(std::borrow::Cow::into_owned);
    drop(view);
    let new = match new {
        Some(new) => Some(case.asked.back(hub, row, new).await?),
        None => None,
    };
    let changed = new.as_ref().is_some_and(|new| *new != *object);
    rounds.called(NAME, &key, changed, mutations.again());
    if let Some(new) = new.filter(|_| changed) {
        *object = new;
    }
    Ok(wrong)
}

/// The answer to a request that policies refuse: the words of the first, and all as causes.
fn refused(asked: &Asked<'_>, refusals: &[Refusal]) -> ApiError {
    let mut error = ApiError::forbidden(asked.write.resource, shown_name(asked), "");
    let causes: Vec<Value> = refusals.iter().map(|refusal| json!({ "message": refusal.text })).collect();
    error.details.insert("causes".into(), Value::Array(causes));
    if let Some(first) = refusals.first() {
        error.message.clone_from(&first.text);
        // Upstream gives it another reason, and leaves the code.
        let reason = if first.invalid { "Invalid" } else { "Forbidden" };
        error.foreign = Some((403, reason.to_string()));
        error.reason = coracle_api::Reason::Unknown;
    }
    error
}
