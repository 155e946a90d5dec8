//! What a schedule may look like: five fields or a descriptor, as `github.com/robfig/cron` reads them.

/// Names, lowest and highest number of a field.
struct Field {
    low: u32,
    high: u32,
    names: &'static [&'static str],
}

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const FIELDS: [Field; 5] = [
    Field { low: 0, high: 59, names: &[] },
    Field { low: 0, high: 23, names: &[] },
    Field { low: 1, high: 31, names: &[] },
    Field { low: 1, high: 12, names: MONTHS },
    Field { low: 0, high: 6, names: DAYS },
];
const DESCRIPTORS: [&str; 7] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

/// Whether the schedule starts with `TZ=` or `CRON_TZ=`.
pub(super) fn names_a_zone(schedule: &str) -> bool {
    schedule.contains("TZ")
}

/// Why the schedule cannot be read, in the library's words.
pub(super) fn error(schedule: &str) -> Option<String> {
    let mut rest = schedule;
    if let Some(zoned) = schedule.strip_prefix("CRON_TZ=").or_else(|| schedule.strip_prefix("TZ=")) {
        let (zone, after) = zoned.split_once(' ').unwrap_or((zoned, ""));
        if !is_time_zone(zone) {
            return Some(format!("provided bad location {zone}: unknown time zone {zone}"));
        }
        rest = after.trim();
    }
    if rest.is_empty() {
        return Some("empty spec string".into());
    }
    if rest.starts_with('@') {
        return descriptor_error(rest);
    }
    let fields: Vec<&str> = rest.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Some(format!("expected exactly 5 fields, found {}: [{}]", fields.len(), fields.join(" ")));
    }
    fields.iter().zip(&FIELDS).find_map(|(text, field)| text.split(',').find_map(|range| range_error(range, field)))
}

fn descriptor_error(descriptor: &str) -> Option<String> {
    if DESCRIPTORS.contains(&descriptor) {
        return None;
    }
    match descriptor.strip_prefix("@every ") {
        Some(duration) if is_duration(duration) => None,
        Some(duration) => Some(format!("failed to parse duration {descriptor}: time: invalid duration \"{duration}\"")),
        None => Some(format!("unrecognized descriptor: {descriptor}")),
    }
}

/// `1h30m`, as Go writes durations.
fn is_duration(text: &str) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let after = &rest[digits..];
        let unit = ["ns", "us", "µs", "ms", "h", "m", "s"].into_iter().find(|unit| after.starts_with(unit));
        match unit {
            Some(unit) if digits > 0 => rest = &after[unit.len()..],
            _ => return false,
        }
    }
    !text.is_empty()
}

/// `*`, `*/5`, `1-5`, `1-5/2`, `mon`
fn range_error(text: &str, field: &Field) -> Option<String> {
    let (range, step) = match text.split('/').collect::<Vec<_>>().as_slice() {
        [range] => (*range, None),
        [range, step] => (*range, Some(*step)),
        _ => return Some(format!("too many slashes: {text}")),
    };
    let bounds: Vec<&str> = range.split('-').collect();
    let (start, mut end) = match bounds.as_slice() {
        ["*" | "?"] => (field.low, field.high),
        [one] => match number(one, field) {
            Ok(value) => (value, value),
            Err(error) => return Some(error),
        },
        [low, high] => match (number(low, field), number(high, field)) {
            (Ok(low), Ok(high)) => (low, high),
            (Err(error), _) | (_, Err(error)) => return Some(error),
        },
        _ => return Some(format!("too many hyphens: {text}")),
    };
    if let Some(step) = step {
        match plain_number(step) {
            Err(error) => return Some(error),
            Ok(0) => return Some(format!("step of range should be a positive number: {text}")),
            Ok(_) if bounds.len() == 1 => end = field.high.max(end),
            Ok(_) => {}
        }
    }
    if start < field.low {
        return Some(format!("beginning of range ({start}) below minimum ({}): {text}", field.low));
    }
    if end > field.high {
        return Some(format!("end of range ({end}) above maximum ({}): {text}", field.high));
    }
    (start > end).then(|| format!("beginning of range ({start}) beyond end of range ({end}): {text}"))
}

fn number(text: &str, field: &Field) -> Result<u32, String> {
    match field.names.iter().zip(field.low..).find(|(name, _)| **name == text.to_lowercase()) {
        Some((_, value)) => Ok(value),
        None => plain_number(text),
    }
}

fn plain_number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| match text.strip_prefix('-') {
        Some(_) => format!("negative number ({text}) not allowed: {text}"),
        None => {
            format!("failed to parse int from {text}: strconv.Atoi: parsing \"{text}\": invalid syntax")
        }
    })
}

/// Whether the name is one of the IANA time zone database, which comes with the program.
pub(super) fn is_time_zone(name: &str) -> bool {
    name == "UTC" || jiff::tz::TimeZoneDatabase::bundled().get(name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_that_run() {
        for good in ["* * * * *", "*/5 0-6,12 1 jan-mar mon", "@hourly", "@every 1h30m", "0 0 1 1 ?", "5/15 * * * SUN"]
        {
            assert_eq!(error(good), None, "{good}");
        }
        assert_eq!(error("TZ=Europe/Zurich 0 0 * * *"), None);
    }

    #[test]
    fn schedules_that_do_not() {
        for (bad, text) in [
            ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
            ("61 * * * *", "end of range (61) above maximum (59): 61"),
            ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
            ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
            ("a * * * *", "failed to parse int from a: strconv.Atoi: parsing \"a\": invalid syntax"),
            ("*/0 * * * *", "step of range should be a positive number: */0"),
            ("1/2/3 * * * *", "too many slashes: 1/2/3"),
            ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
            ("@sometimes", "unrecognized descriptor: @sometimes"),
            ("@every x", "failed to parse duration @every x: time: invalid duration \"x\""),
        ] {
            assert_eq!(error(bad).as_deref(), Some(text), "{bad}");
        }
    }

    #[test]
    fn time_zones() {
        assert!(is_time_zone("America/New_York") && is_time_zone("UTC"));
        assert!(!is_time_zone("Mars/Olympus"));
    }
}
