//! The loop that drives one controller: takes keys, reconciles a bounded number at once, retries what failed.
//!
//! A panic while one object is reconciled is that object's failure: it is logged and retried like any other.

use super::key::Key;
use super::queue::WorkQueue;
use async_trait::async_trait;
use coracle_client::{is_code, message};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{Id, JoinSet};

/// Why one object could not be reconciled; it will be retried.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The API server refused, or could not be reached.
    #[error("{}", message(.0))]
    Api(#[from] kube::Error),
    /// The object asks for what can't be.
    #[error("{0}")]
    Invalid(String),
}

impl ReconcileError {
    /// Whether somebody else changed the object meanwhile: not worth a warning, the watch will show it.
    fn is_routine(&self) -> bool {
        matches!(self, ReconcileError::Api(error) if is_code(error, 409) || is_code(error, 404))
    }
}

/// Makes the world match one object.
#[async_trait]
pub trait Reconcile: Send + Sync + 'static {
    /// The controller's name, for logs.
    fn name(&self) -> &'static str;

    /// Its queue.
    fn queue(&self) -> &WorkQueue;

    /// What must be waited for before the first object is looked at, besides the shared informers.
    async fn prepare(&self) {}

    /// Looks at one object; it is looked at again after the duration returned.
    ///
    /// # Errors
    /// When it must be retried.
    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>, ReconcileError>;
}

/// Drives `controller` for as long as it is polled.
pub async fn drive(controller: Arc<dyn Reconcile>, workers: usize) {
    controller.prepare().await;
    let mut tasks: JoinSet<(Key, Result<Option<Duration>, ReconcileError>)> = JoinSet::new();
    let mut keys: HashMap<Id, Key> = HashMap::new();
    loop {
        tokio::select! {
            key = controller.queue().next(), if tasks.len() < workers => {
                let (worker, task_key) = (controller.clone(), key.clone());
                let handle = tasks.spawn(async move {
                    let result = worker.reconcile(&task_key).await;
                    (task_key, result)
                });
                keys.insert(handle.id(), key);
            }
            Some(ended) = tasks.join_next_with_id() => match ended {
                Ok((id, (key, result))) => {
                    keys.remove(&id);
                    settle(&*controller, &key, result);
                }
                Err(error) => if let Some(key) = keys.remove(&error.id()) {
                    tracing::error!(controller = controller.name(), %key, %error, "reconcile panicked; retrying");
                    controller.queue().retry(key.clone());
                    controller.queue().done(&key);
                },
            },
        }
    }
}

fn settle(controller: &dyn Reconcile, key: &Key, result: Result<Option<Duration>, ReconcileError>) {
    let queue = controller.queue();
    match result {
        Ok(again) => {
            queue.forget(key);
            if let Some(delay) = again {
                queue.add_after(key.clone(), delay);
            }
        }
        Err(error) => {
            if error.is_routine() {
                tracing::debug!(controller = controller.name(), %key, %error, "retrying");
            } else {
                tracing::warn!(controller = controller.name(), %key, %error, "reconcile failed; retrying");
            }
            queue.retry(key.clone());
        }
    }
    queue.done(key);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Notify;

    struct Flaky {
        queue: WorkQueue,
        calls: AtomicUsize,
        succeeded: Notify,
    }

    #[async_trait]
    impl Reconcile for Flaky {
        fn name(&self) -> &'static str {
            "flaky"
        }
        fn queue(&self) -> &WorkQueue {
            &self.queue
        }
        async fn reconcile(&self, _: &Key) -> Result<Option<Duration>, ReconcileError> {
            match self.calls.fetch_add(1, Ordering::SeqCst) {
                0 => panic!("the first time"),
                1 => Err(ReconcileError::Invalid("the second time".into())),
                2 => Ok(Some(Duration::from_millis(10))),
                _ => {
                    self.succeeded.notify_one();
                    Ok(None)
                }
            }
        }
    }

    #[tokio::test]
    async fn panics_and_errors_are_retried_and_wishes_granted() {
        let flaky = Arc::new(Flaky { queue: WorkQueue::new(), calls: AtomicUsize::new(0), succeeded: Notify::new() });
        flaky.queue.add(Key::new("ns", "a"));
        let driver = tokio::spawn(drive(flaky.clone(), 2));
        tokio::time::timeout(Duration::from_secs(10), flaky.succeeded.notified()).await.unwrap();
        assert_eq!(flaky.calls.load(Ordering::SeqCst), 4);
        driver.abort();
    }
}
