//! Field selectors: `status.phase=Running,spec.nodeName!=n1`.

use std::fmt;

/// Why a text is not a field selector for this resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldSelectorError {
    /// A term has no operator.
    #[error("invalid selector: '{selector}'; can't understand '{term}'")]
    Term {
        /// The whole selector.
        selector: String,
        /// The part that makes no sense.
        term: String,
    },
    /// A backslash escapes something that needs no escape.
    #[error("invalid field selector: invalid escape sequence: {0}")]
    Escape(String),
    /// A value holds a character that must be escaped.
    #[error("invalid field selector: unescaped character in value: {0}")]
    Unescaped(char),
    /// The resource can't be selected by this field.
    #[error("field label not supported: {0}")]
    Unsupported(String),
    /// The same, in a kind's own words.
    #[error("{0}")]
    UnsupportedHere(String),
    /// The same, of a kind that has no fields of its own to select by.
    #[error("{0:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")]
    Unknown(String),
}

/// One comparison of a field with a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldTerm {
    /// The field label, such as `status.phase`.
    pub field: String,
    /// The value compared with.
    pub value: String,
    /// Whether the field must differ.
    pub negated: bool,
}

/// All terms must hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct FieldSelector {
    terms: Vec<FieldTerm>,
}

impl FieldSelector {
    /// Reads `a=b,c==d,e!=f`; `\`, `,` and `=` in values are escaped by a backslash.
    ///
    /// # Errors
    /// With the texts of `k8s.io/apimachinery/pkg/fields`.
    pub fn parse(text: &str) -> Result<Self, FieldSelectorError> {
        let mut terms = Vec::new();
        for part in split_terms(text) {
            if part.is_empty() {
                continue;
            }
            let (field, negated, value) = split_term(part)
                .ok_or_else(|| FieldSelectorError::Term { selector: text.to_string(), term: part.to_string() })?;
            terms.push(FieldTerm { field: field.to_string(), value: unescape(value)?, negated });
        }
        Ok(Self { terms })
    }

    /// The terms as given.
    pub fn terms(&self) -> &[FieldTerm] {
        &self.terms
    }

    /// Whether every object matches.
    pub fn is_everything(&self) -> bool {
        self.terms.is_empty()
    }

    /// The selector with each label replaced by the field it means.
    ///
    /// # Errors
    /// Whatever `field` says of the first label that means none.
    pub fn transformed(
        mut self,
        field: impl Fn(&str) -> Result<String, FieldSelectorError>,
    ) -> Result<Self, FieldSelectorError> {
        for term in &mut self.terms {
            term.field = field(&term.field)?;
        }
        Ok(self)
    }

    /// The value the field must have, if one term asks for exactly one: lets a reader pick an index.
    pub fn required_value(&self, field: &str) -> Option<&str> {
        self.terms.iter().find(|t| t.field == field && !t.negated).map(|t| t.value.as_str())
    }

    /// Whether the fields, looked up by label, meet all terms. A missing field counts as empty.
    pub fn matches_with<'a>(&self, mut lookup: impl FnMut(&str) -> Option<&'a str>) -> bool {
        self.terms.iter().all(|t| (lookup(&t.field).unwrap_or_default() == t.value) != t.negated)
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            let (comma, operator) = (if index == 0 { "" } else { "," }, if term.negated { "!=" } else { "=" });
            write!(f, "{comma}{}{operator}{}", term.field, escape(&term.value))?;
        }
        Ok(())
    }
}

/// Splits at commas that are not escaped.
fn split_terms(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut escaped) = (Vec::new(), 0, false);
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b',' => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Splits at the first operator. A `!` alone is none, and part of the field.
fn split_term(term: &str) -> Option<(&str, bool, &str)> {
    let at = term.find('=')?;
    let (field, value) = (&term[..at], &term[at + 1..]);
    match field.strip_suffix('!') {
        Some(field) => Some((field, true, value)),
        None => Some((field, false, value.strip_prefix('=').unwrap_or(value))),
    }
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace(',', "\\,").replace('=', "\\=")
}

fn unescape(value: &str) -> Result<String, FieldSelectorError> {
    let mut plain = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('\\' | ',' | '=')) => plain.push(c),
                other => return Err(FieldSelectorError::Escape(other.map_or("\\".into(), |c| format!("\\{c}")))),
            },
            ',' | '=' => return Err(FieldSelectorError::Unescaped(c)),
            c => plain.push(c),
        }
    }
    Ok(plain)
}
