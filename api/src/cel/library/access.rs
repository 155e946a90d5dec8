//! Kubernetes' library of authorization checks.

use std::sync::Arc;

use super::super::access::{Access, Account, Asker, ResourceCheck, Target};
use super::super::cost::CostRule;
use super::super::error::EvalError;
use super::super::function::{Body, Overload, mismatch};
use super::super::types::{Opaque, Sig};
use super::super::value::Value;
use crate::names;

type Result<'a> = std::result::Result<Value<'a>, EvalError>;

const TEXT: Sig = Sig::String;
const AUTHORIZER: Sig = Sig::Opaque(Opaque::Authorizer);
const PATH: Sig = Sig::Opaque(Opaque::PathCheck);
const GROUP: Sig = Sig::Opaque(Opaque::GroupCheck);
const RESOURCE: Sig = Sig::Opaque(Opaque::ResourceCheck);
const DECISION: Sig = Sig::Opaque(Opaque::Decision);

/// What an authorizer may have to do is the dearest that expressions can ask for.
const CHECK: CostRule = CostRule::Fixed(350_000);

pub(super) const FUNCTIONS: &[Overload] = &[
    Overload::method("path", &[AUTHORIZER, TEXT], PATH, |args| match (access(&args[0]), args[1].as_str()) {
        (Some(Access::Authorizer(_)), Some(path)) if path.trim().is_empty() => {
            Err(EvalError::other("path must not be empty"))
        }
        (Some(Access::Authorizer(asker)), Some(path)) => value(Access::Path(asker.clone(), path.to_string())),
        _ => mismatch(),
    }),
    Overload::method("group", &[AUTHORIZER, TEXT], GROUP, |args| match (access(&args[0]), args[1].as_str()) {
        (Some(Access::Authorizer(asker)), Some(group)) => value(Access::Group(asker.clone(), group.to_string())),
        _ => mismatch(),
    }),
    Overload::method("serviceAccount", &[AUTHORIZER, TEXT, TEXT], AUTHORIZER, |args| {
        match (access(&args[0]), args[1].as_str(), args[2].as_str()) {
            (Some(Access::Authorizer(asker)), Some(namespace), Some(name)) => account(asker, namespace, name),
            _ => mismatch(),
        }
    }),
    Overload::method("resource", &[GROUP, TEXT], RESOURCE, |args| match (access(&args[0]), args[1].as_str()) {
        (Some(Access::Group(..)), Some(resource)) if resource.trim().is_empty() => {
            Err(EvalError::other("resource must not be empty"))
        }
        (Some(Access::Group(asker, group)), Some(resource)) => {
            let check = ResourceCheck { group: group.clone(), resource: resource.into(), ..ResourceCheck::default() };
            value(Access::Resource(asker.clone(), check))
        }
        _ => mismatch(),
    }),
    refinement("subresource", |args| refined(args, |check, text| check.subresource = text)),
    refinement("namespace", |args| refined(args, |check, text| check.namespace = text)),
    refinement("name", |args| refined(args, |check, text| check.name = text)),
    refinement("fieldSelector", |args| refined(args, |check, text| check.field_selector = text))
        .costs(CostRule::Scan(1)),
    refinement("labelSelector", |args| refined(args, |check, text| check.label_selector = text))
        .costs(CostRule::Scan(1)),
    Overload::method("check", &[PATH, TEXT], DECISION, check).costs(CHECK),
    Overload::method("check", &[RESOURCE, TEXT], DECISION, check).costs(CHECK),
    Overload::method("allowed", &[DECISION], Sig::Bool, |args| match access(&args[0]) {
        Some(Access::Decision(decision)) => Ok(Value::Bool(decision.allowed)),
        _ => mismatch(),
    }),
    Overload::method("reason", &[DECISION], TEXT, |args| match access(&args[0]) {
        Some(Access::Decision(decision)) => Ok(Value::text(decision.reason.as_str())),
        _ => mismatch(),
    }),
    // Our authorizers always come to a decision.
    Overload::method("errored", &[DECISION], Sig::Bool, |_| Ok(Value::Bool(false))),
    Overload::method("error", &[DECISION], TEXT, |_| Ok(Value::text(""))),
];

/// A function that says more about a resource.
const fn refinement(name: &'static str, body: Body) -> Overload {
    Overload::method(name, &[RESOURCE, TEXT], RESOURCE, body)
}

fn access<'v, 'a>(value: &'v Value<'a>) -> Option<&'v Access<'a>> {
    match value {
        Value::Access(access) => Some(access),
        _ => None,
    }
}

fn value<'a>(access: Access<'a>) -> Result<'a> {
    Ok(Value::Access(Arc::new(access)))
}

fn account<'a>(asker: &Asker<'a>, namespace: &str, name: &str) -> Result<'a> {
    if !names::dns1123_subdomain(name).is_empty() {
        return Err(EvalError::other("Invalid service account name"));
    }
    if !names::dns1123_label(namespace).is_empty() {
        return Err(EvalError::other("Invalid service account namespace"));
    }
    let account = Account { namespace: namespace.into(), name: name.into() };
    value(Access::Authorizer(Asker { authorizer: asker.authorizer, account: Some(Arc::new(account)) }))
}

fn refined<'a>(args: &[Value<'a>], set: fn(&mut ResourceCheck, String)) -> Result<'a> {
    match (access(&args[0]), args[1].as_str()) {
        (Some(Access::Resource(asker, check)), Some(text)) => {
            let mut check = check.clone();
            set(&mut check, text.to_string());
            value(Access::Resource(asker.clone(), check))
        }
        _ => mismatch(),
    }
}

fn check<'a>(args: &[Value<'a>]) -> Result<'a> {
    let Some(verb) = args[1].as_str() else { return mismatch() };
    match access(&args[0]) {
        Some(Access::Path(asker, path)) => value(Access::Decision(asker.ask(verb, Target::Path(path)))),
        Some(Access::Resource(asker, check)) => value(Access::Decision(asker.ask(verb, Target::Resource(check)))),
        _ => mismatch(),
    }
}
