//! `$(VAR)` in commands, arguments and environment values.

/// Replaces every `$(NAME)` that `lookup` knows; unknown references stay as written, `$$` is a literal `$`.
pub fn expand(text: &str, lookup: impl Fn(&str) -> Option<String>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, reference) = rest.split_at(at);
        expanded.push_str(before);
        if let Some(after) = reference.strip_prefix("$$") {
            expanded.push('$');
            rest = after;
        } else if let Some((name, after)) = reference.strip_prefix("$(").and_then(|r| r.split_once(')')) {
            match lookup(name) {
                Some(value) => expanded.push_str(&value),
                None => expanded.push_str(&reference[..name.len() + 3]),
            }
            rest = after;
        } else {
            expanded.push('$');
            rest = &reference[1..];
        }
    }
    expanded.push_str(rest);
    expanded
}
