//! When the node is short of something: kubelet's flags `--eviction-…`, with kubelet's complaints.

use std::{str::FromStr, time::Duration};

use coracle_api::quantity::Quantity;

use super::{amount::Amount, signal::Signal};
use crate::go_duration::{self, DurationError};

/// How long a pressure condition stays after its last sign (kubelet `evictionPressureTransitionPeriod`).
const TRANSITION_PERIOD: Duration = Duration::from_secs(300);
/// Entries of one flag: there are fewer signals than this.
const ENTRIES_LIMIT: usize = 16;

/// Why a flag makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ThresholdError {
    /// not SIGNAL<AMOUNT, or not SIGNAL=VALUE
    #[error("malformed pair, expect string{0}string")]
    Pair(char),
    /// no such signal
    #[error("unsupported eviction signal {0}")]
    Signal(String),
    /// not a quantity
    #[error("eviction threshold {signal}: {why}: {value:?}")]
    Quantity {
        /// Whose.
        signal: Signal,
        /// What is given.
        value: String,
        /// What is wrong with it.
        why: String,
    },
    /// a percentage below zero or above hundred, or none
    #[error("eviction percentage threshold {signal} must be {bound}: {value}")]
    Percent {
        /// Whose.
        signal: Signal,
        /// The bound it breaks.
        bound: &'static str,
        /// What is given.
        value: String,
    },
    /// nothing, or less
    #[error("eviction threshold {signal} must be positive: {value}")]
    NotPositive {
        /// Whose.
        signal: Signal,
        /// What is given.
        value: String,
    },
    /// a minimum reclaim of nothing percent, or less
    #[error("eviction percentage minimum reclaim {signal} must be positive: {value}")]
    ReclaimPercent {
        /// Whose.
        signal: Signal,
        /// What is given.
        value: String,
    },
    /// a negative minimum reclaim
    #[error("negative eviction minimum reclaim specified for {0}")]
    ReclaimNegative(Signal),
    /// not a duration
    #[error(transparent)]
    Duration(#[from] DurationError),
    /// a negative duration
    #[error("invalid eviction grace period specified: {0}, must be a positive value")]
    GracePeriod(String),
    /// a soft threshold without a grace period
    #[error("grace period must be specified for the soft eviction threshold {0}")]
    NoGracePeriod(Signal),
    /// the same signal twice
    #[error("eviction signal {0} is given twice")]
    Twice(Signal),
}

/// `--eviction-hard`, `--eviction-soft`: from how little on of each thing the node is under pressure.
#[derive(Debug, Clone, PartialEq)]
pub struct Thresholds(pub(super) Vec<(Signal, Amount)>);

/// `--eviction-minimum-reclaim`: how much more than its threshold is freed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MinimumReclaim(Vec<(Signal, Amount)>);

/// `--eviction-soft-grace-period`: how long each soft threshold may be crossed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GracePeriods(Vec<(Signal, Duration)>);

/// A threshold with all that belongs to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// What it is about.
    pub signal: Signal,
    /// Below this the node is short.
    pub amount: Amount,
    /// For how long before pods are evicted; nothing for a hard threshold.
    pub grace: Duration,
    /// How much beyond the threshold is to be free before the shortage counts as over.
    pub reclaim: Option<Amount>,
}

/// What the flags say about eviction.
#[derive(Debug, Clone, PartialEq)]
pub struct EvictionSettings {
    /// `--eviction-hard`
    pub hard: Thresholds,
    /// `--eviction-soft`
    pub soft: Thresholds,
    /// `--eviction-soft-grace-period`
    pub soft_grace_periods: GracePeriods,
    /// `--eviction-minimum-reclaim`
    pub minimum_reclaim: MinimumReclaim,
    /// `--eviction-max-pod-grace-period`: what pods have at most when a soft threshold is crossed.
    pub max_pod_grace_period: Duration,
    /// `--eviction-pressure-transition-period`
    pub pressure_transition_period: Duration,
}

impl Default for EvictionSettings {
    /// Kubelet's, but for [`Thresholds::default`].
    fn default() -> Self {
        Self {
            hard: Thresholds::default(),
            soft: Thresholds(Vec::new()),
            soft_grace_periods: GracePeriods::default(),
            minimum_reclaim: MinimumReclaim::default(),
            max_pod_grace_period: Duration::ZERO,
            pressure_transition_period: TRANSITION_PERIOD,
        }
    }
}

impl EvictionSettings {
    /// The thresholds, hard ones first.
    ///
    /// # Errors
    /// When a soft threshold has no grace period.
    pub fn thresholds(&self) -> Result<Vec<Threshold>, ThresholdError> {
        let reclaim = |signal| find(&self.minimum_reclaim.0, signal);
        let hard = self.hard.0.iter().map(|(signal, amount)| {
            let (signal, amount) = (*signal, *amount);
            Ok(Threshold { signal, amount, grace: Duration::ZERO, reclaim: reclaim(signal) })
        });
        let soft = self.soft.0.iter().map(|(signal, amount)| {
            let (signal, amount) = (*signal, *amount);
            let grace = find(&self.soft_grace_periods.0, signal).ok_or(ThresholdError::NoGracePeriod(signal))?;
            Ok(Threshold { signal, amount, grace, reclaim: reclaim(signal) })
        });
        hard.chain(soft).collect()
    }
}

