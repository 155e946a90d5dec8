//! The watches of pods and nodes, as one stream of changes to the scheduler's state.

use crate::pod_info::PodInfo;
use crate::view::PodView;
use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::core::v1::Node;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use std::sync::Arc;

/// Pods that ended take nothing from their node and never need one.
const LIVE_PODS: &str = "status.phase!=Succeeded,status.phase!=Failed";

/// A change that a watch reports.
#[derive(Debug)]
pub enum Change {
    /// Of a pod, read already: the loop that decides should not have to.
    Pod(Event<Arc<PodInfo>>),
    /// Of a node.
    Node(Event<Box<Node>>),
}

/// All changes of pods and nodes, for as long as the process lives; failures are retried with back-off.
pub fn changes(client: &Client) -> impl Stream<Item = Change> + Send + use<> {
    let pods: Api<PodView> = Api::all(client.clone());
    let nodes: Api<Node> = Api::all(client.clone());
    let pods = coracle_client::changes(pods, watcher::Config::default().fields(LIVE_PODS))
        .map(|event| Change::Pod(map(event, |pod| Arc::new(PodInfo::of(&pod.0)))));
    let nodes =
        coracle_client::changes(nodes, watcher::Config::default()).map(|event| Change::Node(map(event, Box::new)));
    stream::select(pods.boxed(), nodes.boxed())
}

/// The same event about something made from its object.
fn map<K, T>(event: Event<K>, read: impl FnOnce(K) -> T) -> Event<T> {
    match event {
        Event::Apply(object) => Event::Apply(read(object)),
        Event::Delete(object) => Event::Delete(read(object)),
        Event::Init => Event::Init,
        Event::InitApply(object) => Event::InitApply(read(object)),
        Event::InitDone => Event::InitDone,
    }
}
