//! When the node is short of something: kubelet's `--eviction-hard`.

use std::str::FromStr;

use coracle_api::quantity::Quantity;

use crate::machine::{Headroom, Machine};

/// Signals that kubelet knows and this node can tell.
const SIGNALS: [&str; 4] = ["imagefs.available", "memory.available", "nodefs.available", "pid.available"];

/// From how little on of each thing the node is under pressure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// `memory.available`
    memory: Amount,
    /// `nodefs.available` or `imagefs.available`, whichever is more: images lie on the node's own file system.
    storage: Amount,
    /// `pid.available`
    processes: Amount,
}

/// Which things are short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pressure {
    /// `MemoryPressure`
    pub memory: bool,
    /// `DiskPressure`
    pub disk: bool,
    /// `PIDPressure`
    pub processes: bool,
}

/// An amount of something.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Amount {
    Absolute(u64),
    /// Of all there is.
    Percent(f64),
}

/// Why a text is no list of thresholds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ThresholdError {
    /// not SIGNAL<AMOUNT
    #[error("{0:?} is no threshold: write SIGNAL<AMOUNT, such as nodefs.available<5%")]
    Shape(String),
    /// no such signal
    #[error("unsupported eviction signal {0}: supported are {list}", list = SIGNALS.join(", "))]
    Signal(String),
    /// not a quantity or percentage
    #[error("eviction threshold {0} must be a quantity (such as 100Mi) or a percentage from 0% to 100%")]
    Amount(String),
    /// the same signal twice
    #[error("eviction threshold {0} is given twice")]
    Twice(String),
}

impl Default for Thresholds {
    /// Kubelet's 100 MiB of memory and, as on other small machines' Kubernetes (k3s), 5 % of the disk: a tenth, kubelet's
    /// own default, is much of a large disk. 500 process numbers leave room for the node itself.
    fn default() -> Self {
        Self { memory: Amount::Absolute(100 << 20), storage: Amount::Percent(5.0), processes: Amount::Absolute(500) }
    }
}

impl Thresholds {
    /// What is short now.
    pub fn pressure(&self, machine: &Machine, left: &Headroom) -> Pressure {
        Pressure {
            memory: left.memory_bytes < self.memory.of(machine.memory_bytes),
            disk: left.storage_bytes < self.storage.of(machine.storage_bytes),
            processes: left.processes < self.processes.of(machine.processes),
        }
    }
}

impl Amount {
    fn of(self, all: u64) -> u64 {
        match self {
            Self::Absolute(amount) => amount,
            // Whole units are as exact as anybody looks.
            Self::Percent(percent) => (all as f64 * percent / 100.0) as u64,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if let Some(percent) = text.strip_suffix('%') {
            let percent: f64 = percent.parse().ok()?;
            return (0.0..=100.0).contains(&percent).then_some(Self::Percent(percent));
        }
        let quantity: Quantity = text.parse().ok()?;
        u64::try_from(quantity.value()).ok().map(Self::Absolute)
    }
}

impl FromStr for Thresholds {
    type Err = ThresholdError;

    /// `memory.available<100Mi,nodefs.available<5%`. As with kubelet, a signal that is not named has no threshold.
    fn from_str(text: &str) -> Result<Self, ThresholdError> {
        let mut given: [Option<Amount>; SIGNALS.len()] = [None; SIGNALS.len()];
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (signal, amount) = part.split_once('<').ok_or_else(|| ThresholdError::Shape(part.to_owned()))?;
            let place = SIGNALS.iter().position(|known| *known == signal);
            let place = place.ok_or_else(|| ThresholdError::Signal(signal.to_owned()))?;
            let amount = Amount::parse(amount).ok_or_else(|| ThresholdError::Amount(part.to_owned()))?;
            if given[place].replace(amount).is_some() {
                return Err(ThresholdError::Twice(signal.to_owned()));
            }
        }
        let [images, memory, node, processes] = given.map(|amount| amount.unwrap_or(Amount::Absolute(0)));
        let storage = match given {
            [Some(_), _, None, _] => images,
            [Some(_), _, Some(_), _] if is_more(images, node) => images,
            _ => node,
        };
        Ok(Self { memory, storage, processes })
    }
}

/// Whether one amount of disk is the stricter one. A percentage and a number of bytes can't be compared without the
/// disk; the number is then the one that somebody chose for it.
fn is_more(one: Amount, other: Amount) -> bool {
    match (one, other) {
        (Amount::Absolute(one), Amount::Absolute(other)) => one > other,
        (Amount::Percent(one), Amount::Percent(other)) => one > other,
        (Amount::Absolute(_), Amount::Percent(_)) => true,
        (Amount::Percent(_), Amount::Absolute(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pressure(thresholds: &str, left: Headroom) -> Pressure {
        let mut machine = Machine::read(std::path::Path::new("/"));
        (machine.memory_bytes, machine.storage_bytes, machine.processes) = (1 << 30, 1000, 4000);
        thresholds.parse::<Thresholds>().unwrap().pressure(&machine, &left)
    }

    const PLENTY: Headroom = Headroom { memory_bytes: 1 << 29, storage_bytes: 60, processes: 3000 };

    #[test]
    fn what_falls_below_its_threshold_is_short() {
        let disk = |text| pressure(text, PLENTY).disk;
        assert!(!disk("nodefs.available<5%") && disk("nodefs.available<7%") && disk("imagefs.available<61"));
        assert!(disk("imagefs.available<5%,nodefs.available<10%") && disk("imagefs.available<10%,nodefs.available<5%"));
        assert!(pressure("memory.available<600Mi", PLENTY).memory);
        assert!(pressure("pid.available<80%", PLENTY).processes);
    }

    #[test]
    fn a_signal_without_threshold_is_never_short() {
        let nothing = Headroom { memory_bytes: 0, storage_bytes: 0, processes: 0 };
        assert_eq!(pressure("", nothing), Pressure { memory: false, disk: false, processes: false });
        assert!(!pressure("nodefs.available<0%", nothing).disk);
    }

    #[test]
    fn bad_thresholds_are_explained() {
        let error = |text: &str| text.parse::<Thresholds>().unwrap_err().to_string();
        assert_eq!(error("disk"), "\"disk\" is no threshold: write SIGNAL<AMOUNT, such as nodefs.available<5%");
        assert_eq!(
            error("nodefs.inodesFree<5%"),
            "unsupported eviction signal nodefs.inodesFree: supported are imagefs.available, memory.available, \
             nodefs.available, pid.available"
        );
        for amount in ["x", "101%", "-1", "-1%", "NaN%"] {
            assert!(error(&format!("memory.available<{amount}")).contains("must be a quantity"), "{amount}");
        }
        assert_eq!(
            error("memory.available<1,memory.available<2"),
            "eviction threshold memory.available is given twice"
        );
    }
}