fn find<T: Copy>(list: &[(Signal, T)], signal: Signal) -> Option<T> {
    list.iter().find(|(own, _)| *own == signal).map(|(_, value)| *value)
}

impl Default for Thresholds {
    /// Kubelet's 100 MiB of memory and 5 % of the inodes and, as on other small machines' Kubernetes (k3s), 5 % of the
    /// disk: a tenth, kubelet's own default, is much of a large disk. 500 process numbers leave room for the node itself.
    fn default() -> Self {
        Self(vec![
            (Signal::Memory, Amount::Absolute(Quantity::from_bytes(100 << 20))),
            (Signal::Nodefs, Amount::Percent(5.0)),
            (Signal::NodefsInodes, Amount::Percent(5.0)),
            (Signal::Processes, Amount::Absolute(Quantity::from_units(500, Default::default()))),
        ])
    }
}

impl FromStr for Thresholds {
    type Err = ThresholdError;

    /// `memory.available<100Mi,nodefs.available<5%`. As with kubelet, a signal that is not named has no threshold, and
    /// one of `0%` or `100%` is none.
    fn from_str(text: &str) -> Result<Self, ThresholdError> {
        let mut given = Vec::new();
        for (signal, value) in pairs(text, '<')? {
            if !matches!(value, "0%" | "100%") {
                given.push((signal, threshold(signal, value)?));
            }
        }
        Ok(Self(given))
    }
}

impl FromStr for MinimumReclaim {
    type Err = ThresholdError;

    /// `memory.available=0Mi,nodefs.available=500Mi`
    fn from_str(text: &str) -> Result<Self, ThresholdError> {
        let read = |(signal, value): (Signal, &str)| Ok((signal, reclaim(signal, value)?));
        pairs(text, '=')?.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for GracePeriods {
    type Err = ThresholdError;

    /// `memory.available=1m30s`
    fn from_str(text: &str) -> Result<Self, ThresholdError> {
        let read = |(signal, value): (Signal, &str)| {
            let period = go_duration::parse(value)?;
            Ok((signal, period.ok_or_else(|| ThresholdError::GracePeriod(value.to_owned()))?))
        };
        pairs(text, '=')?.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }
}

/// The entries of a flag, each signal at most once.
fn pairs(text: &str, separator: char) -> Result<Vec<(Signal, &str)>, ThresholdError> {
    let mut pairs: Vec<(Signal, &str)> = Vec::new();
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    for part in parts.take(ENTRIES_LIMIT) {
        let (name, value) = part.split_once(separator).ok_or(ThresholdError::Pair(separator))?;
        let (name, value) = (name.trim(), value.trim());
        let signal = Signal::of_name(name).ok_or_else(|| ThresholdError::Signal(name.to_owned()))?;
        if pairs.iter().any(|(known, _)| *known == signal) {
            return Err(ThresholdError::Twice(signal));
        }
        pairs.push((signal, value));
    }
    Ok(pairs)
}

fn percent(signal: Signal, value: &str) -> Result<Option<f64>, ThresholdError> {
    let Some(number) = value.strip_suffix('%') else { return Ok(None) };
    let number: Option<f64> = number.parse().ok().filter(|number: &f64| number.is_finite());
    let why = "a percentage is a number before %".to_owned();
    number.map(Some).ok_or_else(|| ThresholdError::Quantity { signal, value: value.to_owned(), why })
}

fn quantity(signal: Signal, value: &str) -> Result<Quantity, ThresholdError> {
    let wrong = |why: String| ThresholdError::Quantity { signal, value: value.to_owned(), why };
    value.parse().map_err(|error: coracle_api::quantity::ParseQuantityError| wrong(error.to_string()))
}

fn threshold(signal: Signal, value: &str) -> Result<Amount, ThresholdError> {
    if let Some(number) = percent(signal, value)? {
        let wrong = |bound| Err(ThresholdError::Percent { signal, bound, value: value.to_owned() });
        return match number {
            number if number < 0.0 => wrong(">= 0%"),
            number if number > 100.0 => wrong("<= 100%"),
            number => Ok(Amount::Percent(number)),
        };
    }
    let quantity = quantity(signal, value)?;
    if quantity.is_negative() || quantity.is_zero() {
        return Err(ThresholdError::NotPositive { signal, value: value.to_owned() });
    }
    Ok(Amount::Absolute(quantity))
}

fn reclaim(signal: Signal, value: &str) -> Result<Amount, ThresholdError> {
    if let Some(number) = percent(signal, value)? {
        return if number > 0.0 {
            Ok(Amount::Percent(number))
        } else {
            Err(ThresholdError::ReclaimPercent { signal, value: value.to_owned() })
        };
    }
    let quantity = quantity(signal, value)?;
    if quantity.is_negative() { Err(ThresholdError::ReclaimNegative(signal)) } else { Ok(Amount::Absolute(quantity)) }
}
