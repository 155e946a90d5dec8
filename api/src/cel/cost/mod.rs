//! What evaluating an expression costs: estimated before it runs, from the sizes that the schema allows, and counted while
//! it runs. Units, factors and formulas are cel-go's (`checker/cost.go`) and Kubernetes' (`pkg/cel/library/cost.go`): which
//! rules a CRD may have depends on them.

mod estimate;
mod rule;

pub(super) use estimate::estimate;
pub(super) use rule::{CostRule, SizeRule, scaled};

/// Cost of reaching a variable or a field.
pub(super) const REACH: u64 = 1;
/// Cost of making a list.
pub(super) const MAKE_LIST: u64 = 10;
/// Cost of making a value of a named type.
pub(super) const MAKE_STRUCT: u64 = 40;
/// Cost of making a map.
pub(super) const MAKE_MAP: u64 = 30;

/// From the cheapest to the dearest case; also sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// At least.
    pub min: u64,
    /// At most.
    pub max: u64,
}

impl Range {
    /// Nothing.
    pub(super) const ZERO: Self = Self::exactly(0);
    /// A size that nothing is known about.
    pub(super) const UNKNOWN: Self = Self { min: 0, max: u64::MAX };

    /// Known exactly.
    pub(super) const fn exactly(value: u64) -> Self {
        Self { min: value, max: value }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self { min: self.min.saturating_add(other.min), max: self.max.saturating_add(other.max) }
    }

    pub(super) fn times(self, other: Self) -> Self {
        Self { min: self.min.saturating_mul(other.min), max: self.max.saturating_mul(other.max) }
    }

    /// Times a factor, rounded up.
    pub(super) fn scaled(self, factor: f64) -> Self {
        Self { min: scaled(self.min, factor), max: scaled(self.max, factor) }
    }

    /// What covers both.
    pub(super) fn union(self, other: Self) -> Self {
        Self { min: self.min.min(other.min), max: self.max.max(other.max) }
    }
}
