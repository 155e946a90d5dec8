//! Collecting the errors of an object.

use serde::Serialize;
use serde_json::json;

use super::json::json;
use crate::field::{FieldError, Path};
use crate::metadata::IMMUTABLE;

/// `must be greater than or equal to 0`
pub(super) const NOT_NEGATIVE: &str = "must be greater than or equal to 0";

/// The errors found so far.
#[derive(Debug, Default)]
pub(super) struct Errors(pub(super) Vec<FieldError>);

impl Errors {
    pub(super) fn invalid(&mut self, path: &Path, value: &impl Serialize, detail: &str) {
        self.0.push(FieldError::invalid(path, &json(value), detail));
    }

    pub(super) fn required(&mut self, path: &Path, detail: &str) {
        self.0.push(FieldError::required(path, detail));
    }

    pub(super) fn forbidden(&mut self, path: &Path, detail: &str) {
        self.0.push(FieldError::forbidden(path, detail));
    }

    pub(super) fn duplicate(&mut self, path: &Path, value: &impl Serialize) {
        self.0.push(FieldError::duplicate(path, &json(value)));
    }

    pub(super) fn not_supported(&mut self, path: &Path, value: &str, supported: &[&str]) {
        self.0.push(FieldError::not_supported(path, &json!(value), supported));
    }

    /// The text is one of these, and is there.
    pub(super) fn one_of(&mut self, path: &Path, value: Option<&String>, supported: &[&str]) {
        match value.map(String::as_str).unwrap_or_default() {
            "" => self.required(path, ""),
            text => self.one_of_if_set(path, Some(text), supported),
        }
    }

    /// The text is one of these, if it is there.
    pub(super) fn one_of_if_set(&mut self, path: &Path, value: Option<&str>, supported: &[&str]) {
        if let Some(text) = value.filter(|t| !supported.contains(t)) {
            self.not_supported(path, text, supported);
        }
    }

    /// The text is there and has the form that `rule` asks for.
    pub(super) fn required_name(&mut self, path: &Path, text: &str, rule: fn(&str) -> Vec<String>) {
        if text.is_empty() { self.required(path, "") } else { self.named(path, text, rule) }
    }

    /// The text has the form that `rule` asks for.
    pub(super) fn named(&mut self, path: &Path, text: &str, rule: fn(&str) -> Vec<String>) {
        for detail in rule(text) {
            self.invalid(path, &text, &detail);
        }
    }

    /// The text, if it is there, has the form that `rule` asks for.
    pub(super) fn named_if_set(&mut self, path: &Path, text: Option<&String>, rule: fn(&str) -> Vec<String>) {
        if let Some(text) = text.filter(|t| !t.is_empty()) {
            self.named(path, text, rule);
        }
    }

    /// The number, if it is there, is not below zero.
    pub(super) fn not_negative(&mut self, path: &Path, value: Option<impl Into<i64>>) {
        if let Some(value) = value.map(Into::into).filter(|v| *v < 0) {
            self.invalid(path, &value, NOT_NEGATIVE);
        }
    }

    /// The value is what it was.
    pub(super) fn unchanged<T: Serialize + PartialEq>(&mut self, path: &Path, new: &T, old: &T) {
        if new != old {
            self.invalid(path, new, IMMUTABLE);
        }
    }
}
