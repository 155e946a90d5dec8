//! File descriptors that guests make the host open: files, sockets, connections.
//!
//! The process has a limited number of them (`RLIMIT_NOFILE`), and the node itself needs some. Invariant: all guests of
//! an engine hold no more than the engine's share at once, and a container no more than its own.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// A number of descriptors, part of a larger number or not.
#[derive(Debug)]
pub(crate) struct DescriptorBudget {
    limit: usize,
    used: AtomicUsize,
    parent: Option<Arc<DescriptorBudget>>,
}

impl DescriptorBudget {
    pub(crate) fn new(limit: usize, parent: Option<Arc<DescriptorBudget>>) -> Arc<DescriptorBudget> {
        Arc::new(DescriptorBudget { limit, used: AtomicUsize::new(0), parent })
    }

    /// Whether there was leave to open one more a moment ago.
    pub(crate) fn has_room(&self) -> bool {
        let own = self.used.load(Ordering::Acquire) < self.limit;
        own && self.parent.as_ref().is_none_or(|parent| parent.has_room())
    }

    /// Leave to open one more. None: too many are open.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Descriptor> {
        let one_more = |used: usize| (used < self.limit).then_some(used + 1);
        self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).ok()?;
        let mut taken = Descriptor { budget: Arc::clone(self), above: None };
        if let Some(parent) = &self.parent {
            // What was taken here is given back by the drop, if there is none left above.
            taken.above = Some(Box::new(parent.take()?));
        }
        Some(taken)
    }
}

/// Leave to have one descriptor open, given back when dropped.
#[derive(Debug)]
pub(crate) struct Descriptor {
    budget: Arc<DescriptorBudget>,
    above: Option<Box<Descriptor>>,
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(1, Ordering::AcqRel);
        drop(self.above.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_has_its_share_of_the_engines() {
        let engine = DescriptorBudget::new(3, None);
        let one = DescriptorBudget::new(2, Some(engine.clone()));
        let other = DescriptorBudget::new(2, Some(engine.clone()));
        let mut held = vec![one.take().unwrap(), one.take().unwrap(), other.take().unwrap()];
        assert!(one.take().is_none(), "its own limit");
        assert!(other.take().is_none(), "the engine's");
        assert_eq!(other.used.load(Ordering::Relaxed), 1, "a refusal leaves no trace");
        held.remove(0);
        assert!(other.take().is_some());
        drop(held);
        assert_eq!(engine.used.load(Ordering::Relaxed), 0);
    }
}
