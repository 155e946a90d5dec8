//! Conversions between types, `type`, `dyn`, base64.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::super::cost::{CostRule, SizeRule};
use super::super::error::EvalError;
use super::super::function::{Overload, mismatch};
use super::super::types::Sig;
use super::super::value::Value;
use super::core::overflow;
use super::time;

type Result<'a> = std::result::Result<Value<'a>, EvalError>;

pub(super) const FUNCTIONS: &[Overload] = &[
    Overload::global("dyn", &[Sig::Dyn], Sig::Dyn, |args| Ok(args[0].clone())).sized(SizeRule::Same),
    Overload::global("type", &[Sig::Dyn], Sig::Type, |args| Ok(Value::Type(args[0].type_name()))),
    Overload::global("bool", &[Sig::Bool], Sig::Bool, to_bool),
    Overload::global("bool", &[Sig::String], Sig::Bool, to_bool),
    Overload::global("int", &[Sig::Int], Sig::Int, to_int),
    Overload::global("int", &[Sig::Uint], Sig::Int, to_int),
    Overload::global("int", &[Sig::Double], Sig::Int, to_int),
    Overload::global("int", &[Sig::String], Sig::Int, to_int),
    Overload::global("int", &[Sig::Timestamp], Sig::Int, to_int),
    Overload::global("uint", &[Sig::Uint], Sig::Uint, to_uint),
    Overload::global("uint", &[Sig::Int], Sig::Uint, to_uint),
    Overload::global("uint", &[Sig::Double], Sig::Uint, to_uint),
    Overload::global("uint", &[Sig::String], Sig::Uint, to_uint),
    Overload::global("double", &[Sig::Double], Sig::Double, to_double),
    Overload::global("double", &[Sig::Int], Sig::Double, to_double),
    Overload::global("double", &[Sig::Uint], Sig::Double, to_double),
    Overload::global("double", &[Sig::String], Sig::Double, to_double),
    Overload::global("string", &[Sig::String], Sig::String, to_string).sized(SizeRule::Same),
    Overload::global("string", &[Sig::Bool], Sig::String, to_string),
    Overload::global("string", &[Sig::Int], Sig::String, to_string),
    Overload::global("string", &[Sig::Uint], Sig::String, to_string),
    Overload::global("string", &[Sig::Double], Sig::String, to_string),
    Overload::global("string", &[Sig::Bytes], Sig::String, to_string).costs(CostRule::Scan(0)).sized(SizeRule::Chars),
    Overload::global("string", &[Sig::Timestamp], Sig::String, to_string),
    Overload::global("string", &[Sig::Duration], Sig::String, to_string),
    Overload::global("string", &[Sig::Opaque(super::super::types::Opaque::Ip)], Sig::String, to_string),
    Overload::global("string", &[Sig::Opaque(super::super::types::Opaque::Cidr)], Sig::String, to_string),
    Overload::global("bytes", &[Sig::Bytes], Sig::Bytes, to_bytes).sized(SizeRule::Same),
    Overload::global("bytes", &[Sig::String], Sig::Bytes, to_bytes).costs(CostRule::Scan(0)).sized(SizeRule::Bytes),
    Overload::global("base64.encode", &[Sig::Bytes], Sig::String, |args| match &args[0] {
        Value::Bytes(bytes) => Ok(Value::text(STANDARD.encode(bytes))),
        _ => mismatch(),
    })
    .costs(CostRule::Rewrite)
    .sized(SizeRule::Quoted),
    Overload::global("base64.decode", &[Sig::String], Sig::Bytes, |args| {
        let Some(text) = args[0].as_str() else { return mismatch() };
        let decoded = STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text));
        let bytes = decoded.map_err(|error| EvalError::other(format!("illegal base64 data: {error}")))?;
        Ok(Value::Bytes(bytes.into()))
    })
    .costs(CostRule::Rewrite)
    .sized(SizeRule::UpTo),
];

fn conversion<'a>(value: &Value<'_>, wanted: &str) -> Result<'a> {
    Err(EvalError::other(format!("type conversion error from '{}' to '{wanted}'", value.type_name())))
}

fn to_bool<'a>(args: &[Value<'a>]) -> Result<'a> {
    match &args[0] {
        Value::Bool(flag) => Ok(Value::Bool(*flag)),
        Value::String(text) => match text.as_ref() {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(Value::Bool(true)),
            "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(Value::Bool(false)),
            _ => conversion(&args[0], "bool"),
        },
        _ => mismatch(),
    }
}

fn to_int<'a>(args: &[Value<'a>]) -> Result<'a> {
    match &args[0] {
        Value::Int(number) => Ok(Value::Int(*number)),
        Value::Uint(number) => i64::try_from(*number).map_or_else(|_| overflow("integer"), |n| Ok(Value::Int(n))),
        // The ends of the range are no doubles; cel-go keeps clear of them.
        Value::Double(number) if number.is_finite() && *number > i64::MIN as f64 && *number < i64::MAX as f64 => {
            Ok(Value::Int(*number as i64))
        }
        Value::Double(_) => overflow("integer"),
        Value::String(text) => text.parse().map_or_else(|_| conversion(&args[0], "int"), |n| Ok(Value::Int(n))),
        Value::Timestamp(moment) => Ok(Value::Int(moment.at.as_second())),
        Value::Duration(duration) => {
            i64::try_from(duration.as_nanos()).map_or_else(|_| overflow("integer"), |n| Ok(Value::Int(n)))
        }
        _ => mismatch(),
    }
}

fn to_uint<'a>(args: &[Value<'a>]) -> Result<'a> {
    match &args[0] {
        Value::Uint(number) => Ok(Value::Uint(*number)),
        Value::Int(number) => {
            u64::try_from(*number).map_or_else(|_| overflow("unsigned integer"), |n| Ok(Value::Uint(n)))
        }
        Value::Double(number) if *number >= 0.0 && *number < u64::MAX as f64 => Ok(Value::Uint(*number as u64)),
        Value::Double(_) => overflow("unsigned integer"),
        Value::String(text) => text.parse().map_or_else(|_| conversion(&args[0], "uint"), |n| Ok(Value::Uint(n))),
        _ => mismatch(),
    }
}

fn to_double<'a>(args: &[Value<'a>]) -> Result<'a> {
    match &args[0] {
        Value::Double(number) => Ok(Value::Double(*number)),
        Value::Int(number) => Ok(Value::Double(*number as f64)),
        Value::Uint(number) => Ok(Value::Double(*number as f64)),
        Value::String(text) => text.parse().map_or_else(|_| conversion(&args[0], "double"), |n| Ok(Value::Double(n))),
        _ => mismatch(),
    }
}

fn to_string<'a>(args: &[Value<'a>]) -> Result<'a> {
    Ok(Value::text(match &args[0] {
        value @ Value::String(_) => return Ok(value.clone()),
        Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_string(),
            Err(_) => return Err(EvalError::other("invalid UTF-8 in bytes, cannot convert to string")),
        },
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Double(number) => super::text_format::double(*number),
        Value::Timestamp(moment) => moment.to_string(),
        Value::Duration(duration) => time::duration_text(*duration),
        Value::Ip(address) => address.to_string(),
        Value::Cidr(block) => block.to_string(),
        _ => return mismatch(),
    }))
}

fn to_bytes<'a>(args: &[Value<'a>]) -> Result<'a> {
    match &args[0] {
        value @ Value::Bytes(_) => Ok(value.clone()),
        Value::String(text) => Ok(Value::Bytes(Arc::from(text.as_bytes()))),
        _ => mismatch(),
    }
}
