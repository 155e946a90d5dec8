//! Which policies are about a request, each with one of its bindings and one of its parameters
//! (`k8s.io/apiserver/pkg/admission/plugin/policy/generic/policy_dispatcher.go`).

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use coracle_api::{ApiError, ApiResult, Reason, Resource};
use coracle_store::Record;
use serde_json::Value;

use super::super::cel::{Inputs, RequestAuthorizer};
use super::super::stored;
use super::super::webhooks::{Asked, Objects, request_seen};
use super::matching::Version;
use super::source::{Binding, Policies, Policy, Rules};
use crate::convert;
use crate::hub::Hub;

/// How long the policies of one plugin may take together: what kube-apiserver gives a request (`--request-timeout`). Each
/// evaluation is bounded, but a binding may select thousands of parameters.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long evaluations may go on before others have a turn. A turn asks the kernel what has happened meanwhile, which
/// costs more than a small evaluation.
const TURN: Duration = Duration::from_micros(500);

/// One evaluation that is to be made.
pub(super) struct Invocation<'p, R> {
    pub(super) policy: &'p Policy<R>,
    pub(super) binding: &'p Binding,
    pub(super) version: Version,
    param: Option<(Arc<Resource>, Arc<Record>)>,
}

impl<R> Invocation<'_, R> {
    /// What tells it apart from the others.
    pub(super) fn key(&self) -> String {
        let param = self.param.as_ref().map(|(_, record)| format!("{}/{}", record.key.namespace, record.key.name));
        format!("{}\n{}\n{}", self.policy.name, self.binding.name, param.unwrap_or_default())
    }

    /// The parameter.
    ///
    /// # Errors
    /// When it can't be shown in the version that the policy wants.
    pub(super) async fn param(&self, hub: &Hub) -> Result<Option<Value>, String> {
        let Some((row, record)) = &self.param else { return Ok(None) };
        let loaded = convert::load(hub, row, record).await;
        loaded.map(Some).map_err(|error| format!("failed to configure binding: {error}"))
    }
}

/// A policy or a binding that can't be used about a request that it may be about.
pub(super) struct Misfit<'p, R> {
    pub(super) policy: &'p Policy<R>,
    /// None if the policy itself is at fault.
    pub(super) binding: Option<&'p Binding>,
    pub(super) why: String,
}

/// What is to be done about a request, in the order of policies and bindings.
pub(super) type Invocations<'p, R> = Vec<Result<Invocation<'p, R>, Misfit<'p, R>>>;

/// Finds what is to be done about a request. `objects` are those of the request, as selectors see them.
pub(super) fn invocations<'p, R: Rules>(
    hub: &Hub,
    policies: &'p Policies<R>,
    asked: &Asked<'_>,
    objects: Objects<'_>,
) -> Invocations<'p, R> {
    let mut found = Vec::new();
    for bound in &policies.bound {
        let policy = &*bound.policy;
        let fault = |binding: Option<&'p Binding>, why: String| {
            let what = if binding.is_some() { "binding" } else { "policy" };
            Err(Misfit { policy, binding, why: format!("failed to configure {what}: {why}") })
        };
        let version = match policy.resources.matches(hub, asked, objects) {
            Ok(Some(version)) => version,
            Ok(None) => continue,
            Err(error) => {
                found.push(fault(None, error.message));
                continue;
            }
        };
        let row = match policy.param_kind.as_ref().map(|kind| kind.row(hub)).transpose() {
            Ok(row) => row,
            Err(why) => {
                found.push(fault(None, why));
                continue;
            }
        };
        for binding in &bound.bindings {
            let binding: &Binding = binding;
            match params(hub, asked, objects, (binding, row.as_ref())) {
                Ok(params) => found.extend(
                    params.into_iter().map(|param| Ok(Invocation { policy, binding, version: version.clone(), param })),
                ),
                Err(why) => found.push(fault(Some(binding), why)),
            }
        }
    }
    found
}

type Param = Option<(Arc<Resource>, Arc<Record>)>;

/// The parameters that the binding gives for the request: none if it is not about it, one that is nothing if there are no
/// parameters to give.
fn params(
    hub: &Hub,
    asked: &Asked<'_>,
    objects: Objects<'_>,
    (binding, row): (&Binding, Option<&Arc<Resource>>),
) -> Result<Vec<Param>, String> {
    if let Some(resources) = &binding.resources
        && resources.matches(hub, asked, objects).map_err(|error| error.message)?.is_none()
    {
        return Ok(Vec::new());
    }
    let (Some(row), Some(reference)) = (row, &binding.param_ref) else { return Ok(vec![None]) };
    let found = reference.find(hub, row, &asked.namespace)?;
    Ok(found.into_iter().map(|record| Some((row.clone(), record))).collect())
}

