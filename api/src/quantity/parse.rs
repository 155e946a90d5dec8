//! Reading a quantity from text.

use super::{Format, LIMIT, NANO, ParseQuantityError, Quantity};

/// Significant digits kept; what follows only decides whether to round up. As many as the largest amount has: what a sum came
/// to must read back.
const DIGITS_DECIMAL: usize = 38;
/// The same for binary suffixes: with the largest factor (2^60) and the nano scale they stay within `i128`.
const DIGITS_BINARY: usize = 19;
/// The cap that apimachinery puts on binary amounts, in nano-units.
const BINARY_CAP_NANOS: i128 = i64::MAX as i128 * NANO;
/// Digits a Go int64 is sure to hold: the limit of apimachinery's fast path, which decides what text is kept.
const FAST_DIGITS: usize = 18;

/// A parsed quantity, and whether the API server would hand back the text unchanged.
pub(super) struct Parsed {
    pub(super) quantity: Quantity,
    pub(super) keep_text: bool,
}

struct Parts<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    suffix: &'a str,
}

#[derive(Clone, Copy)]
enum Scale {
    /// Power of ten.
    Ten(i32, Format),
    /// Power of two.
    Two(u32),
}

pub(super) fn parse(text: &str) -> Result<Parsed, ParseQuantityError> {
    if text.is_empty() {
        return Err(ParseQuantityError::Format);
    }
    let parts = split(text)?;
    let scale = interpret(parts.suffix).ok_or(ParseQuantityError::Suffix)?;
    let digits = format!("{}{}", parts.whole, parts.fraction);
    let shift = i32::try_from(parts.fraction.len()).map_err(|_| ParseQuantityError::Numeric)?;
    let (magnitude, format) = match scale {
        Scale::Ten(exponent, format) => {
            (scaled(&digits, DIGITS_DECIMAL, exponent.saturating_sub(shift).saturating_add(9), 1), format)
        }
        Scale::Two(exponent) => {
            let nanos = scaled(&digits, DIGITS_BINARY, 9 - shift, 1_i128 << exponent).min(BINARY_CAP_NANOS);
            // A binary amount below one is written with decimal suffixes, which need no rounding.
            (nanos, if nanos > 0 && nanos < NANO { Format::DecimalSi } else { Format::BinarySi })
        }
    };
    let nanos = if parts.negative { -magnitude } else { magnitude };
    let keep_text = text == "0" || keeps_text(&parts, &digits, scale, shift);
    Ok(Parsed { quantity: Quantity { nanos, format }, keep_text })
}

/// Splits into sign, digits, fraction and suffix, and checks the shape of the suffix.
fn split(text: &str) -> Result<Parts<'_>, ParseQuantityError> {
    let (negative, rest) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, rest) = take_digits(rest);
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(rest) => take_digits(rest),
        None => ("", rest),
    };
    let letters = suffix.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
    let exponent = letters.strip_prefix(['+', '-']).unwrap_or(letters);
    let (_, beyond) = take_digits(exponent);
    let has_number = text.bytes().any(|b| b.is_ascii_digit() || b == b'.');
    if !beyond.is_empty() || !has_number {
        return Err(ParseQuantityError::Format);
    }
    let whole = whole.trim_start_matches('0');
    Ok(Parts { negative, whole: if whole.is_empty() { "0" } else { whole }, fraction, suffix })
}

fn take_digits(text: &str) -> (&str, &str) {
    let end = text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

fn interpret(suffix: &str) -> Option<Scale> {
    if let Some(position) = super::DECIMAL.iter().position(|s| *s == suffix) {
        return Some(Scale::Ten(i32::try_from(position).ok()? * 3 - 9, Format::DecimalSi));
    }
    if let Some(position) = super::BINARY.iter().position(|s| *s == suffix) {
        return Some(Scale::Two(u32::try_from(position).ok()? * 10));
    }
    let exponent = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    Some(Scale::Ten(exponent, Format::DecimalExponent))
}

/// `digits * factor * 10^exponent`, fractions rounded up, held at the largest amount.
fn scaled(digits: &str, keep: usize, exponent: i32, factor: i128) -> i128 {
    let digits = digits.trim_start_matches('0');
    let kept = &digits[..digits.len().min(keep)];
    let dropped = &digits[kept.len()..];
    let sticky = i128::from(dropped.bytes().any(|b| b != b'0'));
    let exponent = i64::from(exponent) + i64::try_from(dropped.len()).unwrap_or(i64::MAX / 2);
    let mut amount = kept.parse::<i128>().unwrap_or(0).saturating_mul(factor);
    if amount == 0 {
        return sticky;
    }
    for _ in 0..exponent.clamp(0, 40) {
        amount = amount.saturating_mul(10);
    }
    let mut rounds = i128::from(exponent >= 0) * sticky;
    for _ in 0..(-exponent).clamp(0, 60) {
        rounds |= i128::from(amount % 10 != 0);
        amount /= 10;
    }
    rounds |= i128::from(exponent < 0) * sticky;
    amount.saturating_add(rounds).min(LIMIT)
}

/// The API server keeps a text that its fast path takes for canonical, which is a little more than canonical is.
fn keeps_text(parts: &Parts<'_>, digits: &str, scale: Scale, shift: i32) -> bool {
    match scale {
        Scale::Ten(exponent, _) => {
            let scale = exponent.saturating_sub(shift);
            digits.len() <= FAST_DIGITS
                && scale >= -9
                && scale % 3 == 0
                && !digits.ends_with("000")
                && !digits.starts_with('0')
        }
        Scale::Two(exponent) => {
            let digits_left = 14 - i64::try_from(digits.len()).unwrap_or(i64::MAX / 2) - i64::from(exponent * 3 / 10);
            let low_bits = digits.parse::<i64>().unwrap_or(0) & 7;
            parts.fraction.is_empty() && digits_left >= 0 && low_bits != 0
        }
    }
}
