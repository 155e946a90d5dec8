//! Durations as Go writes and reads them (`1m30s`), which is how flags and messages have them.

use std::time::Duration;

/// Units, in nanoseconds.
const UNITS: [(&str, f64); 7] =
    [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)];
/// What Go's `int64` of nanoseconds holds.
const MAX_NANOS: f64 = 9.2e18;

/// Why a text is no duration: Go's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("time: invalid duration {0:?}")]
pub struct DurationError(pub String);

/// Reads `1h2m`, `1.5s`, `0`. A negative one comes as None.
///
/// # Errors
/// When the text is no duration.
pub fn parse(text: &str) -> Result<Option<Duration>, DurationError> {
    let invalid = || DurationError(text.to_owned());
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let nanos = if rest == "0" { 0.0 } else { sum(rest).ok_or_else(invalid)? };
    if nanos > MAX_NANOS {
        return Err(invalid());
    }
    Ok((!negative || nanos == 0.0).then(|| Duration::from_nanos(nanos as u64)))
}

fn sum(mut rest: &str) -> Option<f64> {
    let mut nanos = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|at| *at > 0)?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit_end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let (_, factor) = UNITS.iter().find(|(unit, _)| *unit == &rest[..unit_end])?;
        nanos += number * factor;
        rest = &rest[unit_end..];
    }
    Some(nanos)
}

/// Writes a duration, in whole milliseconds: `12ms`, `1.25s`, `5m0s`.
pub fn show(duration: Duration) -> String {
    let millis = duration.as_millis();
    let (minutes, rest) = (millis / 60_000, millis % 60_000);
    let fraction = format!("{}.{:03}", rest / 1000, rest % 1000);
    let seconds = fraction.trim_end_matches('0').trim_end_matches('.');
    match (minutes, millis) {
        (_, 0) => "0s".to_owned(),
        (_, 1..=999) => format!("{millis}ms"),
        (0, _) => format!("{seconds}s"),
        _ if minutes >= 60 => format!("{}h{}m{seconds}s", minutes / 60, minutes % 60),
        _ => format!("{minutes}m{seconds}s"),
    }
}

/// The duration as a flag takes it; None below zero or without sense, with Go's words.
///
/// # Errors
/// When the text is no duration, or a negative one.
pub fn flag(text: &str) -> Result<Duration, String> {
    match parse(text) {
        Ok(Some(duration)) => Ok(duration),
        Ok(None) => Err(format!("invalid duration {text:?}: must not be negative")),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_look_like_gos() {
        let shown = |millis| show(Duration::from_millis(millis));
        assert_eq!([shown(0), shown(12), shown(1000), shown(1250)], ["0s", "12ms", "1s", "1.25s"]);
        assert_eq!([shown(62_500), shown(3_600_000)], ["1m2.5s", "1h0m0s"]);
        assert_eq!([10, 80, 300].map(|seconds| shown(seconds * 1000)), ["10s", "1m20s", "5m0s"]);
    }

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, millis) in
            [("0", 0), ("0s", 0), ("1m30s", 90_000), ("1.5s", 1500), ("2h", 7_200_000), ("+250ms", 250), (".5s", 500)]
        {
            assert_eq!(parse(text), Ok(Some(Duration::from_millis(millis))), "{text}");
        }
        assert_eq!(parse("-5s"), Ok(None));
        for text in ["", "5", "s", "1x", "1m s", "1..5s", "-", "99999999h", "1ss"] {
            assert_eq!(parse(text).unwrap_err().to_string(), format!("time: invalid duration {text:?}"));
        }
    }
}
