//! Whether a webhook is to be called about a write, and in which version it sees the objects
//! (`apiserver/pkg/admission/plugin/webhook/generic/webhook.go`).

use std::borrow::Cow;
use std::sync::Arc;

use coracle_api::selector::LabelSelector;
use coracle_api::{ApiError, ApiResult, Resource};
use serde_json::Value;

use super::super::cel::{Inputs, RequestAuthorizer};
use super::super::{Action, stored};
use super::asked::Asked;
use super::hook::Hook;
use super::review::request_seen;
use crate::hub::Hub;

/// A call that is to be made: in which version (the request's own, if none), with which objects.
pub(super) struct Matched<'v> {
    pub(super) row: Option<Arc<Resource>>,
    pub(super) object: Option<Cow<'v, Value>>,
    pub(super) old: Option<Cow<'v, Value>>,
}

/// The object of a request, and the one that is there already.
pub(in super::super) type Objects<'v> = (Option<&'v Value>, Option<&'v Value>);

/// The call that the webhook wants about these objects, if it wants one.
///
/// # Errors
/// When that can't be told, or the objects can't be shown in the version that it wants.
pub(super) async fn matched<'v>(
    hub: &Hub,
    hook: &Hook,
    asked: &Asked<'_>,
    (object, old): (Option<&'v Value>, Option<&'v Value>),
) -> ApiResult<Option<Matched<'v>>> {
    // What a selector can't tell is an error only for whom the webhook's rules are about.
    let in_namespace = selects_namespace(hub, &hook.namespaces, asked, object);
    if matches!(in_namespace, Ok(false)) {
        return Ok(None);
    }
    let of_object = selects_object(&hook.objects, asked, (object, old));
    if matches!(of_object, Ok(false)) {
        return Ok(None);
    }
    let Some(row) = version(hub, hook, asked) else { return Ok(None) };
    in_namespace?;
    of_object?;
    let (object, old) = (asked.shown(hub, row.as_deref(), object).await?, asked.shown(hub, row.as_deref(), old).await?);
    let matched = Matched { row, object, old };
    Ok(if conditions_hold(hub, hook, asked, &matched)? { Some(matched) } else { None })
}

/// The version that one of the rules names; earlier rules first. The inner `None` is the version of the request.
fn version(hub: &Hub, hook: &Hook, asked: &Asked<'_>) -> Option<Option<Arc<Resource>>> {
    let operation = asked.operation();
    if hook.rules.iter().any(|rule| rule.matches(operation, &asked.place(None))) {
        return Some(None);
    }
    if !hook.equivalent {
        return None;
    }
    let others = asked.equivalents(hub);
    let mut pairs = hook.rules.iter().flat_map(|rule| others.iter().map(move |row| (rule, row)));
    let found = pairs.find(|(rule, row)| rule.matches(operation, &asked.place(Some(row))));
    found.map(|(_, row)| Some(row.clone()))
}

fn unreadable(why: &String) -> ApiError {
    ApiError::internal(why)
}

/// What does not belong to a namespace is exempt from nothing.
pub(in super::super) fn selects_namespace(
    hub: &Hub,
    selector: &Result<LabelSelector, String>,
    asked: &Asked<'_>,
    object: Option<&Value>,
) -> ApiResult<bool> {
    let of_namespaces = asked.write.resource.plural == "namespaces";
    if asked.namespace.is_empty() && !of_namespaces {
        return Ok(true);
    }
    let selector = selector.as_ref().map_err(unreadable)?;
    if selector.is_everything() {
        return Ok(true);
    }
    let is_written = matches!(asked.write.action, Action::Create | Action::Update);
    if let (true, true, "", Some(namespace)) = (of_namespaces, is_written, asked.write.subresource, object) {
        return Ok(selector.matches_object(namespace));
    }
    let namespaces = hub.row("v1", "namespaces")?;
    let namespace = stored(hub, "namespaces", "", &asked.namespace);
    let namespace = namespace.ok_or_else(|| ApiError::not_found(&namespaces, &asked.namespace))?;
    Ok(selector.matches_object(&namespace))
}

/// One of the two is enough, so that nobody gets away by changing a label. Options have no labels.
pub(in super::super) fn selects_object(
    selector: &Result<LabelSelector, String>,
    asked: &Asked<'_>,
    (object, old): Objects<'_>,
) -> ApiResult<bool> {
    let selector = selector.as_ref().map_err(unreadable)?;
    let selects = |selector: &LabelSelector, object: Option<&Value>| {
        asked.write.action != Action::Connect && object.is_some_and(|object| selector.matches_object(object))
    };
    Ok(selector.is_everything() || selects(selector, object) || selects(selector, old))
}

fn conditions_hold(hub: &Hub, hook: &Hook, asked: &Asked<'_>, matched: &Matched<'_>) -> ApiResult<bool> {
    if hook.conditions.is_empty() {
        return Ok(true);
    }
    let request = request_seen(asked, matched.row.as_deref(), None)?;
    let asks = RequestAuthorizer::new(&hub.authorizer, asked.write, (&asked.namespace, &asked.name));
    let inputs = Inputs {
        object: matched.object.as_deref(),
        old: matched.old.as_deref(),
        request: &request,
        namespace: None,
        params: None,
        authorizer: Some(&asks),
    };
    hook.conditions.hold(inputs, &[]).map_err(|why| {
        tracing::warn!(webhook = hook.name, %why, "failed evaluating match conditions, failing closed");
        ApiError::forbidden(asked.write.resource, &asked.name, &why)
    })
}
