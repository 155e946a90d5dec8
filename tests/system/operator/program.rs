//! The operator itself: what a person would write with kube's `Controller`, without a line for the tests.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Patch, PatchParams};
use kube::core::TypeMeta;
use kube::runtime::controller::{Action, Controller};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::runtime::finalizer::{Error as FinalizerError, Event as Stage, finalizer};
use kube::runtime::watcher;
use kube::{Api, Client, Resource as _, ResourceExt as _};
use serde_json::{Value, json};

use super::site::{Site, Status};

/// Who the operator is in managedFields and events.
pub const MANAGER: &str = "site-operator";
const FINALIZER: &str = "demo.example.com/farewell";
/// After a mistake that only somebody else can mend.
const RETRY: Duration = Duration::from_secs(1);

/// Why a site could not be brought about.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API refused something or could not be reached.
    #[error(transparent)]
    Api(#[from] kube::Error),
    /// The site names a Secret that is not there.
    #[error("secret {0:?} is missing")]
    NoSecret(String),
    /// What `finalizer` says around an error of ours.
    #[error(transparent)]
    Finalizer(#[from] Box<FinalizerError<Error>>),
}

struct Context {
    client: Client,
    recorder: Recorder,
}

/// Runs until `stop` is completed.
pub async fn run(client: Client, image: String, stop: impl Future<Output = ()> + Send + Sync + 'static) {
    let recorder = Recorder::new(client.clone(), Reporter { controller: MANAGER.into(), instance: None });
    let context = Arc::new(Context { client: client.clone(), recorder });
    let everything = watcher::Config::default;
    Controller::new(Api::<Site>::all(client.clone()), everything())
        .owns(Api::<Deployment>::all(client.clone()), everything())
        .owns(Api::<ConfigMap>::all(client), everything())
        .graceful_shutdown_on(stop)
        .run(move |site, context| reconcile(site, context, image.clone()), |_, _, _| Action::requeue(RETRY), context)
        // Errors were answered by the policy above; a watch that broke is begun again by the controller.
        .for_each(|_| std::future::ready(()))
        .await;
}

async fn reconcile(site: Arc<Site>, context: Arc<Context>, image: String) -> Result<Action, Error> {
    let sites: Api<Site> = Api::namespaced(context.client.clone(), &site.namespace().unwrap_or_default());
    let done = finalizer(&sites, FINALIZER, site, |stage| async {
        match stage {
            Stage::Apply(site) => serve(&site, &context, &image).await,
            Stage::Cleanup(site) => say_farewell(&site, &context).await,
        }
    });
    done.await.map_err(|error| Box::new(error).into())
}

/// Makes the children follow the site, and tells in its status how far they are.
async fn serve(site: &Site, context: &Context, image: &str) -> Result<Action, Error> {
    let (phase, message, replicas) = match children(site, context, image).await {
        Ok(deployment) => {
            let ready = deployment.status.and_then(|status| status.ready_replicas).unwrap_or(0);
            (if ready == site.spec.replicas { "Ready" } else { "Progressing" }, None, ready)
        }
        Err(Error::Api(kube::Error::Api(status))) if status.is_conflict() => ("Conflict", Some(status.message), 0),
        Err(error @ Error::NoSecret(_)) => {
            tell(site, context, "Failed", Some(error.to_string()), 0).await?;
            return Err(error);
        }
        Err(error) => return Err(error),
    };
    let is_settled = phase == "Ready" || phase == "Progressing";
    tell(site, context, phase, message, replicas).await?;
    Ok(if is_settled { Action::await_change() } else { Action::requeue(RETRY) })
}

async fn children(site: &Site, context: &Context, image: &str) -> Result<Deployment, Error> {
    let namespace = site.namespace().unwrap_or_default();
    if let Some(name) = &site.spec.secret {
        let secrets: Api<Secret> = Api::namespaced(context.client.clone(), &namespace);
        secrets.get_opt(name).await?.ok_or_else(|| Error::NoSecret(name.clone()))?;
    }
    let pages = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": child(site, &format!("{}-pages", site.name_any())),
        "data": site.spec.pages,
    });
    let config_maps: Api<ConfigMap> = Api::namespaced(context.client.clone(), &namespace);
    let forced = PatchParams::apply(MANAGER).force();
    config_maps.patch(&format!("{}-pages", site.name_any()), &forced, &Patch::Apply(pages)).await?;

    let labels = json!({ "site": site.name_any() });
    let served = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": child(site, &site.name_any()),
        "spec": {
            "replicas": site.spec.replicas,
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": {
                    "terminationGracePeriodSeconds": 1,
                    "containers": [{ "name": "main", "image": image }],
                },
            },
        },
    });
    let deployments: Api<Deployment> = Api::namespaced(context.client.clone(), &namespace);
    // Without force: who changes the number of replicas by hand is heard, not overruled.
    Ok(deployments.patch(&site.name_any(), &PatchParams::apply(MANAGER), &Patch::Apply(served)).await?)
}

fn child(site: &Site, name: &str) -> Value {
    json!({ "name": name, "ownerReferences": site.controller_owner_ref(&()).map(|owner| vec![owner]) })
}

/// Writes the status by server-side apply, and an event when the phase is a new one.
async fn tell(
    site: &Site,
    context: &Context,
    phase: &str,
    message: Option<String>,
    replicas: i32,
) -> Result<(), Error> {
    let before = site.status.clone().unwrap_or_default();
    let status = Status { phase: phase.into(), message, replicas, observed_generation: site.metadata.generation };
    if status == before {
        return Ok(());
    }
    let sites: Api<Site> = Api::namespaced(context.client.clone(), &site.namespace().unwrap_or_default());
    let types = TypeMeta::resource::<Site>();
    let patch = json!({ "apiVersion": types.api_version, "kind": types.kind, "status": status });
    sites.patch_status(&site.name_any(), &PatchParams::apply(MANAGER).force(), &Patch::Apply(patch)).await?;
    if status.phase != before.phase {
        let bad = status.phase == "Conflict" || status.phase == "Failed";
        let event = Event {
            type_: if bad { EventType::Warning } else { EventType::Normal },
            reason: status.phase,
            note: status.message,
            action: "Reconcile".into(),
            secondary: None,
        };
        context.recorder.publish(&event, &site.object_ref(&())).await?;
    }
    Ok(())
}

/// Leaves a note outside of what the garbage collector takes away: the proof that cleaning up came first.
async fn say_farewell(site: &Site, context: &Context) -> Result<Action, Error> {
    let config_maps: Api<ConfigMap> = Api::namespaced(context.client.clone(), &site.namespace().unwrap_or_default());
    let name = format!("farewell-{}", site.name_any());
    let note = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name },
        "data": { "domain": site.spec.domain },
    });
    config_maps.patch(&name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(note)).await?;
    Ok(Action::await_change())
}
