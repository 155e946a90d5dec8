//! How the node is, for those who must know at once: who admits pods, and who writes the Node's status.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::eviction::{Condition, Conditions};

/// How the node is.
#[derive(Debug, Default)]
pub struct Health {
    conditions: Mutex<Conditions>,
    shutting_down: AtomicBool,
    changed: Notify,
}

impl Health {
    /// The pressure conditions as they are now.
    pub fn conditions(&self) -> Conditions {
        *self.conditions.lock()
    }

    /// Those that are true.
    pub fn pressures(&self) -> Vec<Condition> {
        let now = self.conditions();
        Condition::ALL.into_iter().filter(|condition| now[condition.index()]).collect()
    }

    /// The conditions are these from now on.
    pub fn set_conditions(&self, conditions: Conditions) {
        let before = std::mem::replace(&mut *self.conditions.lock(), conditions);
        if before != conditions {
            self.changed.notify_one();
        }
    }

    /// Whether the node is about to stop for good.
    pub fn is_shutting_down(&self) -> bool {
        self.shutting_down.load(Ordering::Acquire)
    }

    /// The node is about to stop: it takes no more pods.
    pub fn shut_down(&self) {
        self.shutting_down.store(true, Ordering::Release);
        self.changed.notify_one();
    }

    /// Returns when something has changed since the last time.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }
}
