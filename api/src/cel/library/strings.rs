//! Texts: CEL's own functions and the strings extension (version 2, as Kubernetes has it).

use super::super::cost::{CostRule, SizeRule};
use super::super::error::EvalError;
use super::super::function::{Overload, mismatch};
use super::super::types::Sig;
use super::super::value::Value;
use super::super::work;
use super::text_format;

type Result<'a> = std::result::Result<Value<'a>, EvalError>;

const TEXT: Sig = Sig::String;
const TEXTS: Sig = Sig::List(&Sig::String);

pub(super) const FUNCTIONS: &[Overload] = &[
    Overload::method("startsWith", &[TEXT, TEXT], Sig::Bool, |args| two(args, |a, b| Value::Bool(a.starts_with(b))))
        .costs(CostRule::Affix),
    Overload::method("endsWith", &[TEXT, TEXT], Sig::Bool, |args| two(args, |a, b| Value::Bool(a.ends_with(b))))
        .costs(CostRule::Affix),
    Overload::method("contains", &[TEXT, TEXT], Sig::Bool, |args| two(args, |a, b| Value::Bool(a.contains(b))))
        .costs(CostRule::Contains),
    Overload::method("charAt", &[TEXT, Sig::Int], TEXT, char_at),
    Overload::method("indexOf", &[TEXT, TEXT], Sig::Int, index_of).costs(CostRule::Search),
    Overload::method("indexOf", &[TEXT, TEXT, Sig::Int], Sig::Int, index_of).costs(CostRule::Search),
    Overload::method("lastIndexOf", &[TEXT, TEXT], Sig::Int, last_index_of).costs(CostRule::Search),
    Overload::method("lastIndexOf", &[TEXT, TEXT, Sig::Int], Sig::Int, last_index_of).costs(CostRule::Search),
    Overload::method("lowerAscii", &[TEXT], TEXT, |args| one(args, |text| Value::text(text.to_ascii_lowercase())))
        .costs(CostRule::Scan(0))
        .sized(SizeRule::Same),
    Overload::method("upperAscii", &[TEXT], TEXT, |args| one(args, |text| Value::text(text.to_ascii_uppercase())))
        .costs(CostRule::Scan(0))
        .sized(SizeRule::Same),
    Overload::method("trim", &[TEXT], TEXT, |args| one(args, |text| Value::text(text.trim())))
        .costs(CostRule::Scan(0))
        .sized(SizeRule::Same),
    Overload::method("reverse", &[TEXT], TEXT, |args| {
        one(args, |text| Value::text(text.chars().rev().collect::<String>()))
    })
    .costs(CostRule::Scan(0))
    .sized(SizeRule::Same),
    Overload::method("replace", &[TEXT, TEXT, TEXT], TEXT, replace).costs(CostRule::Rewrite).sized(SizeRule::Replace),
    Overload::method("replace", &[TEXT, TEXT, TEXT, Sig::Int], TEXT, replace)
        .costs(CostRule::Rewrite)
        .sized(SizeRule::Replace),
    Overload::method("split", &[TEXT, TEXT], TEXTS, split).costs(CostRule::Rewrite).sized(SizeRule::UpTo),
    Overload::method("split", &[TEXT, TEXT, Sig::Int], TEXTS, split).costs(CostRule::Rewrite).sized(SizeRule::UpTo),
    Overload::method("substring", &[TEXT, Sig::Int], TEXT, substring).costs(CostRule::Scan(0)).sized(SizeRule::Same),
    Overload::method("substring", &[TEXT, Sig::Int, Sig::Int], TEXT, substring)
        .costs(CostRule::Scan(0))
        .sized(SizeRule::Same),
    Overload::method("join", &[TEXTS], TEXT, join).costs(CostRule::Join).sized(SizeRule::Join),
    Overload::method("join", &[TEXTS, TEXT], TEXT, join).costs(CostRule::Join).sized(SizeRule::Join),
    Overload::global("strings.quote", &[TEXT], TEXT, |args| one(args, |text| Value::text(quote(text))))
        .costs(CostRule::Scan(0))
        .sized(SizeRule::Quoted),
    Overload::method("format", &[TEXT, Sig::List(&Sig::Dyn)], TEXT, format).costs(CostRule::Scan(0)),
];

fn one<'a>(args: &[Value<'a>], body: impl Fn(&str) -> Value<'a>) -> Result<'a> {
    args[0].as_str().map_or_else(mismatch, |text| Ok(body(text)))
}

fn two<'a>(args: &[Value<'a>], body: impl Fn(&str, &str) -> Value<'a>) -> Result<'a> {
    match (args[0].as_str(), args[1].as_str()) {
        (Some(a), Some(b)) => Ok(body(a, b)),
        _ => mismatch(),
    }
}

fn int(value: Option<&Value<'_>>) -> Option<i64> {
    match value {
        Some(Value::Int(number)) => Some(*number),
        _ => None,
    }
}

fn out_of_range<'a>(index: i64) -> Result<'a> {
    Err(EvalError::other(format!("index out of range: {index}")))
}

