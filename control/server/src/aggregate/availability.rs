//! Whether a remote works: its Service leads somewhere, and who is there answers discovery.

use std::time::Duration;

use axum::body::Body;
use coracle_api::ApiResult;
use coracle_store::Key;
use http::Request;
use http::header::ACCEPT;
use serde_json::Value;

use super::{API_SERVICES, Remote, State};
use crate::custom::conditions::Condition;
use crate::hub::Hub;
use crate::outbound::{OutboundError, resolve};
use crate::write::{Author, Next, Part, edit, now, revise};

/// What kube-aggregator gives a server to answer.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of a discovery document: that of a group with hundreds of resources is far below.
const MAX_DISCOVERY_BYTES: usize = 4 << 20;

const AVAILABLE: &str = "Available";

/// Looks at a remote, and writes what it has seen into its APIService.
pub(super) async fn check(hub: &Hub, remote: &Remote) -> State {
    let (condition, resources) = look(hub, remote).await;
    let available = condition.status == "True";
    if let Err(error) = write(hub, &remote.name, &condition).await {
        tracing::warn!(name = remote.name, %error, "the status of an APIService could not be written");
    }
    // What it served last is still what it serves, as far as anybody knows.
    State { available, resources: resources.unwrap_or_else(|| remote.state.resources.clone()) }
}

async fn look(hub: &Hub, remote: &Remote) -> (Condition, Option<Vec<Value>>) {
    let no = |reason: &str, text: String| (Condition::new(AVAILABLE, false, reason, text), None);
    if let Err(error) = resolve(&hub.store, &remote.service) {
        return no(error.reason(), error.to_string());
    }
    let url =
        format!("https://{}:{}/apis/{}/{}", remote.service.host(), remote.service.port, remote.group, remote.version);
    let failing = |why: String| no("FailedDiscoveryCheck", format!("failing or missing response from {url}: {why}"));
    let Some(outbound) = &remote.outbound else {
        return failing("unable to load root certificates: unable to parse bytes as PEM block".into());
    };
    let request = Request::get(&url)
        .header(ACCEPT, "application/json")
        .header("X-Remote-User", "system:kube-aggregator")
        .header("X-Remote-Group", "system:masters");
    let Ok(request) = request.body(Body::empty()) else { return failing("its name makes no URL".into()) };
    match outbound.exchange(request, CHECK_TIMEOUT, MAX_DISCOVERY_BYTES).await {
        Ok(answer) if answer.status().is_success() => {
            let document: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
            let resources = document["resources"].as_array().cloned();
            (Condition::new(AVAILABLE, true, "Passed", "all checks passed"), resources)
        }
        Ok(answer) => failing(format!("bad status from {url}: {}", answer.status().as_u16())),
        Err(error @ OutboundError::Timeout) => failing(format!("Get \"{url}\": {error}")),
        Err(error) => failing(format!("Get \"{url}\": {error}")),
    }
}

/// Writes the condition, if it says something new.
pub(super) async fn write(hub: &Hub, name: &str, condition: &Condition) -> ApiResult<()> {
    let resource = hub.row("apiregistration.k8s.io/v1", "apiservices")?;
    let author = Author { manager: "kube-apiserver".into(), subresource: "status", applied: false };
    let decide = |old: &Value| {
        let mut new = old.clone();
        condition.set(&mut new, &now());
        if new == *old {
            return Ok(Next::Keep);
        }
        Ok(Next::Write { object: revise(&resource, Part::Status, new, old, &author)?, pinned: false })
    };
    match edit(hub, &resource, &Key::new(API_SERVICES, "", name), false, decide).await {
        Err(error) if error.reason != coracle_api::Reason::NotFound => Err(error),
        _ => Ok(()),
    }
}
