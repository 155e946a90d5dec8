//! Headers that are lists: on one line or on several (RFC 9110 §5.3).

use http::header::{HeaderMap, HeaderName};

/// Whether the header has this value, in whatever case.
pub(crate) fn names(headers: &HeaderMap, name: &HeaderName, value: &str) -> bool {
    list(headers, name).any(|given| given.eq_ignore_ascii_case(value))
}

/// The values of the header.
pub(crate) fn list<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|value| !value.is_empty())
}
