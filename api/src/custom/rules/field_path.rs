//! JSON paths that name a field of a schema: `.spec.list`, `.labels['a.b']`.

use crate::custom::schema::{Additional, Schema};
use crate::field::Path;

/// Why a path names no field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::custom) enum FieldPathError {
    #[error("array notation is not allowed")]
    Brackets,
    #[error("unexpected end of JSON path")]
    End,
    #[error("expected single quoted string but got {0}")]
    Quotes(String),
    #[error("invalid string literal: invalid escape char {0}")]
    Escape(String),
    #[error("expected ] but got {0}")]
    Close(String),
    #[error("expected [ or . but got: {0}")]
    Start(String),
    #[error("does not refer to a valid field")]
    Unknown,
}

/// The path as error texts spell it, and the schema that it leads to.
pub(in crate::custom) fn field_path<'s>(
    path: &str,
    schema: &'s Schema,
    brackets: bool,
) -> Result<(Path, &'s Schema), FieldPathError> {
    let tokens = tokens(path);
    let mut tokens = tokens.iter().map(String::as_str);
    let (mut spelled, mut schema) = (Path::empty(), schema);
    while let Some(token) = tokens.next() {
        let name = match token {
            "." => tokens.next().ok_or(FieldPathError::End)?.to_string(),
            "[" if !brackets => return Err(FieldPathError::Brackets),
            "[" => {
                let quoted = tokens.next().ok_or(FieldPathError::End)?;
                let inner = quoted.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
                let name = unescape(inner.ok_or_else(|| FieldPathError::Quotes(quoted.to_string()))?)?;
                match tokens.next().ok_or(FieldPathError::End)? {
                    "]" => name,
                    other => return Err(FieldPathError::Close(other.to_string())),
                }
            }
            other => return Err(FieldPathError::Start(other.to_string())),
        };
        if let Some(property) = schema.properties.get(&name) {
            (spelled, schema) = (spelled.child(&name), property);
        } else if let (true, Additional::Schema(below)) = (schema.properties.is_empty(), &schema.additional) {
            (spelled, schema) = (spelled.key(&name), below);
        } else {
            return Err(FieldPathError::Unknown);
        }
    }
    Ok((spelled, schema))
}

/// Dots, brackets, quoted texts, and what is between.
fn tokens(path: &str) -> Vec<String> {
    let chars: Vec<char> = path.chars().collect();
    let mut tokens = Vec::new();
    let mut start = 0;
    while start < chars.len() {
        let end = match chars[start] {
            '.' | '[' | ']' => start + 1,
            '\'' => {
                let close = (start + 1..chars.len()).find(|index| chars[*index] == '\'' && chars[index - 1] != '\\');
                close.map_or(chars.len(), |index| index + 1)
            }
            _ => (start..chars.len()).find(|index| matches!(chars[*index], '.' | '[' | ']')).unwrap_or(chars.len()),
        };
        tokens.push(chars[start..end].iter().collect());
        start = end;
    }
    tokens
}

fn unescape(text: &str) -> Result<String, FieldPathError> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        out.push(match chars.next() {
            Some('a') => '\x07',
            Some('b') => '\x08',
            Some('f') => '\x0c',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('v') => '\x0b',
            Some(c @ ('\'' | '\\')) => c,
            other => return Err(FieldPathError::Escape(other.map(|c| format!("\\{c}")).unwrap_or_default())),
        });
    }
    Ok(out)
}
