//! Names of properties as expressions spell them (KEP-2876): what is no CEL identifier is escaped, what can't be
//! escaped can't be reached.

/// Words that have a meaning in expressions.
const KEYWORDS: [&str; 4] = ["true", "false", "null", "in"];
/// Words that may get one some day: no variable is called so.
pub(super) const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];
const ESCAPES: [(&str, &str); 4] = [("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__")];

/// The name by which an expression reaches a property, if any.
pub fn escape(property: &str) -> Option<String> {
    // Either kind of word gets underscores around it.
    if KEYWORDS.contains(&property) || RESERVED.contains(&property) {
        return Some(format!("__{property}__"));
    }
    let mut escaped = String::with_capacity(property.len());
    let mut rest = property;
    while let Some(first) = rest.chars().next() {
        match ESCAPES.iter().find(|(plain, _)| rest.starts_with(plain)) {
            Some((plain, code)) => {
                escaped.push_str(code);
                rest = &rest[plain.len()..];
            }
            None => {
                escaped.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    let mut chars = escaped.chars();
    let starts_well = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    (starts_well && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')).then_some(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_as_the_kep_says() {
        for (plain, escaped) in [
            ("foo", Some("foo")),
            ("namespace", Some("__namespace__")),
            ("x-prop", Some("x__dash__prop")),
            ("redact__d", Some("redact__underscores__d")),
            ("a.b/c", Some("a__dot__b__slash__c")),
            ("string", Some("string")),
            ("1a", None),
            ("a b", None),
            ("", None),
        ] {
            assert_eq!(escape(plain).as_deref(), escaped, "{plain}");
        }
    }
}
