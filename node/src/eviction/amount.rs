//! Amounts in thresholds: a quantity, or a part of all there is.

use coracle_api::quantity::{Format, Quantity};

/// An amount of something.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    /// So much of it.
    Absolute(Quantity),
    /// So many percent of all there is.
    Percent(f64),
}

impl Amount {
    /// How much that is where there is `all`.
    pub fn of(self, all: u64) -> u64 {
        match self {
            Self::Absolute(quantity) => quantity.bytes(),
            // Whole units are as exact as anybody looks.
            Self::Percent(percent) => (all as f64 * percent / 100.0) as u64,
        }
    }

    /// The same as it is printed.
    pub fn quantity(self, all: u64) -> Quantity {
        match self {
            Self::Absolute(quantity) => quantity,
            Self::Percent(_) => Quantity::from_bytes(self.of(all)),
        }
    }
}

/// An observed amount, as it is printed.
pub fn observed(amount: u64, bytes: bool) -> Quantity {
    if bytes {
        Quantity::from_bytes(amount)
    } else {
        Quantity::from_units(i64::try_from(amount).unwrap_or(i64::MAX), Format::DecimalSi)
    }
}
