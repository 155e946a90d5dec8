//! Kubernetes' semantic version library (semver 2.0.0).

use std::cmp::Ordering;
use std::fmt;

use super::super::cost::CostRule;
use super::super::error::EvalError;
use super::super::function::{Overload, mismatch};
use super::super::types::{Opaque, Sig};
use super::super::value::Value;

type Result<'a> = std::result::Result<Value<'a>, EvalError>;

const TEXT: Sig = Sig::String;
const SEMVER: Sig = Sig::Opaque(Opaque::Semver);

pub(super) const FUNCTIONS: &[Overload] = &[
    Overload::global("semver", &[TEXT], SEMVER, parse).costs(CostRule::Scan(0)),
    Overload::global("semver", &[TEXT, Sig::Bool], SEMVER, parse).costs(CostRule::Scan(0)),
    Overload::global("isSemver", &[TEXT], Sig::Bool, |args| Ok(Value::Bool(parse(args).is_ok())))
        .costs(CostRule::Scan(0)),
    Overload::global("isSemver", &[TEXT, Sig::Bool], Sig::Bool, |args| Ok(Value::Bool(parse(args).is_ok())))
        .costs(CostRule::Scan(0)),
    Overload::method("major", &[SEMVER], Sig::Int, |args| number(args, 0)),
    Overload::method("minor", &[SEMVER], Sig::Int, |args| number(args, 1)),
    Overload::method("patch", &[SEMVER], Sig::Int, |args| number(args, 2)),
    Overload::method("isGreaterThan", &[SEMVER, SEMVER], Sig::Bool, |args| two(args, |o| Value::Bool(o.is_gt()))),
    Overload::method("isLessThan", &[SEMVER, SEMVER], Sig::Bool, |args| two(args, |o| Value::Bool(o.is_lt()))),
    Overload::method("compareTo", &[SEMVER, SEMVER], Sig::Int, |args| two(args, |o| Value::Int(o as i64))),
];

/// A semantic version. Build metadata does not take part in comparisons.
#[derive(Debug, Clone)]
pub struct Semver {
    numbers: [u64; 3],
    pre: Vec<String>,
    build: String,
}

impl PartialEq for Semver {
    fn eq(&self, other: &Self) -> bool {
        self.order(other).is_eq()
    }
}

impl fmt::Display for Semver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        if !self.pre.is_empty() {
            write!(f, "-{}", self.pre.join("."))?;
        }
        if self.build.is_empty() { Ok(()) } else { write!(f, "+{}", self.build) }
    }
}

impl Semver {
    /// Reads a version. `normalize` also takes `v1.2`, `1` and `01.2.3`.
    fn read(text: &str, normalize: bool) -> Option<Self> {
        let text = if normalize { text.strip_prefix('v').unwrap_or(text) } else { text };
        let (rest, build) = text.split_once('+').unwrap_or((text, ""));
        let (core, pre) = rest.split_once('-').map_or((rest, None), |(core, pre)| (core, Some(pre)));
        let mut parts: Vec<&str> = core.split('.').collect();
        while normalize && parts.len() < 3 {
            parts.push("0");
        }
        let numbers: Vec<u64> = parts.iter().map(|part| numeric(part, normalize)).collect::<Option<_>>()?;
        let pre: Vec<String> = pre.map(|pre| pre.split('.').map(str::to_string).collect()).unwrap_or_default();
        let identifier = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let leading_zero =
            |part: &String| part.len() > 1 && part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit());
        let fine = pre.iter().all(|part| identifier(part) && !leading_zero(part))
            && (!text.contains('+') || build.split('.').all(identifier));
        fine.then_some(Self { numbers: numbers.try_into().ok()?, pre, build: build.into() })
    }

    fn order(&self, other: &Self) -> Ordering {
        let pre = match (self.pre.is_empty(), other.pre.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => {
                let pairs = self.pre.iter().zip(&other.pre).map(|(a, b)| identifiers(a, b));
                pairs.fold(Ordering::Equal, Ordering::then).then(self.pre.len().cmp(&other.pre.len()))
            }
        };
        self.numbers.cmp(&other.numbers).then(pre)
    }
}

fn identifiers(a: &str, b: &str) -> Ordering {
    match (a.parse::<u64>(), b.parse::<u64>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => a.cmp(b),
    }
}

fn numeric(part: &str, normalize: bool) -> Option<u64> {
    let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let zeros = part.len() > 1 && part.starts_with('0');
    if digits && (normalize || !zeros) { part.parse().ok() } else { None }
}

fn parse<'a>(args: &[Value<'a>]) -> Result<'a> {
    let Some(text) = args[0].as_str() else { return mismatch() };
    let normalize = args.get(1).and_then(Value::as_bool).unwrap_or(false);
    match Semver::read(text, normalize) {
        Some(version) => Ok(Value::Semver(version.into())),
        None => Err(EvalError::other(format!("Invalid semantic version {text:?}"))),
    }
}

fn number<'a>(args: &[Value<'a>], index: usize) -> Result<'a> {
    match &args[0] {
        Value::Semver(version) => Ok(Value::Int(i64::try_from(version.numbers[index]).unwrap_or(i64::MAX))),
        _ => mismatch(),
    }
}

fn two<'a>(args: &[Value<'a>], body: fn(Ordering) -> Value<'a>) -> Result<'a> {
    match (&args[0], &args[1]) {
        (Value::Semver(a), Value::Semver(b)) => Ok(body(a.order(b))),
        _ => mismatch(),
    }
}
