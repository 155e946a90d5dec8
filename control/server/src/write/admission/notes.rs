//! What admission has to say about a write, besides yes or no: warnings for its author, annotations for the audit log.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::options::Options;

/// Warnings that are kept for one request; what else there is would not fit an answer's headers.
const WARNINGS: usize = 128;
/// Annotations that are kept for one request.
const ANNOTATIONS: usize = 1_000;

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
            annotations.entry(key.into()).or_insert_with(|| value.into());
        }
    }

    /// The same for what quotes the body of a request: it may be a secret, and is written only where bodies are.
    pub(crate) fn quote(&self, key: impl Into<String>, value: impl Into<String>) {
        let mut quotes = self.quotes.lock();
        if quotes.len() < ANNOTATIONS {
            quotes.entry(key.into()).or_insert_with(|| value.into());
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