fn char_at<'a>(args: &[Value<'a>]) -> Result<'a> {
    let (Some(text), Some(index)) = (args[0].as_str(), int(args.get(1))) else { return mismatch() };
    let length = text.chars().count();
    match usize::try_from(index) {
        Ok(index) if index == length => Ok(Value::text("")),
        Ok(at) if at < length => Ok(Value::text(text.chars().nth(at).map(String::from).unwrap_or_default())),
        _ => out_of_range(index),
    }
}

fn index_of<'a>(args: &[Value<'a>]) -> Result<'a> {
    let (Some(text), Some(wanted)) = (args[0].as_str(), args[1].as_str()) else { return mismatch() };
    let from = int(args.get(2)).unwrap_or(0);
    let length = text.chars().count();
    match usize::try_from(from) {
        Ok(start) if wanted.is_empty() && start <= length => Ok(Value::Int(from)),
        Ok(start) if start < length || start == 0 => {
            let rest = &text[byte_of(text, start)..];
            let found = rest.find(wanted).map(|at| start + rest[..at].chars().count());
            Ok(Value::Int(found.map_or(-1, |index| index as i64)))
        }
        Ok(start) if start == length => Ok(Value::Int(-1)),
        _ => out_of_range(from),
    }
}

fn last_index_of<'a>(args: &[Value<'a>]) -> Result<'a> {
    let (Some(text), Some(wanted)) = (args[0].as_str(), args[1].as_str()) else { return mismatch() };
    let length = text.chars().count();
    let from = int(args.get(2)).unwrap_or(length as i64);
    let Ok(last) = usize::try_from(from) else { return out_of_range(from) };
    if last > length || (last == length && args.len() > 2 && length > 0) {
        return out_of_range(from);
    }
    if wanted.is_empty() {
        return Ok(Value::Int(from));
    }
    // A match that begins there ends so many bytes later.
    let end = byte_of(text, last).saturating_add(wanted.len()).min(text.len());
    let found = memchr::memmem::rfind(&text.as_bytes()[..end], wanted.as_bytes());
    Ok(Value::Int(found.map_or(-1, |at| text[..at].chars().count() as i64)))
}

/// Where the character of that index begins; the end if there are not so many.
fn byte_of(text: &str, index: usize) -> usize {
    text.char_indices().nth(index).map_or(text.len(), |(at, _)| at)
}

fn replace<'a>(args: &[Value<'a>]) -> Result<'a> {
    let (Some(text), Some(old), Some(new)) = (args[0].as_str(), args[1].as_str(), args[2].as_str()) else {
        return mismatch();
    };
    // Below zero means all.
    let count = int(args.get(3)).and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
    let places = text.matches(old).take(count).count();
    if !work::write(places.saturating_mul(new.len()).saturating_add(text.len())) {
        return Err(EvalError::CostLimit);
    }
    Ok(Value::text(text.replacen(old, new, count)))
}

fn split<'a>(args: &[Value<'a>]) -> Result<'a> {
    let (Some(text), Some(separator)) = (args[0].as_str(), args[1].as_str()) else { return mismatch() };
    if !work::write(text.len()) {
        return Err(EvalError::CostLimit);
    }
    let limit = match int(args.get(2)).map(usize::try_from) {
        Some(Ok(0)) => return Ok(Value::list(Vec::new())),
        Some(Ok(count)) => count,
        None | Some(Err(_)) => usize::MAX,
    };
    let parts: Vec<Value<'a>> = if separator.is_empty() {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let end = if parts.len() + 1 >= limit { rest.len() } else { first.len_utf8() };
            parts.push(Value::text(&rest[..end]));
            rest = &rest[end..];
        }
        parts
    } else {
        text.splitn(limit, separator).map(Value::text).collect()
    };
    Ok(Value::list(parts))
}

fn substring<'a>(args: &[Value<'a>]) -> Result<'a> {
    let (Some(text), Some(start)) = (args[0].as_str(), int(args.get(1))) else { return mismatch() };
    let length = text.chars().count() as i64;
    let end = int(args.get(2)).unwrap_or(length);
    if start < 0 || start > length {
        return out_of_range(start);
    }
    if end < 0 || end > length {
        return out_of_range(end);
    }
    if start > end {
        return Err(EvalError::other(format!("invalid substring range. start: {start}, end: {end}")));
    }
    Ok(Value::text(text.chars().skip(start as usize).take((end - start) as usize).collect::<String>()))
}

fn join<'a>(args: &[Value<'a>]) -> Result<'a> {
    let Value::List(list) = &args[0] else { return mismatch() };
    let separator = args.get(1).and_then(Value::as_str).unwrap_or_default();
    let mut texts = Vec::with_capacity(list.len());
    for item in list.iter() {
        if !work::write(item.bytes().saturating_add(separator.len())) {
            return Err(EvalError::CostLimit);
        }
        match item {
            Value::String(text) => texts.push(text),
            other => return Err(EvalError::other(format!("join: invalid input: {}", text_format::display(&other)))),
        }
    }
    Ok(Value::text(texts.join(separator)))
}

fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn format<'a>(args: &[Value<'a>]) -> Result<'a> {
    let (Some(template), Value::List(list)) = (args[0].as_str(), &args[1]) else { return mismatch() };
    let values: Vec<Value<'a>> = list.iter().collect();
    text_format::format(template, &values).map(Value::text)
}