/// A request as the policies of one plugin see it.
pub(super) struct Case<'a> {
    hub: &'a Hub,
    pub(super) asked: &'a Asked<'a>,
    namespace: Option<Value>,
    asks: RequestAuthorizer<'a>,
    begun: Instant,
    /// When others had a turn.
    rested: Instant,
}

impl<'a> Case<'a> {
    /// # Errors
    /// 404 when the namespace of the request is not there.
    pub(super) fn of(hub: &'a Hub, asked: &'a Asked<'a>) -> ApiResult<Self> {
        let asks = RequestAuthorizer::new(&hub.authorizer, asked.write, (&asked.namespace, &asked.name));
        let now = Instant::now();
        Ok(Self { hub, asked, namespace: namespace_of(hub, asked)?, asks, begun: now, rested: now })
    }

    /// Lets others run before the next evaluation, if it is time to.
    ///
    /// # Errors
    /// 504 when all together has taken too long.
    pub(super) async fn next(&mut self) -> ApiResult<()> {
        if self.rested.elapsed() >= TURN {
            tokio::task::yield_now().await;
            self.rested = Instant::now();
        }
        if self.begun.elapsed() < TIMEOUT {
            return Ok(());
        }
        Err(ApiError::new(Reason::Timeout, "request did not complete within requested timeout"))
    }

    /// The objects and the request in the version that a policy wants.
    ///
    /// # Errors
    /// When an object can't be converted.
    pub(super) async fn view<'v>(
        &self,
        version: Option<&Resource>,
        (object, old): Objects<'v>,
    ) -> Result<View<'v>, String> {
        let failed = |error: ApiError| {
            let detail = error.details.get("causes").and_then(|causes| causes[0]["message"].as_str());
            format!("failed to convert object version: {}", detail.unwrap_or(&error.message))
        };
        Ok(View {
            object: self.asked.shown(self.hub, version, object).await.map_err(failed)?,
            old: self.asked.shown(self.hub, version, old).await.map_err(failed)?,
            request: request_seen(self.asked, version, version).map_err(failed)?,
            unmatched: match version {
                Some(_) => Some(request_seen(self.asked, version, None).map_err(failed)?),
                None => None,
            },
        })
    }

    /// What expressions see.
    pub(super) fn inputs<'s>(&'s self, view: &'s View<'_>, params: Option<&'s Value>) -> Inputs<'s> {
        Inputs {
            object: view.object.as_deref(),
            old: view.old.as_deref(),
            request: &view.request,
            namespace: self.namespace.as_ref(),
            params,
            authorizer: Some(&self.asks),
        }
    }

    /// What conditions see: the request with the resource that it is really about, and no namespace, as upstream.
    pub(super) fn inputs_of_conditions<'s>(&'s self, view: &'s View<'_>, params: Option<&'s Value>) -> Inputs<'s> {
        Inputs {
            request: view.unmatched.as_ref().unwrap_or(&view.request),
            namespace: None,
            ..self.inputs(view, params)
        }
    }
}

/// The objects of a request, and the request itself, in one version.
pub(super) struct View<'v> {
    pub(super) object: Option<Cow<'v, Value>>,
    pub(super) old: Option<Cow<'v, Value>>,
    request: Value,
    /// The same, with the resource that it is really about, if a policy may want another version of it.
    unmatched: Option<Value>,
}

/// The view of the last policy, for the next one: most want the same version of objects that none of them changes.
#[derive(Default)]
pub(super) struct LastView<'v>(Option<(Version, View<'v>)>);

impl<'v> LastView<'v> {
    /// The view in the version that a policy wants.
    ///
    /// # Errors
    /// When an object can't be converted.
    pub(super) async fn of(
        &mut self,
        case: &Case<'_>,
        version: &Version,
        objects: Objects<'v>,
    ) -> Result<&View<'v>, String> {
        let known = self.0.take().filter(|(known, _)| match (known, version) {
            (None, None) => true,
            (Some(known), Some(version)) => Arc::ptr_eq(known, version),
            _ => false,
        });
        let view = match known {
            Some((_, view)) => view,
            None => case.view(version.as_deref(), objects).await?,
        };
        Ok(&self.0.insert((version.clone(), view)).1)
    }
}

/// The namespace that the request is in. A namespace is in none.
fn namespace_of(hub: &Hub, asked: &Asked<'_>) -> ApiResult<Option<Value>> {
    let kind = &asked.kind;
    let is_namespace = (kind.group.as_str(), kind.version.as_str(), kind.kind.as_str()) == ("", "v1", "Namespace");
    if asked.namespace.is_empty() || is_namespace {
        return Ok(None);
    }
    match stored(hub, "namespaces", "", &asked.namespace) {
        Some(namespace) => Ok(Some(namespace)),
        None => Err(ApiError::not_found(&*hub.row("v1", "namespaces")?, &asked.namespace)),
    }
}
