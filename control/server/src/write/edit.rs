//! The loop around every change of an existing object: read, decide, commit with the revision that was read; when
//! somebody else was faster, again.

use std::sync::Arc;

use coracle_api::apply::same_but_for_times;
use coracle_api::{ApiError, ApiResult, Resource, Subresource, meta};
use coracle_store::{Expect, Key, Op, Record};
use serde_json::Value;

use super::admission::{Action, Admitted, Notes};
use super::commit::{commit_charged, imagined};
use super::strategy::{Author, Part, revise};
use crate::convert;
use crate::hub::{Call, Hub};
use crate::identity::User;

/// How often a change is decided again. Each time means that another write to the same object succeeded meanwhile.
const MAX_ATTEMPTS: usize = 100;

/// What a decision came to.
pub(crate) enum Next {
    /// Leave the object as it is.
    Keep,
    /// This is its next version. `pinned`: only as the successor of the version it was decided on.
    Write { object: Value, pinned: bool },
    /// This is what its author wants of one part of it. Admission may change it before it is checked and complete.
    Propose { wanted: Value, pinned: bool, part: Part, author: Author },
    /// This is what somebody asks for in other words: a Scale, a Binding, an object of which one part counts. Admission
    /// may change them, and judges them; `make` says what they make of the object.
    Ask { asked: Value, before: Option<Value>, make: Make, pinned: bool },
    /// It goes; this is its last state.
    Remove(Value),
}

/// From what somebody asks for to the next version of the object.
pub(crate) type Make = Box<dyn FnOnce(&Value) -> ApiResult<Value> + Send>;

/// What became of an object.
pub(crate) struct Edited {
    /// The version that is there now, or the last one.
    pub(crate) record: Arc<Record>,
    /// It is gone.
    pub(crate) removed: bool,
}

/// Who changes what, for admission.
#[derive(Clone, Copy)]
pub(crate) struct Writer<'a> {
    pub(crate) resource: &'a Arc<Resource>,
    pub(crate) user: &'a User,
    /// The subresource that is written, empty for the object itself.
    pub(crate) subresource: &'a str,
    pub(crate) action: Action,
    pub(crate) dry_run: bool,
    /// Where admission's warnings go.
    pub(crate) notes: &'a Notes,
}

impl<'a> Writer<'a> {
    /// The author of a request that changes what the URL names.
    pub(crate) fn of(call: &'a Call) -> ApiResult<Self> {
        let (resource, subresource) = (&call.target.resource, call.target.subresource_name());
        let (action, dry_run) = (Action::Update, call.params.dry_run()?);
        Ok(Self { resource, user: &call.user, subresource, action, dry_run, notes: &call.notes })
    }

    fn admitted<'b>(&'b self, key: &'b Key, old: &'b Value) -> Admitted<'b> {
        Admitted {
            resource: self.resource,
            namespace: &key.namespace,
            name: &key.name,
            subresource: self.subresource,
            action: self.action,
            old: Some(old),
            user: self.user,
            dry_run: self.dry_run,
            notes: self.notes,
        }
    }
}

/// Changes the object at `key` in the name of the server itself.
pub(crate) async fn edit(
    hub: &Hub,
    resource: &Arc<Resource>,
    key: &Key,
    dry_run: bool,
    decide: impl FnMut(&Value) -> ApiResult<Next> + Send,
) -> ApiResult<Edited> {
    let (user, notes) = (User::server(), Notes::default());
    let writer = Writer { resource, user: &user, subresource: "", action: Action::Update, dry_run, notes: &notes };
    edit_as(hub, &writer, key, decide).await
}

/// Changes the object at `key` as `decide` says. `decide` sees the stored version in the form the resource serves, and
/// may be asked several times.
pub(crate) async fn edit_as(
    hub: &Hub,
    writer: &Writer<'_>,
    key: &Key,
    mut decide: impl FnMut(&Value) -> ApiResult<Next> + Send,
) -> ApiResult<Edited> {
    let resource = writer.resource;
    for _ in 0..MAX_ATTEMPTS {
        let record = hub.store.get(key).ok_or_else(|| ApiError::not_found(resource, &key.name))?;
        let old = convert::load(hub, resource, &record).await?;
        let write = writer.admitted(key, &old);
        let next = decide(&old)?;
        if writer.action == Action::Delete && !matches!(next, Next::Keep) {
            hub.admission.validate(hub, &write, &old).await?;
        }
        let stale = hub.store.is_stale(key);
        let judged_already = matches!(next, Next::Ask { .. });
        let (change, pinned) = match next {
            Next::Keep => (None, false),
            Next::Ask { asked, before, make, pinned } => {
                let object = answered(hub, &write, (asked, before), make).await?;
                (Change::to(resource, object, &old, stale), pinned)
            }
            Next::Remove(last) => (Some(Change::Remove(last)), false),
            Next::Write { object, pinned } => (Change::to(resource, object, &old, stale), pinned),
            Next::Propose { wanted, pinned, part, author } => {
                let object = admitted(hub, &write, wanted, part, &author).await?;
                (Change::to(resource, object, &old, stale), pinned)
            }
        };
        let Some(change) = change else {
            return shown(hub, resource, Edited { record, removed: false }).await;
        };
        if writer.action == Action::Update && !judged_already {
            hub.admission.validate(hub, &write, change.object()).await?;
        }
        match apply(hub, &write, &record, change, writer.dry_run).await {
            Err(error) if is_race(&error) && !pinned => {}
            outcome => return shown(hub, resource, outcome?).await,
        }
    }
    Err(ApiError::modified(resource, &key.name))
}

