//! Watching one resource for as long as the process lives.

use futures::{Stream, StreamExt, future};
use kube::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// The changes of a resource. A watch that fails says so in the log and goes on by itself, after a back-off.
pub fn changes<K>(api: Api<K>, config: watcher::Config) -> impl Stream<Item = Event<K>> + Send + use<K>
where
    K: Clone + Debug + DeserializeOwned + kube::Resource + Send + 'static,
{
    let resource = api.resource_url().to_owned();
    watcher::watcher(api, config).default_backoff().filter_map(move |event| {
        let seen = event.inspect_err(|error| tracing::warn!(%error, resource, "watch failed; trying again"));
        future::ready(seen.ok())
    })
}
