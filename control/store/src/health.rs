//! Whether the store takes writes, and if not, why.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

/// The reason why writes are refused, if they are.
#[derive(Default)]
pub(crate) struct Health {
    /// A failed write: nothing is written until the store is opened again.
    fatal: ArcSwapOption<String>,
    /// A condition that may pass: too little space.
    passing: ArcSwapOption<String>,
}

impl Health {
    /// Writes fail from now on. The first reason stays: later ones are its consequences.
    pub(crate) fn fail(&self, reason: String) {
        if self.fatal.load().is_none() {
            self.fatal.store(Some(Arc::new(reason)));
        }
    }

    /// Writes are refused until this is called with `None`.
    pub(crate) fn hold(&self, reason: Option<String>) {
        if reason.is_some() || self.passing.load().is_some() {
            self.passing.store(reason.map(Arc::new));
        }
    }

    /// `Err` with the reason if writes are refused.
    pub(crate) fn check(&self) -> Result<(), String> {
        let reason = self.fatal.load_full().or_else(|| self.passing.load_full());
        reason.map_or(Ok(()), |reason| Err(reason.as_ref().clone()))
    }

    /// The reason if the store has failed for good.
    pub(crate) fn fatal(&self) -> Option<String> {
        self.fatal.load_full().map(|reason| reason.as_ref().clone())
    }
}
