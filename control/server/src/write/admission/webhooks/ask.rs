//! One call of one webhook, and what its answer means whatever kind of webhook it is.

use std::time::Duration;

use coracle_api::{ApiResult, names};
use uuid::Uuid;

use super::super::Notes;
use super::answer::Answer;
use super::asked::Asked;
use super::hook::Hook;
use super::matching::Matched;
use super::review::Request;
use super::verdict::{Failure, denied, failed, no_dry_run};

/// Asks the webhook, which has as long as is `left` of the request at most. An answer that comes back allows the request.
pub(super) async fn ask(
    hook: &Hook,
    asked: &Asked<'_>,
    matched: &Matched<'_>,
    (mutating, left): (bool, Duration),
) -> Result<Answer, Failure> {
    if asked.write.dry_run && !hook.takes_dry_runs {
        return Err(Failure::Refused(no_dry_run(&hook.name)));
    }
    let version = hook.version.ok_or_else(|| {
        let why =
            "could not create admission objects: webhook does not accept known AdmissionReview versions (v1, v1beta1)";
        Failure::Calling(why.into())
    })?;
    let uid = Uuid::new_v4().to_string();
    let (kind, place) = (asked.kind_in(matched.row.as_deref()), asked.place(matched.row.as_deref()));
    let objects = (matched.object.as_deref(), matched.old.as_deref());
    let review = Request::of(asked, (&kind, &place), &uid, objects).review(version).map_err(Failure::Calling)?;
    let body = hook.client.post(review, left).await.map_err(Failure::Calling)?;
    let answer = Answer::read(&body, version, &uid, mutating).map_err(Failure::Calling)?;
    note(hook, asked.write.notes, &answer);
    if answer.allowed { Ok(answer) } else { Err(Failure::Refused(denied(&hook.name, &answer.result))) }
}

/// Passes on what the webhook has to say, whether it allows the request or not.
fn note(hook: &Hook, notes: &Notes, answer: &Answer) {
    for (key, value) in &answer.annotations {
        let key = format!("{}/{key}", hook.name);
        match names::qualified_name(&key).as_slice() {
            [] => notes.annotate(key, value.as_str()),
            wrong => tracing::warn!(webhook = hook.name, key, why = wrong.join("; "), "no name of an annotation"),
        }
    }
    answer.warnings.iter().for_each(|warning| notes.warn(warning.as_str()));
}

/// What a failure is to the request: an error, or nothing that matters. `opened` is the annotation of the latter.
pub(super) fn settle(hook: &Hook, notes: &Notes, failure: Failure, opened: String) -> ApiResult<()> {
    match failure {
        Failure::Refused(error) => Err(error),
        Failure::Calling(why) if hook.ignores_failures => {
            tracing::warn!(webhook = hook.name, %why, "failed calling webhook, failing open");
            notes.annotate(opened, hook.name.as_str());
            Ok(())
        }
        Failure::Calling(why) => {
            tracing::warn!(webhook = hook.name, %why, "failed calling webhook, failing closed");
            Err(failed(&hook.name, &why))
        }
    }
}
