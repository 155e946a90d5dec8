//! Controllers over built-in kinds: one that generates objects, one that copies them to other namespaces.

use std::sync::Arc;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::finalizer::{Event, finalizer};
use kube::runtime::wait::await_condition;
use kube::runtime::{conditions, watcher};
use kube::{Api, Client, Resource as _, ResourceExt as _};
use serde_json::json;

use super::{client, config_map, in_time, value};
use crate::harness::Cluster;

/// Generates a ConfigMap from each that is labelled `generate`.
async fn generate(source: Arc<ConfigMap>, client: Arc<Client>) -> Result<Action, kube::Error> {
    let api: Api<ConfigMap> = Api::default_namespaced((*client).clone());
    let name = format!("{}-generated", source.name_any());
    let child = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "ownerReferences": source.controller_owner_ref(&()).map(|owner| vec![owner])},
        "data": {"value": value(&source).to_uppercase()},
    });
    api.patch(&name, &PatchParams::apply("generator").force(), &Patch::Apply(child)).await?;
    Ok(Action::await_change())
}

#[tokio::test]
async fn generated_objects_follow_their_source_and_come_back() {
    let cluster = Cluster::start();
    let client = client(&cluster).await;
    let api: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let controller = Controller::new(api.clone(), watcher::Config::default().labels("generate"))
        .owns(api.clone(), watcher::Config::default())
        .run(generate, |_, _, _| Action::await_change(), Arc::new(client))
        .for_each(|_| std::future::ready(()));
    let running = tokio::spawn(controller);
    let mut source = config_map("a", "one");
    source.labels_mut().insert("generate".into(), "yes".into());
    api.create(&PostParams::default(), &source).await.unwrap();
    let becomes = |wanted: &'static str| {
        let api = api.clone();
        let has_it = move |object: Option<&ConfigMap>| object.is_some_and(|object| value(object) == wanted);
        async move { in_time(wanted, await_condition(api, "a-generated", has_it)).await.unwrap().unwrap() }
    };
    let first = becomes("ONE").await;
    api.patch("a", &PatchParams::default(), &Patch::Merge(json!({"data": {"value": "two"}}))).await.unwrap();
    becomes("TWO").await;
    api.delete("a-generated", &DeleteParams::default()).await.unwrap();
    let gone = conditions::is_deleted(first.metadata.uid.as_deref().unwrap());
    in_time("deleted", await_condition(api.clone(), "a-generated", gone)).await.unwrap();
    let again = becomes("TWO").await;
    assert_ne!(again.uid(), first.uid());
    running.abort();
    // Nobody but the garbage collector is left to follow.
    let uid = again.uid().unwrap();
    api.delete("a", &DeleteParams::background()).await.unwrap();
    in_time("collected", await_condition(api, "a-generated", conditions::is_deleted(&uid))).await.unwrap();
}

/// Copies a Secret to the namespace `copies` as long as it lives.
async fn copy(
    source: Arc<Secret>,
    client: Arc<Client>,
) -> Result<Action, kube::runtime::finalizer::Error<kube::Error>> {
    let (here, there): (Api<Secret>, Api<Secret>) =
        (Api::default_namespaced((*client).clone()), Api::namespaced((*client).clone(), "copies"));
    finalizer(&here, "example.com/copies", source, |event| async {
        match event {
            Event::Apply(source) => {
                let copy = Secret {
                    metadata: ObjectMeta { name: source.metadata.name.clone(), ..ObjectMeta::default() },
                    data: source.data.clone(),
                    ..Secret::default()
                };
                let params = PatchParams::apply("copier").force();
                there.patch(&source.name_any(), &params, &Patch::Apply(copy)).await?;
            }
            Event::Cleanup(source) => {
                there.delete(&source.name_any(), &DeleteParams::default()).await?;
            }
        }
        Ok(Action::await_change())
    })
    .await
}

#[tokio::test]
async fn copies_are_taken_away_before_their_source_goes() {
    let cluster = Cluster::start();
    let client = client(&cluster).await;
    let copies = Namespace {
        metadata: ObjectMeta { name: Some("copies".into()), ..ObjectMeta::default() },
        ..Namespace::default()
    };
    Api::all(client.clone()).create(&PostParams::default(), &copies).await.unwrap();
    let (here, there): (Api<Secret>, Api<Secret>) =
        (Api::default_namespaced(client.clone()), Api::namespaced(client.clone(), "copies"));
    let controller = Controller::new(here.clone(), watcher::Config::default().labels("copy=yes"))
        .run(copy, |_, _, _| Action::await_change(), Arc::new(client))
        .for_each(|_| std::future::ready(()));
    let running = tokio::spawn(controller);
    let secret: Secret = super::object(json!({
        "metadata": {"name": "key", "labels": {"copy": "yes"}}, "stringData": {"a": "b"},
    }));
    let source = here.create(&PostParams::default(), &secret).await.unwrap();
    let is_there = |secret: Option<&Secret>| secret.is_some_and(|secret| secret.data.is_some());
    let copied = in_time("copied", await_condition(there.clone(), "key", is_there)).await.unwrap().unwrap();
    assert_eq!(copied.data, source.data);

    let held = here.delete("key", &DeleteParams::default()).await.unwrap().left().expect("the finalizer holds it");
    assert!(held.metadata.deletion_timestamp.is_some());
    let uid = source.uid().unwrap();
    in_time("gone", await_condition(here, "key", conditions::is_deleted(&uid))).await.unwrap();
    assert!(there.get_opt("key").await.unwrap().is_none());
    running.abort();
}
