//! Memory budgets: how much linear memory a container, and its pod, may hold.
//!
//! Invariant: what a budget says is in use is the sum of the linear memories of living stores. Reserving comes
//! before growing, and a store gives back all it reserved when it is dropped, whatever ended it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use wasmtime::ResourceLimiter;

use crate::limits;

/// A limit was reached. It travels as the error of a `memory.grow` (or of an instantiation) and ends the
/// container, as the kernel's OOM killer would: an allocation that merely failed would leave a program
/// in a state that nobody tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("memory limit of {limit_bytes} bytes exceeded")]
pub(crate) struct OutOfMemory {
    pub(crate) limit_bytes: u64,
}

/// A budget that several stores reserve from, and which itself may be part of a larger one.
#[derive(Debug)]
pub(crate) struct MemoryBudget {
    limit_bytes: AtomicU64,
    used_bytes: AtomicU64,
    parent: Option<Arc<MemoryBudget>>,
}

impl MemoryBudget {
    pub(crate) fn new(limit_bytes: Option<u64>, parent: Option<Arc<MemoryBudget>>) -> Arc<MemoryBudget> {
        let limit_bytes = AtomicU64::new(limit_bytes.unwrap_or(u64::MAX));
        Arc::new(MemoryBudget { limit_bytes, used_bytes: AtomicU64::new(0), parent })
    }

    pub(crate) fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn limit_bytes(&self) -> u64 {
        self.limit_bytes.load(Ordering::Relaxed)
    }

    /// Another limit from now on. What is held beyond it stays; it is the next growth that fails.
    pub(crate) fn set_limit(&self, limit_bytes: Option<u64>) {
        self.limit_bytes.store(limit_bytes.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn reserve(&self, bytes: u64) -> Result<(), OutOfMemory> {
        let limit_bytes = self.limit_bytes();
        let fits = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= limit_bytes);
        self.used_bytes
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, fits)
            .map_err(|_| OutOfMemory { limit_bytes })?;
        if let Some(parent) = &self.parent
            && let Err(error) = parent.reserve(bytes)
        {
            self.used_bytes.fetch_sub(bytes, Ordering::AcqRel);
            return Err(error);
        }
        Ok(())
    }

    fn release(&self, bytes: u64) {
        self.used_bytes.fetch_sub(bytes, Ordering::AcqRel);
        if let Some(parent) = &self.parent {
            parent.release(bytes);
        }
    }
}

/// The limiter of one store. It reserves from its container's budget and returns all of it when dropped.
pub(crate) struct Limiter {
    budget: Arc<MemoryBudget>,
    held_bytes: u64,
    granted_last_bytes: u64,
}

impl Limiter {
    pub(crate) fn new(budget: Arc<MemoryBudget>) -> Limiter {
        Limiter { budget, held_bytes: 0, granted_last_bytes: 0 }
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        self.budget.release(self.held_bytes);
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        self.granted_last_bytes = 0;
        // The memory's own maximum (or the pool's ceiling) is an ordinary failure that the program can handle.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let bytes = desired.saturating_sub(current) as u64;
        self.budget.reserve(bytes)?;
        self.held_bytes += bytes;
        self.granted_last_bytes = bytes;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        let bytes = std::mem::take(&mut self.granted_last_bytes);
        self.held_bytes -= bytes;
        self.budget.release(bytes);
        Ok(())
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= limits::TABLE_ELEMENTS)
    }

    fn instances(&self) -> usize {
        limits::CORE_INSTANCES_PER_COMPONENT as usize
    }

    fn tables(&self) -> usize {
        limits::TABLES_PER_INSTANCE as usize
    }

    fn memories(&self) -> usize {
        limits::MEMORIES_PER_INSTANCE as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_returns_all_it_reserved() {
        let pod = MemoryBudget::new(Some(100), None);
        let container = MemoryBudget::new(None, Some(pod.clone()));
        let mut limiter = Limiter::new(container.clone());
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(60, 90, Some(90)).unwrap());
        assert_eq!((container.used_bytes(), pod.used_bytes()), (90, 90));
        drop(limiter);
        assert_eq!((container.used_bytes(), pod.used_bytes()), (0, 0));
    }

    #[test]
    fn the_pods_limit_counts_all_containers() {
        let pod = MemoryBudget::new(Some(100), None);
        let (a, b) = (MemoryBudget::new(Some(80), Some(pod.clone())), MemoryBudget::new(Some(80), Some(pod.clone())));
        a.reserve(80).unwrap();
        assert_eq!(a.reserve(1), Err(OutOfMemory { limit_bytes: 80 }));
        assert_eq!(b.reserve(30), Err(OutOfMemory { limit_bytes: 100 }));
        assert_eq!((b.used_bytes(), pod.used_bytes()), (0, 80), "a refused reservation leaves no trace");
    }

    #[test]
    fn a_limit_may_change_at_any_time() {
        let budget = MemoryBudget::new(Some(100), None);
        budget.reserve(80).unwrap();
        budget.set_limit(Some(50));
        assert_eq!(budget.reserve(1), Err(OutOfMemory { limit_bytes: 50 }));
        assert_eq!(budget.used_bytes(), 80, "what is held is kept");
        budget.set_limit(None);
        budget.reserve(1000).unwrap();
    }

    #[test]
    fn a_growth_that_fails_is_given_back() {
        let budget = MemoryBudget::new(Some(100), None);
        let mut limiter = Limiter::new(budget.clone());
        assert!(limiter.memory_growing(0, 50, None).unwrap());
        assert!(limiter.memory_growing(50, 70, None).unwrap());
        limiter.memory_grow_failed(wasmtime::Error::msg("no pages")).unwrap();
        assert_eq!(budget.used_bytes(), 50);
        assert!(!limiter.memory_growing(50, 70, Some(60)).unwrap(), "the memory's own maximum is no OOM");
        limiter.memory_grow_failed(wasmtime::Error::msg("maximum")).unwrap();
        assert_eq!(budget.used_bytes(), 50);
    }

    #[test]
    fn beyond_the_budget_is_an_error_and_not_a_refusal() {
        let mut limiter = Limiter::new(MemoryBudget::new(Some(100), None));
        let error = limiter.memory_growing(0, 101, None).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&OutOfMemory { limit_bytes: 100 }));
    }
}
