//! Regular expressions: RE2 syntax, which the `regex` crate shares, and like RE2 it never backtracks.

use regex::{Regex, RegexBuilder};

use super::super::cost::{CostRule, SizeRule};
use super::super::error::EvalError;
use super::super::function::{Overload, mismatch};
use super::super::types::Sig;
use super::super::value::Value;
use super::super::work;

type Result<'a> = std::result::Result<Value<'a>, EvalError>;

/// Memory of one compiled expression. RE2 has the same kind of limit; a hostile `x{1000}{1000}` stops here.
const PROGRAM_LIMIT_BYTES: usize = 1 << 20;

const TEXT: Sig = Sig::String;

pub(super) const FUNCTIONS: &[Overload] = &[
    Overload::method("matches", &[TEXT, TEXT], Sig::Bool, matches).costs(CostRule::Regex),
    Overload::global("matches", &[TEXT, TEXT], Sig::Bool, matches).costs(CostRule::Regex),
    Overload::method("find", &[TEXT, TEXT], TEXT, find).costs(CostRule::Regex).sized(SizeRule::UpTo),
    Overload::method("findAll", &[TEXT, TEXT], Sig::List(&TEXT), find_all).costs(CostRule::Regex).sized(SizeRule::UpTo),
    Overload::method("findAll", &[TEXT, TEXT, Sig::Int], Sig::List(&TEXT), find_all)
        .costs(CostRule::Regex)
        .sized(SizeRule::UpTo),
];

/// Steps that compiling one counts as: a pattern of a few characters may take milliseconds.
const COMPILE_STEPS: usize = 50_000;

/// Compiles an expression within the limits.
pub(in crate::cel) fn compile(pattern: &str) -> std::result::Result<Regex, EvalError> {
    let built = RegexBuilder::new(pattern).size_limit(PROGRAM_LIMIT_BYTES).dfa_size_limit(PROGRAM_LIMIT_BYTES).build();
    built.map_err(|error| EvalError::other(format!("error parsing regexp: {error}")))
}

thread_local! {
    /// The last expressions that were compiled: a rule over a list uses the same one for each element.
    static RECENT: std::cell::RefCell<Vec<(String, Regex)>> = const { std::cell::RefCell::new(Vec::new()) };
}
/// How many of them are kept per thread.
const RECENT_LIMIT: usize = 16;

fn cached(pattern: &str) -> std::result::Result<Regex, EvalError> {
    RECENT.with_borrow_mut(|recent| {
        if let Some((_, regex)) = recent.iter().find(|(text, _)| text == pattern) {
            return Ok(regex.clone());
        }
        if !work::spend(COMPILE_STEPS) {
            return Err(EvalError::CostLimit);
        }
        let regex = compile(pattern)?;
        if recent.len() >= RECENT_LIMIT {
            recent.remove(0);
        }
        recent.push((pattern.to_string(), regex.clone()));
        Ok(regex)
    })
}

fn with<'a>(args: &[Value<'a>], body: impl FnOnce(&Regex, &str) -> Value<'a>) -> Result<'a> {
    match (args[0].as_str(), args[1].as_str()) {
        (Some(text), Some(pattern)) => Ok(body(&cached(pattern)?, text)),
        _ => mismatch(),
    }
}

fn matches<'a>(args: &[Value<'a>]) -> Result<'a> {
    with(args, |regex, text| Value::Bool(regex.is_match(text)))
}

fn find<'a>(args: &[Value<'a>]) -> Result<'a> {
    with(args, |regex, text| Value::text(regex.find(text).map(|found| found.as_str()).unwrap_or_default()))
}

fn find_all<'a>(args: &[Value<'a>]) -> Result<'a> {
    let limit = match args.get(2) {
        Some(Value::Int(count)) => usize::try_from(*count).unwrap_or(usize::MAX),
        _ => usize::MAX,
    };
    with(args, |regex, text| {
        Value::list(regex.find_iter(text).take(limit).map(|found| Value::text(found.as_str())).collect())
    })
}
