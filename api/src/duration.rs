//! Lengths of time as kubectl writes them.

/// Shown for a moment that is not known.
pub const UNKNOWN: &str = "<unknown>";

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// At most three significant figures: `119s`, `5m3s`, `47h`, `3d2h`, `2y30d` (`duration.HumanDuration`).
pub fn human(seconds: i64) -> String {
    let minutes = seconds / MINUTE;
    let hours = seconds / HOUR;
    match seconds {
        // One second of clock skew is no reason to worry anybody.
        ..-1 => "<invalid>".to_string(),
        -1..0 => "0s".to_string(),
        s if s < 2 * MINUTE => format!("{s}s"),
        s if s < 10 * MINUTE => two(minutes, "m", s % MINUTE, "s"),
        s if s < 3 * HOUR => format!("{minutes}m"),
        s if s < 8 * HOUR => two(hours, "h", minutes % 60, "m"),
        s if s < 2 * DAY => format!("{hours}h"),
        s if s < 8 * DAY => two(hours / 24, "d", hours % 24, "h"),
        s if s < 2 * YEAR => format!("{}d", hours / 24),
        s if s < 8 * YEAR => two(s / YEAR, "y", hours / 24 % 365, "d"),
        s => format!("{}y", s / YEAR),
    }
}

fn two(large: i64, large_unit: &str, small: i64, small_unit: &str) -> String {
    if small == 0 { format!("{large}{large_unit}") } else { format!("{large}{large_unit}{small}{small_unit}") }
}

/// Unix seconds of an RFC 3339 text, if it is one.
pub fn unix_seconds(timestamp: &str) -> Option<i64> {
    timestamp.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
}

/// How long ago an RFC 3339 moment was, as a table cell.
pub fn age(timestamp: Option<&str>, now_seconds: i64) -> String {
    match timestamp.and_then(unix_seconds) {
        Some(then) => human(now_seconds - then),
        None => UNKNOWN.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_figures_at_most() {
        for (seconds, text) in [
            (-2, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (303, "5m3s"),
            (600, "10m"),
            (10_799, "179m"),
            (10_800, "3h"),
            (11_160, "3h6m"),
            (28_800, "8h"),
            (172_799, "47h"),
            (172_800, "2d"),
            (266_400, "3d2h"),
            (8 * DAY, "8d"),
            (729 * DAY, "729d"),
            (2 * YEAR, "2y"),
            (2 * YEAR + 30 * DAY, "2y30d"),
            (9 * YEAR, "9y"),
        ] {
            assert_eq!(human(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn ages() {
        assert_eq!(age(Some("1970-01-01T00:00:10Z"), 15), "5s");
        assert_eq!(age(None, 15), UNKNOWN);
    }
}
