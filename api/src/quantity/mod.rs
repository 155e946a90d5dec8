//! Resource quantities: `250m`, `1.5Gi`, `3e6`, as `k8s.io/apimachinery/pkg/api/resource` reads and writes them.
//!
//! A quantity is a whole number of billionths (nano-units) and the notation it was written in; there are no floats.
//!
//! Invariant: printing and parsing again gives the same amount (but for sums in binary notation beyond what a binary text may
//! say, 2^63 - 1 units, as upstream). Amounts saturate at 1e29 units, far above
//! anything a cluster can count.

mod parse;

use std::cmp::Ordering;
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use std::str::FromStr;

use serde_json::{Map, Value};

/// Nano-units in one unit.
const NANO: i128 = 1_000_000_000;
/// Nano-units in a thousandth.
const MILLI: i128 = 1_000_000;
/// The largest amount, in nano-units: sums and absurd texts stop here. A round number, so that it prints exactly.
const LIMIT: i128 = 10_i128.pow(38);
/// Suffixes of powers of 1000, from nano on.
const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
/// Suffixes of powers of 1024.
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/// Why a text is not a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseQuantityError {
    /// The text has the wrong shape.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// The number is out of reach.
    #[error("unable to parse numeric part of quantity")]
    Numeric,
    /// The suffix is none that exists.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

/// The notation a quantity is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Format {
    /// `12e6`
    DecimalExponent,
    /// `12Mi`
    BinarySi,
    /// `12M`
    #[default]
    DecimalSi,
}

/// An amount with its notation. Comparison and equality look at the amount only.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quantity {
    nanos: i128,
    format: Format,
}

impl Quantity {
    /// Nothing, in decimal notation.
    pub const ZERO: Self = Self { nanos: 0, format: Format::DecimalSi };

    /// So many whole units.
    pub const fn from_units(units: i64, format: Format) -> Self {
        Self { nanos: units as i128 * NANO, format }
    }

    /// So many thousandths, such as millicores.
    pub const fn from_millis(millis: i64) -> Self {
        Self { nanos: millis as i128 * MILLI, format: Format::DecimalSi }
    }

    /// So many bytes, printed with binary suffixes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self { nanos: bytes as i128 * NANO, format: Format::BinarySi }
    }

    /// The notation.
    pub fn format(self) -> Format {
        self.format
    }

    /// Whole units, fractions rounded away from zero (`Value()` in Go), held within `i64`.
    pub fn value(self) -> i64 {
        clamp(round_away(self.nanos, NANO))
    }

    /// Thousandths, rounded away from zero (`MilliValue()` in Go), held within `i64`.
    pub fn milli_value(self) -> i64 {
        clamp(round_away(self.nanos, MILLI))
    }

    /// The amount as a number of bytes: whole units, 0 when negative.
    pub fn bytes(self) -> u64 {
        self.value().max(0).unsigned_abs()
    }

    /// Billionths, exactly.
    pub fn nanos(self) -> i128 {
        self.nanos
    }

    /// Whether the amount is zero.
    pub fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// Whether the amount is below zero.
    pub fn is_negative(self) -> bool {
        self.nanos < 0
    }

    /// Whether the amount is a whole number of units.
    pub fn is_whole(self) -> bool {
        self.nanos % NANO == 0
    }

    /// Rounded away from zero to whole thousandths: what the API server does to every resource list.
    pub fn round_up_to_millis(self) -> Self {
        Self { nanos: bounded(round_away(self.nanos, MILLI).saturating_mul(MILLI)), ..self }
    }

    /// The amount so many times.
    pub fn times(self, factor: i64) -> Self {
        Self { nanos: bounded(self.nanos.saturating_mul(i128::from(factor))), ..self }
    }

    /// The larger of two.
    pub fn max(self, other: Self) -> Self {
        if other.nanos > self.nanos { other } else { self }
    }

    /// The text as the API server hands it back: a text that is (nearly) canonical is kept, others are rewritten.
    ///
    /// # Errors
    /// When the text is not a quantity.
    pub fn normalize(text: &str) -> Result<String, ParseQuantityError> {
        let parsed = parse::parse(text)?;
        Ok(if parsed.keep_text { text.to_string() } else { parsed.quantity.to_string() })
    }

    /// The quantity in a JSON value, which may be a string or a number.
    pub fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => text.parse().ok(),
            Value::Number(number) => number.to_string().parse().ok(),
            _ => None,
        }
    }

    /// The quantity under `name` in a resource list, zero when absent.
    pub fn in_list(list: Option<&Map<String, Value>>, name: &str) -> Self {
        list.and_then(|l| l.get(name)).and_then(Self::from_value).unwrap_or_default()
    }
}

fn clamp(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

fn bounded(nanos: i128) -> i128 {
    nanos.clamp(-LIMIT, LIMIT)
}

/// Division that rounds away from zero: if you ask for some, you get some.
fn round_away(value: i128, divisor: i128) -> i128 {
    let quotient = value / divisor;
    if value % divisor == 0 { quotient } else { quotient + value.signum() }
}

impl FromStr for Quantity {
    type Err = ParseQuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(parse::parse(text)?.quantity)
    }
}

impl From<&k8s_openapi::apimachinery::pkg::api::resource::Quantity> for Quantity {
    /// A text that is no quantity counts as zero; objects have been validated by the time this is used.
    fn from(wire: &k8s_openapi::apimachinery::pkg::api::resource::Quantity) -> Self {
        wire.0.parse().unwrap_or_default()
    }
}

impl From<Quantity> for k8s_openapi::apimachinery::pkg::api::resource::Quantity {
    fn from(quantity: Quantity) -> Self {
        Self(quantity.to_string())
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = self.nanos / NANO;
        let binary = self.format == Format::BinarySi && self.is_whole() && units.unsigned_abs() >= 1024;
        match self.format {
            _ if self.nanos == 0 => f.write_str("0"),
            Format::BinarySi if binary => write_binary(f, units),
            format => write_decimal(f, self.nanos, format == Format::DecimalExponent),
        }
    }
}

fn write_binary(f: &mut fmt::Formatter<'_>, mut units: i128) -> fmt::Result {
    let mut power = 0;
    while units % 1024 == 0 && power + 1 < BINARY.len() {
        units /= 1024;
        power += 1;
    }
    write!(f, "{units}{}", BINARY[power])
}

fn write_decimal(f: &mut fmt::Formatter<'_>, nanos: i128, exponent_notation: bool) -> fmt::Result {
    let mut number = nanos;
    let mut exponent = -9_i32;
    while number % 1000 == 0 {
        number /= 1000;
        exponent += 3;
    }
    if exponent_notation {
        return if exponent == 0 { write!(f, "{number}") } else { write!(f, "{number}e{exponent}") };
    }
    match DECIMAL.get(usize::try_from(exponent / 3 + 3).unwrap_or(usize::MAX)) {
        Some(suffix) => write!(f, "{number}{suffix}"),
        None => write!(f, "{number}e{exponent}"),
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl Add for Quantity {
    type Output = Self;

    /// Zero takes over the notation of what is added to it.
    fn add(self, other: Self) -> Self {
        let format = if self.is_zero() { other.format } else { self.format };
        Self { nanos: bounded(self.nanos.saturating_add(other.nanos)), format }
    }
}

impl AddAssign for Quantity {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Quantity {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl SubAssign for Quantity {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Neg for Quantity {
    type Output = Self;

    fn neg(self) -> Self {
        Self { nanos: self.nanos.saturating_neg(), ..self }
    }
}

impl Sum for Quantity {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests;
