//! Timestamps and durations.

use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, Zoned};

use super::super::cost::CostRule;
use super::super::error::EvalError;
use super::super::function::{Overload, mismatch};
use super::super::types::Sig;
use super::super::value::Value;

type Result<'a> = std::result::Result<Value<'a>, EvalError>;

macro_rules! parts {
    ($($name:literal => $part:expr),* $(,)?) => {
        &[
            Overload::global("timestamp", &[Sig::String], Sig::Timestamp, to_timestamp).costs(CostRule::One),
            Overload::global("timestamp", &[Sig::Int], Sig::Timestamp, to_timestamp),
            Overload::global("timestamp", &[Sig::Timestamp], Sig::Timestamp, to_timestamp),
            Overload::global("duration", &[Sig::String], Sig::Duration, to_duration),
            Overload::global("duration", &[Sig::Int], Sig::Duration, to_duration),
            Overload::global("duration", &[Sig::Duration], Sig::Duration, to_duration),
            $(
                Overload::method($name, &[Sig::Timestamp], Sig::Int, |args| part(args, $part)),
                Overload::method($name, &[Sig::Timestamp, Sig::String], Sig::Int, |args| part(args, $part)),
            )*
            Overload::method("getHours", &[Sig::Duration], Sig::Int, |args| whole(args, 3_600_000_000_000)),
            Overload::method("getMinutes", &[Sig::Duration], Sig::Int, |args| whole(args, 60_000_000_000)),
            Overload::method("getSeconds", &[Sig::Duration], Sig::Int, |args| whole(args, 1_000_000_000)),
            Overload::method("getMilliseconds", &[Sig::Duration], Sig::Int, |args| whole(args, 1_000_000)),
        ]
    };
}

pub(super) const FUNCTIONS: &[Overload] = parts! {
    "getFullYear" => |t| i64::from(t.year()),
    "getMonth" => |t| i64::from(t.month()) - 1,
    "getDayOfYear" => |t| i64::from(t.day_of_year()) - 1,
    "getDayOfMonth" => |t| i64::from(t.day()) - 1,
    "getDate" => |t| i64::from(t.day()),
    "getDayOfWeek" => |t| i64::from(t.weekday().to_sunday_zero_offset()),
    "getHours" => |t| i64::from(t.hour()),
    "getMinutes" => |t| i64::from(t.minute()),
    "getSeconds" => |t| i64::from(t.second()),
    "getMilliseconds" => |t| i64::from(t.millisecond()),
};

fn to_timestamp<'a>(args: &[Value<'a>]) -> Result<'a> {
    match &args[0] {
        value @ Value::Timestamp(_) => Ok(value.clone()),
        Value::Int(seconds) => {
            let moment = Timestamp::from_second(*seconds).map(Moment::utc);
            moment.map(Value::Timestamp).map_err(|_| EvalError::other("timestamp overflow"))
        }
        Value::String(text) => {
            let error = || {
                EvalError::other(format!(
                    "type conversion error from 'string' to 'google.protobuf.Timestamp': {text:?}"
                ))
            };
            moment(text).map(Value::Timestamp).ok_or_else(error)
        }
        _ => mismatch(),
    }
}

fn to_duration<'a>(args: &[Value<'a>]) -> Result<'a> {
    match &args[0] {
        value @ Value::Duration(_) => Ok(value.clone()),
        Value::Int(nanoseconds) => Ok(Value::Duration(SignedDuration::from_nanos(*nanoseconds))),
        Value::String(text) => {
            let error = || EvalError::other(format!("time: invalid duration {text:?}"));
            go_duration(text).map(Value::Duration).ok_or_else(error)
        }
        _ => mismatch(),
    }
}

fn part<'a>(args: &[Value<'a>], read: fn(&Zoned) -> i64) -> Result<'a> {
    let Value::Timestamp(moment) = &args[0] else { return mismatch() };
    let zone = match args.get(1).and_then(Value::as_str) {
        None => TimeZone::UTC,
        Some(name) => zone(name).ok_or_else(|| EvalError::other(format!("unknown time zone {name}")))?,
    };
    Ok(Value::Int(read(&moment.at.to_zoned(zone))))
}

/// `UTC`, a name of the tz database, or an offset such as `-08:00`.
fn zone(name: &str) -> Option<TimeZone> {
    if name.is_empty() || name == "UTC" {
        return Some(TimeZone::UTC);
    }
    if !name.contains(':') {
        return TimeZone::get(name).ok();
    }
    offset(name).map(TimeZone::fixed)
}

fn whole<'a>(args: &[Value<'a>], nanos: i128) -> Result<'a> {
    match &args[0] {
        Value::Duration(duration) => Ok(Value::Int(i64::try_from(duration.as_nanos() / nanos).unwrap_or(i64::MAX))),
        _ => mismatch(),
    }
}

