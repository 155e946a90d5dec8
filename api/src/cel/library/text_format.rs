//! Values as text: for `string()`, `format()` and error texts.

use super::super::compare::entries;
use super::super::error::EvalError;
use super::super::value::Value;
use super::super::work;
use super::time::duration_text;

/// Most digits that `%.Nf` may ask for.
const PRECISION_LIMIT: usize = 1000;

/// A double as Go prints it: shortest form that reads back the same.
pub(super) fn double(number: f64) -> String {
    if number.is_nan() {
        return "NaN".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf".into() } else { "-Inf".into() };
    }
    let magnitude = number.abs();
    if magnitude != 0.0 && !(1e-4..1e21).contains(&magnitude) {
        return exponent(&format!("{number:e}"));
    }
    number.to_string()
}

/// Go writes exponents with a sign and two digits.
fn exponent(text: &str) -> String {
    let Some((mantissa, exponent)) = text.split_once('e') else { return text.to_string() };
    match exponent.strip_prefix('-') {
        Some(digits) => format!("{mantissa}e-{digits:0>2}"),
        None => format!("{mantissa}e+{exponent:0>2}"),
    }
}

/// A value as `%s` prints it.
///
/// In an evaluation that has nothing left to spend, not all of it.
pub(in crate::cel) fn display(value: &Value<'_>) -> String {
    if !work::write(value.bytes()) {
        return String::new();
    }
    match value {
        Value::Null => "null".into(),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Double(number) => double(*number),
        Value::String(text) => text.to_string(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Timestamp(moment) => moment.to_string(),
        Value::Duration(duration) => duration_text(*duration),
        Value::List(list) => {
            let items: Vec<String> = list.iter().map(|item| display(&item)).take_while(|_| !work::is_spent()).collect();
            enclosed('[', &items, ']')
        }
        Value::Map(_) | Value::Object(_) => {
            let mut texts: Vec<String> =
                entries(value).iter().map(|(key, value)| format!("{}: {}", display(key), display(value))).collect();
            texts.sort();
            enclosed('{', &texts, '}')
        }
        Value::Struct(own) => {
            let texts: Vec<String> =
                own.fields.iter().map(|(name, value)| format!("{name}: {}", display(value))).collect();
            own.ty.name().to_string() + &enclosed('{', &texts, '}')
        }
        Value::Optional(None) => "optional.none()".into(),
        Value::Optional(Some(inner)) => format!("optional({})", display(inner)),
        Value::Type(name) => name.to_string(),
        Value::Url(url) => url.text().to_string(),
        Value::Quantity(quantity) => quantity.to_string(),
        Value::Ip(address) => address.to_string(),
        Value::Cidr(block) => block.to_string(),
        Value::Format(format) => format.name().to_string(),
        Value::Semver(version) => version.to_string(),
        Value::Access(access) => access.ty().name().to_string(),
    }
}

/// The parts between brackets. A part is written again at each level that it is in.
fn enclosed(open: char, parts: &[String], close: char) -> String {
    if !work::write(parts.iter().map(String::len).sum()) {
        return String::new();
    }
    format!("{open}{}{close}", parts.join(", "))
}

/// `"…%d…".format([…])` (cel-go `ext/formatting.go`).
pub(super) fn format(template: &str, args: &[Value<'_>]) -> Result<String, EvalError> {
    let mut out = String::with_capacity(template.len());
    let mut args = args.iter().enumerate();
    let mut chars = template.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut verb = chars.next().ok_or_else(|| EvalError::other("unexpected end of string"))?;
        if verb == '%' {
            out.push('%');
            continue;
        }
        let mut precision = None;
        if verb == '.' {
            let mut digits = String::new();
            verb = loop {
                let next = chars.next().ok_or_else(|| EvalError::other("could not find end of precision specifier"))?;
                if !next.is_ascii_digit() {
                    break next;
                }
                digits.push(next);
            };
            let wanted = digits.parse::<usize>().ok().filter(|wanted| *wanted <= PRECISION_LIMIT);
            precision = Some(wanted.ok_or_else(|| EvalError::other("precision specifier out of range"))?);
        }
        let (index, value) = args.next().ok_or_else(|| EvalError::other("index out of range"))?;
        if !work::write(value.bytes()) {
            return Err(EvalError::CostLimit);
        }
        out.push_str(&one(verb, precision, value).ok_or_else(|| {
            let name = value.type_name();
            EvalError::other(format!(
                "error during formatting: unsupported verb %{verb} for argument {index} of type {name}"
            ))
        })?);
    }
    Ok(out)
}

fn one(verb: char, precision: Option<usize>, value: &Value<'_>) -> Option<String> {
    Some(match (verb, value) {
        ('s', _) => display(value),
        ('d', Value::Int(_) | Value::Uint(_)) => display(value),
        ('d', Value::Double(number)) if !number.is_finite() => display(value),
        ('f', Value::Int(number)) => format!("{:.*}", precision.unwrap_or(6), *number as f64),
        ('f', Value::Uint(number)) => format!("{:.*}", precision.unwrap_or(6), *number as f64),
        ('f', Value::Double(number)) if number.is_finite() => format!("{number:.*}", precision.unwrap_or(6)),
        ('e', Value::Double(number)) if number.is_finite() => {
            exponent(&format!("{number:.*e}", precision.unwrap_or(6)))
        }
        ('e', Value::Int(number)) => exponent(&format!("{:.*e}", precision.unwrap_or(6), *number as f64)),
        ('f' | 'e', Value::Double(_)) => display(value),
        ('b', Value::Bool(flag)) => u8::from(*flag).to_string(),
        ('b', Value::Int(number)) => signed(*number, |n| format!("{n:b}")),
        ('b', Value::Uint(number)) => format!("{number:b}"),
        ('o', Value::Int(number)) => signed(*number, |n| format!("{n:o}")),
        ('o', Value::Uint(number)) => format!("{number:o}"),
        ('x', Value::Int(number)) => signed(*number, |n| format!("{n:x}")),
        ('X', Value::Int(number)) => signed(*number, |n| format!("{n:X}")),
        ('x', Value::Uint(number)) => format!("{number:x}"),
        ('X', Value::Uint(number)) => format!("{number:X}"),
        ('x', Value::String(text)) => hex(text.as_bytes()),
        ('X', Value::String(text)) => hex(text.as_bytes()).to_uppercase(),
        ('x', Value::Bytes(bytes)) => hex(bytes),
        ('X', Value::Bytes(bytes)) => hex(bytes).to_uppercase(),
        _ => return None,
    })
}

fn signed(number: i64, print: fn(u64) -> String) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", print(number.unsigned_abs()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
