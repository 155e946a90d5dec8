//! Named health checks behind `/readyz`, `/livez` and `/healthz`.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;

/// A check: nothing when fine, otherwise what is wrong.
pub type Check = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// The checks that decide whether the cluster takes work.
#[derive(Clone, Default)]
pub(crate) struct Readiness {
    checks: Arc<RwLock<BTreeMap<String, Check>>>,
}

impl Readiness {
    /// Adds a check, or replaces the one with that name.
    pub(crate) fn register(&self, name: &str, check: Check) {
        self.checks.write().insert(name.to_string(), check);
    }

    /// A check that says what it was told last.
    pub(crate) fn set(&self, name: &str, state: Result<(), String>) {
        self.register(name, Arc::new(move || state.clone()));
    }

    /// Every check with its outcome, by name.
    pub(crate) fn run(&self) -> Vec<(String, Result<(), String>)> {
        let checks: Vec<(String, Check)> = self.checks.read().iter().map(|(n, c)| (n.clone(), c.clone())).collect();
        // Run without the lock: a check may take locks of its own.
        checks.into_iter().map(|(name, check)| (name, check())).collect()
    }
}
