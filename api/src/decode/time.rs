//! RFC 3339 times as Go's `time.Parse` reads them and as metav1 writes them.

use jiff::Timestamp;

/// Go's name for RFC 3339 in error texts.
const LAYOUT: &str = "2006-01-02T15:04:05Z07:00";
/// The same for `MicroTime`.
const MICRO_LAYOUT: &str = "2006-01-02T15:04:05.000000Z07:00";
/// The elements of the layout up to the zone: how many digits, then which separator.
const ELEMENTS: [(&str, usize, &str); 6] =
    [("2006", 4, "-"), ("01", 2, "-"), ("02", 2, "T"), ("15", 2, ":"), ("04", 2, ":"), ("05", 2, "")];

/// `metav1.Time`: UTC, whole seconds.
pub(super) fn normalize_seconds(text: &str) -> Result<String, String> {
    let time = parse(text, LAYOUT)?;
    Ok(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// `metav1.MicroTime`: UTC, six decimals.
pub(super) fn normalize_micros(text: &str) -> Result<String, String> {
    let time = parse(text, MICRO_LAYOUT)?;
    Ok(time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string())
}

/// The first moment of the year 0.
const YEAR_ZERO: Timestamp = Timestamp::constant(-62_167_219_200, 0);
/// Where the seconds stand in a text of the right shape.
const SECOND: usize = 17;

fn parse(text: &str, layout: &str) -> Result<Timestamp, String> {
    if let Some((rest, element)) = first_mismatch(text) {
        return Err(format!("parsing time {text:?} as {layout:?}: cannot parse {rest:?} as {element:?}"));
    }
    let out_of_range = |element: &str| format!("parsing time {text:?}: {element} out of range");
    if number(text, SECOND) > 59 {
        return Err(out_of_range("second"));
    }
    let time: Timestamp = text.parse().map_err(|_| out_of_range(wrong_element(text)))?;
    // East of Greenwich the year 0 begins in a year that RFC 3339 has no digits for.
    if time < YEAR_ZERO { Err(out_of_range("year")) } else { Ok(time) }
}

/// Where the text leaves the shape of RFC 3339: what is left of it, and which element of the layout was next.
fn first_mismatch(text: &str) -> Option<(&str, &'static str)> {
    let mut rest = text;
    for (element, digits, separator) in ELEMENTS {
        let number = rest.get(..digits).filter(|n| n.bytes().all(|b| b.is_ascii_digit()));
        if number.is_none() {
            return Some((rest, element));
        }
        rest = &rest[digits..];
        match rest.strip_prefix(separator) {
            Some(after) => rest = after,
            None => return Some((rest, separator)),
        }
    }
    if let Some(fraction) = rest.strip_prefix('.') {
        let after = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
        if after.len() < fraction.len() {
            rest = after;
        }
    }
    let zone = rest.as_bytes();
    let is_offset = matches!(zone, [b'+' | b'-', h1, h2, b':', m1, m2]
        if [h1, h2, m1, m2].iter().all(|b| b.is_ascii_digit()));
    (rest != "Z" && !is_offset).then_some((rest, "Z07:00"))
}

/// Which element Go would call out of range in a text of the right shape.
fn wrong_element(text: &str) -> &'static str {
    if !(1..=12).contains(&number(text, 5)) {
        "month"
    } else if number(text, 11) > 23 {
        "hour"
    } else if number(text, 14) > 59 {
        "minute"
    } else {
        "day"
    }
}

/// The two digits at a place of a text of the right shape.
fn number(text: &str, at: usize) -> u8 {
    text.get(at..at + 2).and_then(|n| n.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        assert_eq!(normalize_seconds("2024-05-01T12:00:00+02:00").unwrap(), "2024-05-01T10:00:00Z");
        assert_eq!(normalize_seconds("2024-05-01T12:00:00.999Z").unwrap(), "2024-05-01T12:00:00Z");
        assert_eq!(normalize_micros("2024-05-01T12:00:00Z").unwrap(), "2024-05-01T12:00:00.000000Z");
        assert_eq!(normalize_micros("2024-05-01T12:00:00.1234567Z").unwrap(), "2024-05-01T12:00:00.123456Z");
    }

    #[test]
    fn errors_are_those_of_go() {
        assert_eq!(
            normalize_seconds("yesterday").unwrap_err(),
            r#"parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006""#
        );
        assert_eq!(
            normalize_seconds("2024-05-01").unwrap_err(),
            r#"parsing time "2024-05-01" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "T""#
        );
        assert_eq!(
            normalize_seconds("2024-13-01T00:00:00Z").unwrap_err(),
            r#"parsing time "2024-13-01T00:00:00Z": month out of range"#
        );
        assert_eq!(
            normalize_seconds("2024-12-31T23:59:60Z").unwrap_err(),
            r#"parsing time "2024-12-31T23:59:60Z": second out of range"#
        );
        assert_eq!(
            normalize_micros("0000-01-01T00:00:00+02:00").unwrap_err(),
            r#"parsing time "0000-01-01T00:00:00+02:00": year out of range"#
        );
        assert_eq!(normalize_seconds("0000-01-01T00:00:00Z").unwrap(), "0000-01-01T00:00:00Z");
        assert_eq!(
            normalize_seconds("2024-05-01T00:00:00").unwrap_err(),
            r#"parsing time "2024-05-01T00:00:00" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "Z07:00""#
        );
    }
}
