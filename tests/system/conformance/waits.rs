//! Waiting for what no single watch shows.

use std::time::Duration;

use kube::runtime::conditions::is_deleted;
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt as _};

use super::steps::{Known, in_time};

const POLL: Duration = Duration::from_millis(20);

/// Looks again and again until there is something to see.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    in_time(what, async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(POLL).await;
        }
    })
    .await
}

/// Waits until this very object is no more.
pub async fn gone<K: Known>(api: &Api<K>, object: &K) {
    let (name, uid) = (object.name_any(), object.uid().unwrap());
    in_time(&name, await_condition(api.clone(), &name, is_deleted(&uid))).await.unwrap();
}
