//! What admission has to say about a write, besides yes or no: warnings for its author, annotations for the audit log.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::options::Options;

/// Warnings that are kept for one request; what else there is would not fit an answer's headers.
const WARNINGS: usize = 128;
/// Annotations that are kept for one request.
const ANNOTATIONS: usize = 1_000;
/// Bytes of one annotation: what is longer is cut, as Kubernetes cuts those of validating policies (10 kB).
const ANNOTATION_BYTES: usize = 10 * 1024;
/// Bytes of all annotations that quote bodies; what else there is, is left out. Half a quote would be a wrong one.
const QUOTED_BYTES: usize = 3 << 20;

/// The notes of one request. Shared: parts of a write may go on after the client has left.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    warnings: Mutex<Vec<String>>,
    annotations: Mutex<BTreeMap<String, String>>,
    /// Annotations that quote bodies: for logs that have bodies in them.
    quotes: Mutex<BTreeMap<String, String>>,
    options: Mutex<Options>,
}

impl Notes {
    /// Tells the author, once.
    pub(crate) fn warn(&self, text: impl Into<String>) {
        let (text, mut warnings) = (text.into(), self.warnings.lock());
        if warnings.len() < WARNINGS && !warnings.contains(&text) {
            warnings.push(text);
        }
    }

    /// Writes it to the audit log, with the request. The first value of a key stays.
    pub(crate) fn annotate(&self, key: impl Into<String>, value: impl Into<String>) {
        let mut annotations = self.annotations.lock();
        if annotations.len() < ANNOTATIONS {
            annotations.entry(key.into()).or_insert_with(|| cut(value.into()));
        }
    }

    /// The same for what quotes the body of a request: it may be a secret, and is written only where bodies are.
    pub(crate) fn quote(&self, key: impl Into<String>, value: impl Into<String>) {
        let (value, mut quotes) = (value.into(), self.quotes.lock());
        let bytes: usize = quotes.values().map(String::len).sum();
        if quotes.len() < ANNOTATIONS && bytes + value.len() <= QUOTED_BYTES {
            quotes.entry(key.into()).or_insert(value);
        }
    }

    /// All annotations so far that quote bodies.
    pub(crate) fn quotes(&self) -> BTreeMap<String, String> {
        self.quotes.lock().clone()
    }

    /// Notes with which options the request comes.
    pub(crate) fn asks(&self, options: Options) {
        *self.options.lock() = options;
    }

    /// The options of the request.
    pub(crate) fn options(&self) -> Options {
        self.options.lock().clone()
    }

    /// All warnings, which are forgotten.
    pub(crate) fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.warnings.lock())
    }

    /// All annotations so far.
    pub(crate) fn annotations(&self) -> BTreeMap<String, String> {
        self.annotations.lock().clone()
    }
}

/// The beginning of a value that is too long.
fn cut(mut value: String) -> String {
    if value.len() > ANNOTATION_BYTES {
        let end = value.floor_char_boundary(ANNOTATION_BYTES);
        value.truncate(end);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_have_a_size() {
        let notes = Notes::default();
        notes.annotate("long", "ä".repeat(ANNOTATION_BYTES));
        assert_eq!(notes.annotations()["long"].len(), ANNOTATION_BYTES);
        for index in 0..2 * ANNOTATIONS {
            notes.annotate(index.to_string(), "x");
            notes.quote(index.to_string(), "x".repeat(QUOTED_BYTES / 3));
        }
        assert_eq!((notes.annotations().len(), notes.quotes().len()), (ANNOTATIONS, 3));
    }
}
