//! Walks the members of JSON objects without parsing their values: just enough to find a place in the
//! text. Iterative, so that deep nesting costs no stack.

use std::ops::Range;

/// Where and why a scan stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} at byte {at}")]
pub struct ScanError {
    /// What should have been there.
    pub expected: &'static str,
    /// Offset into the text, in bytes.
    pub at: usize,
}

/// One member of an object: offsets into the text.
pub(crate) struct Member {
    /// The key with its quotes.
    pub(crate) key: Range<usize>,
    /// The value.
    pub(crate) value: Range<usize>,
}

impl Member {
    /// The key without its quotes, escapes left as they are.
    pub(crate) fn key<'a>(&self, json: &'a [u8]) -> &'a [u8] {
        &json[self.key.start + 1..self.key.end - 1]
    }

    /// From the key's first quote to the value's end.
    pub(crate) fn span(&self) -> Range<usize> {
        self.key.start..self.value.end
    }
}

/// The offset of the object's opening brace, behind white space from `at` on.
pub(crate) fn object_at(json: &[u8], at: usize) -> Result<usize, ScanError> {
    let at = skip_space(json, at);
    expect(json, at, b'{', "an object")?;
    Ok(at)
}

/// Checks that only white space follows from `at` on.
pub(crate) fn only_space_after(json: &[u8], at: usize) -> Result<(), ScanError> {
    let at = skip_space(json, at);
    if at == json.len() { Ok(()) } else { Err(ScanError { expected: "the end of the text", at }) }
}

/// Calls `each` for every member of the object that opens at `start`; returns the offset behind its end.
pub(crate) fn members(json: &[u8], start: usize, mut each: impl FnMut(&Member)) -> Result<usize, ScanError> {
    expect(json, start, b'{', "an object")?;
    let mut at = skip_space(json, start + 1);
    if json.get(at) == Some(&b'}') {
        return Ok(at + 1);
    }
    loop {
        let key = at..skip_string(json, at)?;
        at = skip_space(json, key.end);
        expect(json, at, b':', "':'")?;
        at = skip_space(json, at + 1);
        let value = at..skip_value(json, at)?;
        at = skip_space(json, value.end);
        each(&Member { key, value });
        match json.get(at) {
            Some(b',') => at = skip_space(json, at + 1),
            Some(b'}') => return Ok(at + 1),
            _ => return Err(ScanError { expected: "',' or '}'", at }),
        }
    }
}

fn expect(json: &[u8], at: usize, byte: u8, expected: &'static str) -> Result<(), ScanError> {
    if json.get(at) == Some(&byte) { Ok(()) } else { Err(ScanError { expected, at }) }
}

fn skip_space(json: &[u8], mut at: usize) -> usize {
    while matches!(json.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// The offset behind the string that opens at `at`.
fn skip_string(json: &[u8], at: usize) -> Result<usize, ScanError> {
    expect(json, at, b'"', "a string")?;
    let mut next = at + 1;
    loop {
        match json.get(next) {
            Some(b'"') => return Ok(next + 1),
            Some(b'\\') => next += 2,
            Some(_) => next += 1,
            None => return Err(ScanError { expected: "the end of a string", at: json.len() }),
        }
    }
}

/// The offset behind the value that starts at `at`. Containers are matched by depth, scalars run to the
/// next delimiter: the text comes from a serializer, so its scalars are not checked again.
fn skip_value(json: &[u8], at: usize) -> Result<usize, ScanError> {
    match json.get(at) {
        Some(b'"') => skip_string(json, at),
        Some(b'{' | b'[') => skip_container(json, at),
        Some(b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
            let length = json[at..].iter().take_while(|byte| !b",}] \t\n\r".contains(byte)).count();
            Ok(at + length)
        }
        _ => Err(ScanError { expected: "a value", at }),
    }
}

fn skip_container(json: &[u8], start: usize) -> Result<usize, ScanError> {
    let mut depth = 0_usize;
    let mut at = start;
    loop {
        match json.get(at) {
            Some(b'"') => {
                at = skip_string(json, at)?;
                continue;
            }
            Some(b'{' | b'[') => depth += 1,
            Some(b'}' | b']') => depth -= 1,
            Some(_) => {}
            None => return Err(ScanError { expected: "the end of an object or array", at: json.len() }),
        }
        at += 1;
        if depth == 0 {
            return Ok(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(json: &str) -> Result<Vec<String>, ScanError> {
        let mut keys = Vec::new();
        members(json.as_bytes(), 0, |member| {
            keys.push(String::from_utf8_lossy(member.key(json.as_bytes())).into_owned());
        })?;
        Ok(keys)
    }

    #[test]
    fn members_are_seen_whatever_their_values_are() {
        let json = r#"{"a":1,"b":"}","c":[{"x":"\\"},[]], "d" : {"e":{"f":null}},"g":true,"h":-1.5e3}"#;
        assert_eq!(keys(json).expect("members"), ["a", "b", "c", "d", "g", "h"]);
        assert!(keys("{}").expect("members").is_empty());
    }

    #[test]
    fn a_text_cut_anywhere_is_an_error_and_never_a_panic() {
        let json = r#"{"a":1,"b":"}\"","c":[{"x":"\\"},[]],"d":{"e":null}}"#;
        for end in 0..json.len() {
            assert!(keys(&json[..end]).is_err(), "{}", &json[..end]);
        }
        keys(json).expect("the whole text");
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert_eq!(keys(&deep).expect("members"), ["a"]);
    }
}
