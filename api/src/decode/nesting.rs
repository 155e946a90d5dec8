//! How deep YAML nests, found out before it is parsed.
//!
//! libyaml's scanner looks at each open bracket again with every token, and the parser above it reads a whole document before
//! anybody can object to its depth: a megabyte of `[` would be an hour's work. Where there are many brackets, another scanner,
//! which stops when told, looks first.

use granit_parser::{Event, Parser};

use super::MAX_DEPTH;

/// Brackets that are let through when nobody can tell how they nest: what the other scanner does not take for YAML.
const MAX_UNKNOWN: usize = 1_000;

/// Whether something is nested deeper than [`MAX_DEPTH`]. Of what has few brackets nothing is said: what nests by
/// indentation costs nobody anything.
pub(super) fn is_too_deep(body: &[u8]) -> bool {
    let brackets = body.iter().filter(|byte| matches!(byte, b'[' | b'{')).count();
    if brackets <= MAX_DEPTH {
        return false;
    }
    let Ok(text) = std::str::from_utf8(body) else { return brackets > MAX_UNKNOWN };
    let mut depth = 0_usize;
    for event in Parser::new_from_str(text) {
        match event {
            Ok((Event::SequenceStart(..) | Event::MappingStart(..), _)) => depth += 1,
            Ok((Event::SequenceEnd | Event::MappingEnd, _)) => depth = depth.saturating_sub(1),
            Ok(_) => {}
            Err(_) => return brackets > MAX_UNKNOWN,
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_that_nest_are_told_from_those_that_do_not() {
        let many = "a: [x, {b: c}]\n"
            .repeat(2_000)
            .lines()
            .enumerate()
            .map(|(n, line)| format!("k{n}{line}\n"))
            .collect::<String>();
        assert!(!is_too_deep(many.as_bytes()));
        // Text that is full of them, as dashboards in a ConfigMap are.
        let text = format!("data:\n  k: |\n    it's\n{}", "    [[[[{{{{\n".repeat(1_000));
        assert!(!is_too_deep(text.as_bytes()));
        assert!(!is_too_deep(format!("k: \"{}\"", "[".repeat(100_000)).as_bytes()));
        for deep in ["[", "{a: ", "[a, ", "{\"a\":", "[? [", "- [", "&a [", "!t [", "# x\n["] {
            assert!(is_too_deep(deep.repeat(100_000).as_bytes()), "{deep}");
        }
        let hidden = format!("k: |\n  it's [\nl: {}", "[".repeat(10_000));
        assert!(is_too_deep(hidden.as_bytes()));
        assert!(is_too_deep(&[b"\xff\xfe".as_slice(), &b"[\0".repeat(10_000)].concat()), "in UTF-16");
        assert!(!is_too_deep("[".repeat(MAX_DEPTH).as_bytes()));
    }
}
