//! Kubernetes' IP and CIDR libraries.

use std::net::IpAddr;

use ipnet::IpNet;

use super::super::cost::CostRule;
use super::super::error::EvalError;
use super::super::function::{Overload, mismatch};
use super::super::types::{Opaque, Sig};
use super::super::value::Value;

type Result<'a> = std::result::Result<Value<'a>, EvalError>;

const TEXT: Sig = Sig::String;
const IP: Sig = Sig::Opaque(Opaque::Ip);
const CIDR: Sig = Sig::Opaque(Opaque::Cidr);

pub(super) const FUNCTIONS: &[Overload] = &[
    Overload::global("ip", &[TEXT], IP, |args| text(args, |text| Ok(Value::Ip(parse_ip(text)?))))
        .costs(CostRule::Scan(0)),
    Overload::global("isIP", &[TEXT], Sig::Bool, |args| text(args, |text| Ok(Value::Bool(parse_ip(text).is_ok()))))
        .costs(CostRule::Scan(0)),
    Overload::global("ip.isCanonical", &[TEXT], Sig::Bool, |args| {
        text(args, |text| Ok(Value::Bool(parse_ip(text)?.to_string() == text)))
    })
    .costs(CostRule::Rewrite),
    Overload::method("family", &[IP], Sig::Int, |args| of(args, |ip| Value::Int(if ip.is_ipv4() { 4 } else { 6 }))),
    Overload::method("isUnspecified", &[IP], Sig::Bool, |args| of(args, |ip| Value::Bool(ip.is_unspecified()))),
    Overload::method("isLoopback", &[IP], Sig::Bool, |args| of(args, |ip| Value::Bool(ip.is_loopback()))),
    Overload::method("isLinkLocalMulticast", &[IP], Sig::Bool, |args| {
        of(args, |ip| Value::Bool(is_link_multicast(ip)))
    }),
    Overload::method("isLinkLocalUnicast", &[IP], Sig::Bool, |args| of(args, |ip| Value::Bool(is_link_local(ip)))),
    Overload::method("isGlobalUnicast", &[IP], Sig::Bool, |args| of(args, |ip| Value::Bool(is_global(ip)))),
    Overload::global("cidr", &[TEXT], CIDR, |args| text(args, |text| Ok(Value::Cidr(parse_cidr(text)?))))
        .costs(CostRule::Scan(0)),
    Overload::global("isCIDR", &[TEXT], Sig::Bool, |args| text(args, |text| Ok(Value::Bool(parse_cidr(text).is_ok()))))
        .costs(CostRule::Scan(0)),
    Overload::method("containsIP", &[CIDR, IP], Sig::Bool, contains_ip).costs(CostRule::InBlock(false)),
    Overload::method("containsIP", &[CIDR, TEXT], Sig::Bool, contains_ip).costs(CostRule::InBlock(true)),
    Overload::method("containsCIDR", &[CIDR, CIDR], Sig::Bool, contains_cidr).costs(CostRule::BlockInBlock(false)),
    Overload::method("containsCIDR", &[CIDR, TEXT], Sig::Bool, contains_cidr).costs(CostRule::BlockInBlock(true)),
    Overload::method("ip", &[CIDR], IP, |args| block(args, |cidr| Value::Ip(cidr.addr()))),
    Overload::method("masked", &[CIDR], CIDR, |args| block(args, |cidr| Value::Cidr(cidr.trunc()))),
    Overload::method("prefixLength", &[CIDR], Sig::Int, |args| {
        block(args, |cidr| Value::Int(cidr.prefix_len().into()))
    }),
];

fn text<'a>(args: &[Value<'a>], body: impl FnOnce(&str) -> Result<'a>) -> Result<'a> {
    args[0].as_str().map_or_else(mismatch, body)
}

fn of<'a>(args: &[Value<'a>], body: fn(&IpAddr) -> Value<'a>) -> Result<'a> {
    match &args[0] {
        Value::Ip(ip) => Ok(body(ip)),
        _ => mismatch(),
    }
}

fn block<'a>(args: &[Value<'a>], body: fn(&IpNet) -> Value<'a>) -> Result<'a> {
    match &args[0] {
        Value::Cidr(cidr) => Ok(body(cidr)),
        _ => mismatch(),
    }
}

fn parse_ip(text: &str) -> std::result::Result<IpAddr, EvalError> {
    let mapped = |ip: &IpAddr| matches!(ip, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some());
    match text.parse::<IpAddr>() {
        Ok(ip) if mapped(&ip) => Err(EvalError::other(format!("IPv4-mapped IPv6 address {text:?} is not allowed"))),
        Ok(ip) => Ok(ip),
        Err(_) if text.contains('%') => {
            Err(EvalError::other(format!("IP address {text:?} with zone value is not allowed")))
        }
        Err(_) => Err(EvalError::other(format!(
            "IP Address {text:?} parse error during conversion from string: ParseAddr({text:?}): unable to parse IP"
        ))),
    }
}

fn parse_cidr(text: &str) -> std::result::Result<IpNet, EvalError> {
    let error = || {
        EvalError::other(format!(
            "network address parse error during conversion from string: netip.ParsePrefix({text:?}): no '/'"
        ))
    };
    let cidr: IpNet = text.parse().map_err(|_| error())?;
    match cidr.addr() {
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => {
            Err(EvalError::other(format!("IPv4-mapped IPv6 address {text:?} is not allowed")))
        }
        _ => Ok(cidr),
    }
}

fn is_link_multicast(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.octets()[..3] == [224, 0, 0],
        IpAddr::V6(v6) => v6.segments()[0] & 0xff0f == 0xff02,
    }
}

fn is_link_local(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

fn is_global(ip: &IpAddr) -> bool {
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    !(broadcast || ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || is_link_local(ip))
}

fn contains_ip<'a>(args: &[Value<'a>]) -> Result<'a> {
    let Value::Cidr(cidr) = &args[0] else { return mismatch() };
    let ip = match &args[1] {
        Value::Ip(ip) => *ip,
        Value::String(text) => parse_ip(text)?,
        _ => return mismatch(),
    };
    Ok(Value::Bool(cidr.contains(&ip)))
}

fn contains_cidr<'a>(args: &[Value<'a>]) -> Result<'a> {
    let Value::Cidr(cidr) = &args[0] else { return mismatch() };
    let other = match &args[1] {
        Value::Cidr(other) => *other,
        Value::String(text) => parse_cidr(text)?,
        _ => return mismatch(),
    };
    Ok(Value::Bool(cidr.contains(&other)))
}
