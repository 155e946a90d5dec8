//! Amounts of what nodes have and pods ask for, in the units the scheduler counts in.
//!
//! Invariant: sums saturate; a hostile quantity can make a node look full, never make it look empty again.

use std::collections::BTreeMap;

/// CPU in thousandths of a core, memory and ephemeral storage in bytes, everything else in its own unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resources {
    /// Thousandths of a CPU.
    pub milli_cpu: i64,
    /// Bytes of memory.
    pub memory_bytes: i64,
    /// Bytes of ephemeral storage.
    pub ephemeral_bytes: i64,
    /// Extended resources (`example.com/gpu`, `hugepages-2Mi`) by name.
    pub extended: BTreeMap<String, i64>,
}

impl Resources {
    /// Adds `other` to these amounts.
    pub fn add(&mut self, other: &Resources) {
        self.milli_cpu = self.milli_cpu.saturating_add(other.milli_cpu);
        self.memory_bytes = self.memory_bytes.saturating_add(other.memory_bytes);
        self.ephemeral_bytes = self.ephemeral_bytes.saturating_add(other.ephemeral_bytes);
        for (name, amount) in &other.extended {
            let sum = self.extended.entry(name.clone()).or_default();
            *sum = sum.saturating_add(*amount);
        }
    }

    /// Takes `other` out of these amounts again.
    pub fn subtract(&mut self, other: &Resources) {
        self.milli_cpu = self.milli_cpu.saturating_sub(other.milli_cpu);
        self.memory_bytes = self.memory_bytes.saturating_sub(other.memory_bytes);
        self.ephemeral_bytes = self.ephemeral_bytes.saturating_sub(other.ephemeral_bytes);
        for (name, amount) in &other.extended {
            let left = self.extended.entry(name.clone()).or_default();
            *left = left.saturating_sub(*amount);
            if *left == 0 {
                self.extended.remove(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_can_be_taken_out() {
        let mut sum = Resources { milli_cpu: 100, ..Resources::default() };
        let pod = Resources {
            milli_cpu: 250,
            memory_bytes: 1 << 20,
            ephemeral_bytes: 7,
            extended: BTreeMap::from([("example.com/gpu".to_owned(), 2)]),
        };
        sum.add(&pod);
        assert_eq!(sum.extended["example.com/gpu"], 2);
        sum.subtract(&pod);
        assert_eq!(sum, Resources { milli_cpu: 100, ..Resources::default() });
    }

    #[test]
    fn sums_saturate() {
        let mut sum = Resources { memory_bytes: i64::MAX, ..Resources::default() };
        sum.add(&Resources { memory_bytes: 1, ..Resources::default() });
        assert_eq!(sum.memory_bytes, i64::MAX);
    }
}