/// What the author sees of it: a custom resource in the version it was written in.
async fn shown(hub: &Hub, resource: &Resource, edited: Edited) -> ApiResult<Edited> {
    let record = convert::present_one(hub, resource, edited.record).await?;
    Ok(Edited { record, ..edited })
}

/// The version that follows when admission has had its say about what somebody wants.
async fn admitted(hub: &Hub, write: &Admitted<'_>, mut wanted: Value, part: Part, author: &Author) -> ApiResult<Value> {
    let (resource, old) = (write.resource, write.old.unwrap_or(&Value::Null));
    resource.defaults(&mut wanted);
    hub.admission.admit(hub, write, &mut wanted).await?;
    let object = revise(resource, part, wanted, old, author)?;
    resource.change_warnings(&object, old).into_iter().for_each(|warning| write.notes.warn(warning));
    Ok(object)
}

/// The version that follows from what somebody asks for in other words, when admission agrees with it. Who asks for
/// something that was not there before creates it, as upstream has it of bindings.
async fn answered(
    hub: &Hub,
    write: &Admitted<'_>,
    (mut asked, before): (Value, Option<Value>),
    make: Make,
) -> ApiResult<Value> {
    let action = if before.is_none() { Action::Create } else { Action::Update };
    let write = Admitted { old: before.as_ref(), action, ..*write };
    hub.admission.admit(hub, &write, &mut asked).await?;
    let object = make(&asked)?;
    // An object is judged as it would be stored.
    let judged = if asked["kind"] == object["kind"] { &object } else { &asked };
    hub.admission.validate(hub, &write, judged).await?;
    Ok(object)
}

enum Change {
    Write(Value),
    Remove(Value),
}

impl Change {
    /// From one version to another; none when they are the same but for the times in their books, unless the stored one is
    /// `stale`: of an older key, so that only writing it takes it to the new one (upstream's `GuaranteedUpdate` does so).
    fn to(resource: &Resource, object: Value, old: &Value, stale: bool) -> Option<Self> {
        match object {
            object if !stale && same_but_for_times(old, &object) => None,
            object if may_go(resource, &object, old) => Some(Self::Remove(object)),
            object => Some(Self::Write(object)),
        }
    }

    fn object(&self) -> &Value {
        match self {
            Self::Write(object) | Self::Remove(object) => object,
        }
    }
}

fn is_race(error: &ApiError) -> bool {
    error.reason == coracle_api::Reason::Conflict
}

async fn apply(
    hub: &Hub,
    write: &Admitted<'_>,
    record: &Arc<Record>,
    change: Change,
    dry_run: bool,
) -> ApiResult<Edited> {
    let (resource, old) = (write.resource, write.old.unwrap_or(&Value::Null));
    let (key, expect) = (record.key.clone(), Expect::Revision(record.revision));
    match change {
        Change::Write(mut object) => {
            let reservation = hub.allocators.reserve(resource, &mut object, Some(old))?;
            if dry_run {
                hub.admission.quotas.charge(hub, write, &object).await?;
                let record = imagined(resource, key, object, record.revision)?;
                return Ok(Edited { record, removed: false });
            }
            let op = Op::Put { key, object: convert::encode(hub, resource, object.clone()).await?, expect };
            let record = commit_charged(hub, write, Some(&object), op).await?;
            reservation.keep();
            hub.allocators.release(resource, old, Some(&object));
            Ok(Edited { record, removed: false })
        }
        Change::Remove(last) => {
            if dry_run {
                return Ok(Edited { record: imagined(resource, key, last, record.revision)?, removed: true });
            }
            let last = if last == *old { None } else { Some(convert::encode(hub, resource, last).await?) };
            let record = commit_charged(hub, write, None, Op::Delete { key, expect, last }).await?;
            hub.allocators.release(resource, old, None);
            Ok(Edited { record, removed: true })
        }
    }
}

/// Whether this update takes away the last thing that kept a deleted object: its finalizers (a namespace has some in
/// `spec` too), once its grace period is over.
fn may_go(resource: &Resource, new: &Value, old: &Value) -> bool {
    let grace = old["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or_default();
    meta::is_deleting(old) && grace == 0 && !is_held(resource, new)
}

/// Whether finalizers keep the object.
pub(super) fn is_held(resource: &Resource, object: &Value) -> bool {
    let inside = resource.has(Subresource::Finalize)
        && object["spec"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty());
    inside || !meta::finalizers(object).is_empty()
}

#[cfg(test)]
mod tests;
