//! What can go wrong with an expression: before it runs, and while it runs.

use std::fmt;

/// One thing wrong with the text of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// What is wrong, in cel-go's words.
    pub message: String,
    /// Where, in characters from the start.
    pub at: usize,
}

impl Issue {
    pub(super) fn new(at: usize, message: impl Into<String>) -> Self {
        Self { message: message.into(), at }
    }
}

/// Why an expression can't be compiled: every issue with its line and a mark under the place, as cel-go prints them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompileError {
    /// The text.
    pub source: String,
    /// In order of discovery.
    pub issues: Vec<Issue>,
}

impl std::error::Error for CompileError {}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, issue) in self.issues.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            let (line, column, text) = locate(&self.source, issue.at);
            write!(f, "ERROR: <input>:{line}:{}: {}", column + 1, issue.message)?;
            write!(f, "\n | {text}\n | {}^", ".".repeat(column))?;
        }
        Ok(())
    }
}

/// Line (from 1), column (from 0) and text of the line that a character is in.
fn locate(source: &str, at: usize) -> (usize, usize, &str) {
    let mut rest = at;
    let mut last = (1, 0, "");
    for (index, line) in source.split('\n').enumerate() {
        let length = line.chars().count();
        if rest <= length {
            return (index + 1, rest, line);
        }
        rest -= length + 1;
        last = (index + 1, length, line);
    }
    last
}

/// Why an evaluation has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// The arguments fit no overload: only possible where types are dynamic.
    #[error("no such overload")]
    NoSuchOverload,
    /// A map has no such key, or an object no such field set.
    #[error("no such key: {0}")]
    NoSuchKey(String),
    /// No variable of that name has a value.
    #[error("no such attribute(s): {0}")]
    NoSuchAttribute(String),
    /// More work than one call may do.
    #[error("operation cancelled: actual cost limit exceeded")]
    CostLimit,
    /// Anything else, in cel-go's words.
    #[error("{0}")]
    Other(String),
}

impl EvalError {
    pub(super) fn other(text: impl Into<String>) -> Self {
        Self::Other(text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_show_the_line_and_the_place() {
        let error =
            CompileError { source: "self.a\n  && self.b".into(), issues: vec![Issue::new(16, "undefined field 'b'")] };
        assert_eq!(error.to_string(), "ERROR: <input>:2:10: undefined field 'b'\n |   && self.b\n | .........^");
    }
}