/// A moment, and how far from UTC the clock was that it was read from. That is seen only when it becomes a text again.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub(super) at: Timestamp,
    offset: Offset,
}

impl Moment {
    pub(super) fn utc(at: Timestamp) -> Self {
        Self { at, offset: Offset::UTC }
    }

    /// The moment that much later, by the same clock.
    pub(super) fn plus(self, duration: SignedDuration) -> Option<Self> {
        Some(Self { at: self.at.checked_add(duration).ok()?, ..self })
    }
}

impl PartialEq for Moment {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Moment {}

impl PartialOrd for Moment {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Moment {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

impl std::fmt::Display for Moment {
    /// RFC 3339.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.offset == Offset::UTC {
            return write!(f, "{}", self.at);
        }
        let seconds = self.offset.seconds();
        let sign = if seconds < 0 { '-' } else { '+' };
        let minutes = seconds.abs() / 60;
        write!(f, "{}{sign}{:02}:{:02}", self.offset.to_datetime(self.at), minutes / 60, minutes % 60)
    }
}

/// RFC 3339.
fn moment(text: &str) -> Option<Moment> {
    let at: Timestamp = text.parse().ok()?;
    let tail = text.len().checked_sub(6).and_then(|at| text.get(at..)).filter(|tail| tail.starts_with(['+', '-']));
    let offset = tail.and_then(offset).unwrap_or(Offset::UTC);
    Some(Moment { at, offset })
}

/// `+01:00`
fn offset(text: &str) -> Option<Offset> {
    let (hours, minutes) = text.split_once(':')?;
    let (sign, hours) = match hours.strip_prefix('-') {
        Some(hours) => (-1, hours),
        None => (1, hours.strip_prefix('+').unwrap_or(hours)),
    };
    let seconds =
        hours.parse::<i32>().ok()?.checked_mul(3600)?.checked_add(minutes.parse::<i32>().ok()?.checked_mul(60)?)?;
    Offset::from_seconds(sign * seconds).ok()
}

/// A `date-time` (RFC 3339) or a `date`, which means its midnight in UTC.
pub(crate) fn parse_moment(text: &str) -> Option<Moment> {
    if text.len() == 10 { moment(&format!("{text}T00:00:00Z")) } else { moment(text) }
}

/// The same, whatever clock it was read from.
pub(crate) fn parse_timestamp(text: &str) -> Option<Timestamp> {
    parse_moment(text).map(|moment| moment.at)
}

/// A duration as Go writes it (`1h30m`), or in words as go-openapi's `strfmt` also accepts them (`3 days`).
pub(crate) fn parse_duration(text: &str) -> Option<SignedDuration> {
    go_duration(text).or_else(|| worded(text))
}

/// Nanoseconds of the units of Go's `time.ParseDuration`.
const UNITS: [(&str, i64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

fn go_duration(text: &str) -> Option<SignedDuration> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(SignedDuration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0_i128;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(end);
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let (_, nanos) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(amount(number, *nanos)?)?;
        rest = tail;
    }
    let total = i64::try_from(if negative { -total } else { total }).ok()?;
    Some(SignedDuration::from_nanos(total))
}

fn amount(number: &str, nanos: i64) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse::<i64>().ok()?.into() };
    let mut total = whole * i128::from(nanos);
    let mut unit = i128::from(nanos);
    for digit in fraction.chars() {
        // Digits below a nanosecond vanish.
        unit /= 10;
        total += i128::from(digit.to_digit(10)?) * unit;
    }
    Some(total)
}

/// `3 days`, `2 weeks 1 hr`: numbers with words.
fn worded(text: &str) -> Option<SignedDuration> {
    let mut total = 0_i64;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: i64 = rest[..end].parse().ok()?;
        let tail = rest[end..].trim_start();
        let unit_end = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let nanos: i64 = match tail[..unit_end].trim_end_matches('s') {
            "nano" | "nanosecond" => 1,
            "micro" | "microsecond" => 1_000,
            "milli" | "millisecond" => 1_000_000,
            "sec" | "second" => 1_000_000_000,
            "min" | "minute" => 60_000_000_000,
            "hr" | "hour" => 3_600_000_000_000,
            "d" | "day" => 86_400_000_000_000,
            "w" | "wk" | "week" => 604_800_000_000_000,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(nanos)?)?;
        rest = tail[unit_end..].trim_start();
    }
    Some(SignedDuration::from_nanos(total))
}

/// A duration as CEL prints it: seconds with their fraction.
pub(super) fn duration_text(duration: SignedDuration) -> String {
    let nanos = duration.as_nanos();
    let sign = if nanos < 0 { "-" } else { "" };
    let (seconds, fraction) = (nanos.unsigned_abs() / 1_000_000_000, nanos.unsigned_abs() % 1_000_000_000);
    if fraction == 0 {
        return format!("{sign}{seconds}s");
    }
    format!("{sign}{seconds}.{}s", format!("{fraction:09}").trim_end_matches('0'))
}
