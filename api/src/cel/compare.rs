//! Equality and order of values, across the number types (CEL language definition, "Equality" and "Ordering").

use std::cmp::Ordering;

use super::decl::ListKind;
use super::value::{List, Value};
use super::work;

/// `==`. Values of different kinds are not equal; numbers are compared by what they mean.
pub(super) fn equal(a: &Value<'_>, b: &Value<'_>) -> bool {
    if !work::spend(1) || !work::read(a.bytes().min(b.bytes())) {
        return false;
    }
    match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::String(a), Value::String(b)) => a == b,
        (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::Timestamp(a), Value::Timestamp(b)) => a == b,
        (Value::Duration(a), Value::Duration(b)) => a == b,
        (Value::Type(a), Value::Type(b)) => a == b,
        (Value::Url(a), Value::Url(b)) => a.text() == b.text(),
        (Value::Quantity(a), Value::Quantity(b)) => a == b,
        (Value::Ip(a), Value::Ip(b)) => a == b,
        (Value::Cidr(a), Value::Cidr(b)) => a == b,
        (Value::Format(a), Value::Format(b)) => a.name() == b.name(),
        (Value::Semver(a), Value::Semver(b)) => a == b,
        (Value::Optional(a), Value::Optional(b)) => match (a, b) {
            (Some(a), Some(b)) => equal(a, b),
            (None, None) => true,
            _ => false,
        },
        (Value::List(a), Value::List(b)) => lists(a, b),
        (Value::Object(a), Value::Object(b)) => a.equals(b),
        (Value::Struct(a), Value::Struct(b)) => a.equals(b),
        (Value::Map(_) | Value::Object(_), Value::Map(_) | Value::Object(_)) => maps(a, b),
        _ => numbers(a, b) == Some(Ordering::Equal),
    }
}

/// `<` and its like; `None` when the values have no order.
pub(super) fn order(a: &Value<'_>, b: &Value<'_>) -> Option<Ordering> {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Bytes(a), Value::Bytes(b)) => Some(a.cmp(b)),
        (Value::Timestamp(a), Value::Timestamp(b)) => Some(a.cmp(b)),
        (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(b)),
        _ => numbers(a, b),
    }
}

/// Whether two values can be ordered at all; NaN can, it only is in no order.
pub(super) fn comparable(a: &Value<'_>, b: &Value<'_>) -> bool {
    let is_number = |value: &Value<'_>| matches!(value, Value::Int(_) | Value::Uint(_) | Value::Double(_));
    (is_number(a) && is_number(b)) || order(a, b).is_some()
}

fn numbers(a: &Value<'_>, b: &Value<'_>) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Uint(a), Value::Uint(b)) => Some(a.cmp(b)),
        (Value::Int(a), Value::Uint(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
        (Value::Uint(a), Value::Int(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
        (Value::Double(a), Value::Double(b)) => a.partial_cmp(b),
        (Value::Double(a), Value::Int(b)) => with_integer(*a, i128::from(*b)),
        (Value::Double(a), Value::Uint(b)) => with_integer(*a, i128::from(*b)),
        (Value::Int(a), Value::Double(b)) => with_integer(*b, i128::from(*a)).map(Ordering::reverse),
        (Value::Uint(a), Value::Double(b)) => with_integer(*b, i128::from(*a)).map(Ordering::reverse),
        _ => None,
    }
}

/// A double against an integer, without losing digits of the integer.
fn with_integer(double: f64, integer: i128) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    // Saturates, which keeps the order: no 64-bit integer is near the ends of i128.
    let whole = double.trunc();
    let fraction = if double > whole {
        Ordering::Greater
    } else if double < whole {
        Ordering::Less
    } else {
        Ordering::Equal
    };
    Some((whole as i128).cmp(&integer).then(fraction))
}

fn lists(a: &List<'_>, b: &List<'_>) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let kind = match (a, b) {
        (List::Json(_, _, kind), _) | (_, List::Json(_, _, kind)) => (*kind).clone(),
        _ => ListKind::Atomic,
    };
    match kind {
        ListKind::Atomic => a.iter().zip(b.iter()).all(|(a, b)| equal(&a, &b)),
        // Order means nothing in sets and maps.
        ListKind::Set | ListKind::Map(_) => unordered(a, b),
    }
}

fn unordered(a: &List<'_>, b: &List<'_>) -> bool {
    if let (List::Json(a, ..), List::Json(b, ..)) = (a, b) {
        return matches!((sorted(a), sorted(b)), (Some(a), Some(b)) if a == b);
    }
    let mut rest: Vec<Value<'_>> = b.iter().collect();
    a.iter().all(|item| {
        let place = rest.iter().position(|other| equal(&item, other));
        place.map(|index| rest.swap_remove(index)).is_some()
    })
}

/// The texts of the items in order; `None` when there is no more to spend.
fn sorted(items: &[serde_json::Value]) -> Option<Vec<String>> {
    let mut texts = Vec::with_capacity(items.len());
    for item in items {
        let text = item.to_string();
        if !work::write(text.len()) {
            return None;
        }
        texts.push(text);
    }
    texts.sort_unstable();
    Some(texts)
}

fn maps(a: &Value<'_>, b: &Value<'_>) -> bool {
    a.size() == b.size()
        && entries(a).iter().all(|(key, value)| member(b, key).is_some_and(|other| equal(value, &other)))
}

/// Keys and values of a map or object.
pub(super) fn entries<'a>(value: &Value<'a>) -> Vec<(Value<'a>, Value<'a>)> {
    if !work::spend(usize::try_from(value.size()).unwrap_or(usize::MAX)) {
        return Vec::new();
    }
    match value {
        Value::Map(map) => map.entries(),
        Value::Object(object) => object.entries(),
        _ => Vec::new(),
    }
}

/// The value of a key of a map or object.
pub(super) fn member<'a>(value: &Value<'a>, key: &Value<'_>) -> Option<Value<'a>> {
    match value {
        Value::Map(map) => map.get(key),
        Value::Object(object) => object.field(key.as_str()?),
        _ => None,
    }
}

/// `a + b` for lists: appended, or united when the left one is a set or a map (KEP-2876).
pub(super) fn concat<'a>(a: &List<'a>, b: &List<'a>) -> Value<'a> {
    if !work::spend(a.len().saturating_add(b.len())) {
        return Value::list(Vec::new());
    }
    let mut items: Vec<Value<'a>> = a.iter().collect();
    match a {
        List::Json(_, _, ListKind::Set) => {
            for item in b.iter() {
                if !items.iter().any(|own| equal(own, &item)) {
                    items.push(item);
                }
            }
        }
        List::Json(_, _, ListKind::Map(keys)) => {
            for item in b.iter() {
                if !work::spend(items.len()) {
                    break;
                }
                match items.iter().position(|own| same_keys(own, &item, keys)) {
                    Some(index) => items[index] = item,
                    None => items.push(item),
                }
            }
        }
        _ => items.extend(b.iter()),
    }
    Value::list(items)
}

fn same_keys(a: &Value<'_>, b: &Value<'_>, keys: &[String]) -> bool {
    let key = |value: &Value<'_>, name: &str| match value {
        Value::Object(object) => object.json.get(name).cloned(),
        _ => None,
    };
    keys.iter().all(|name| key(a, name) == key(b, name))
}
