//! Quantities: texts, sums, orders.
//!
//! Promises: writing and reading gives the amount back; what is canonical stays; normalizing never changes an amount;
//! sums do not depend on their order; what is added can be taken away; rounding never makes less.

use coracle_api::quantity::{Format, Quantity};

/// Far enough from the largest amount for sums to be exact, in nano-units.
const EXACT: i128 = 10_i128.pow(37);
/// What Kubernetes makes of binary texts that say more, in nano-units.
const BINARY_CAP: i128 = i64::MAX as i128 * 1_000_000_000;

/// Checks one input: up to three texts with blanks between them.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let texts: Vec<&str> = text.splitn(3, ' ').collect();
    let amounts: Vec<Quantity> = texts.iter().filter_map(|text| one(text)).collect();
    if let [a, b, ..] = amounts.as_slice() {
        pair(*a, *b);
    }
    let forth = amounts.iter().fold(Quantity::ZERO, |sum, amount| sum + *amount);
    let back = amounts.iter().rev().fold(Quantity::ZERO, |sum, amount| sum + *amount);
    if amounts.iter().all(|amount| amount.nanos().abs() < EXACT) {
        assert_eq!(forth, back, "the order of a sum matters");
    }
    sum_reads_back(forth);
}

fn one(text: &str) -> Option<Quantity> {
    let amount = text.parse::<Quantity>().ok();
    let Ok(normal) = Quantity::normalize(text) else {
        assert!(amount.is_none(), "{text:?} is read but not normalized");
        return None;
    };
    let amount = amount.unwrap_or_else(|| panic!("{text:?} is normalized but not read"));
    assert_eq!(normal.parse(), Ok(amount), "{text:?} is normalized to {normal:?}");
    let again = Quantity::normalize(&normal).expect("what is normal can be normalized");
    // Whole binary amounts without a suffix (2000, from 1.953125Ki) are read as decimal ones, and written as such, as in Go.
    assert!(again == normal || amount.format() == Format::BinarySi, "{text:?} is {normal:?} and then {again:?}");
    assert_eq!(Quantity::normalize(&again).as_ref(), Ok(&again), "{text:?} is not normal the second time");
    reads_back(amount);
    let rounded = amount.round_up_to_millis();
    assert_eq!(rounded.round_up_to_millis(), rounded);
    assert!(rounded.nanos().abs() >= amount.nanos().abs(), "{amount} is rounded to {rounded}");
    assert_eq!(amount.times(1), amount);
    assert_eq!(amount.times(-1), -amount);
    assert!(amount.is_negative() || amount.value() >= 0);
    let _ = (amount.milli_value(), amount.bytes(), amount.is_whole(), amount.times(i64::MAX), amount.times(i64::MIN));
    Some(amount)
}

fn reads_back(amount: Quantity) {
    let written = amount.to_string();
    let again = written.parse::<Quantity>().unwrap_or_else(|error| panic!("{written:?}: {error}"));
    assert_eq!(again, amount, "{written:?}");
    let rewritten = again.to_string();
    assert!(rewritten == written || amount.format() == Format::BinarySi, "{written} and then {rewritten}");
    assert_eq!(rewritten.parse::<Quantity>().map(|amount| amount.to_string()), Ok(rewritten));
}

/// A sum of binary amounts can be more than a binary text may say.
fn sum_reads_back(amount: Quantity) {
    if amount.format() == Format::BinarySi && amount.nanos().abs() > BINARY_CAP {
        let again = amount.to_string().parse::<Quantity>().expect("what was written can be read");
        assert!(again.nanos().abs() <= BINARY_CAP || again == amount, "{amount}");
    } else {
        reads_back(amount);
    }
}

fn pair(a: Quantity, b: Quantity) {
    assert_eq!(a + b, b + a, "{a} and {b}");
    if a.nanos().abs() < EXACT && b.nanos().abs() < EXACT {
        assert_eq!(a + b - b, a, "{a} and {b}");
        assert_eq!((a - b).is_negative(), a < b, "{a} and {b}");
    }
    assert_eq!(a.max(b), b.max(a));
    assert!(a > b || a.value() <= b.value(), "{a} is not more than {b}, but {} units are", a.value());
    sum_reads_back(a + b);
    sum_reads_back(a - b);
}
