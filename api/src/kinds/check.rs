//! Collecting the errors of an object.

use serde::Serialize;
use serde_json::{Value, json};

use super::json::{has, integer, json, part, text};
use crate::field::{self, ErrorType, FieldError, Path};
use crate::metadata::IMMUTABLE;
use crate::names;

/// `must be greater than or equal to 0`
pub(super) const NOT_NEGATIVE: &str = "must be greater than or equal to 0";

/// The errors found so far.
#[derive(Debug, Default)]
pub(super) struct Errors(pub(super) Vec<FieldError>);

impl Errors {
    /// Adds an error, whose text is made only if it will be told.
    pub(super) fn tell(&mut self, error: impl FnOnce() -> FieldError) {
        field::tell(&mut self.0, error);
    }

    /// Whether another error would be told of. Where errors are many times as many as the elements of the object, that
    /// is when to stop.
    pub(super) fn has_room(&self) -> bool {
        field::has_room(&self.0)
    }

    pub(super) fn invalid(&mut self, path: &Path, value: &impl Serialize, detail: &str) {
        self.tell(|| FieldError::invalid(path, &json(value), detail));
    }

    /// An error about the whole rather than its value, which is left out.
    pub(super) fn bare(&mut self, path: &Path, detail: &str) {
        let body = || format!("Invalid value: {detail}");
        self.tell(|| FieldError { kind: ErrorType::Invalid, path: path.clone(), body: body() });
    }

    pub(super) fn required(&mut self, path: &Path, detail: &str) {
        self.tell(|| FieldError::required(path, detail));
    }

    pub(super) fn forbidden(&mut self, path: &Path, detail: &str) {
        self.tell(|| FieldError::forbidden(path, detail));
    }

    pub(super) fn duplicate(&mut self, path: &Path, value: &impl Serialize) {
        self.tell(|| FieldError::duplicate(path, &json(value)));
    }

    pub(super) fn not_supported(&mut self, path: &Path, value: &str, supported: &[&str]) {
        self.tell(|| FieldError::not_supported(path, &json!(value), supported));
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

    /// `example.com/name`
    pub(super) fn domain_path(&mut self, path: &Path, text: &str) {
        self.0.extend(names::domain_path(path, text));
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

    /// The field of `object` is a text that is there.
    pub(super) fn filled(&mut self, path: &Path, object: &Value, field: &str) {
        if text(object, field).is_empty() {
            self.required(&path.child(field), "");
        }
    }

    /// The field of `object` is one of these, and is there.
    pub(super) fn choice(&mut self, path: &Path, object: &Value, field: &str, supported: &[&str]) {
        match text(object, field) {
            "" => self.required(&path.child(field), ""),
            value => self.one_of_if_set(&path.child(field), Some(value), supported),
        }
    }

    /// The field of `object` is one of these, if it is there.
    pub(super) fn choice_if_set(&mut self, path: &Path, object: &Value, field: &str, supported: &[&str]) {
        if has(object, field) {
            self.one_of_if_set(&path.child(field), Some(text(object, field)), supported);
        }
    }

    /// The field of `object` is a number that is not below zero, if it is there.
    pub(super) fn count(&mut self, path: &Path, object: &Value, field: &str) {
        self.not_negative(&path.child(field), Some(integer(object, field)));
    }

    /// These fields of two versions of an object are equal; absent, null and empty are the same.
    pub(super) fn fixed(&mut self, path: &Path, new: &Value, old: &Value, fields: &[&str]) {
        for field in fields {
            let (new, old) = (part(new, field), part(old, field));
            if !same(&new, &old) {
                self.invalid(&path.child(field), &new, IMMUTABLE);
            }
        }
    }

    /// A label selector that is there.
    pub(super) fn selector(&mut self, path: &Path, object: &Value, field: &str) {
        if let Some(selector) = object.get(field).filter(|s| !s.is_null()) {
            super::workload::selector_errors(self, selector, &path.child(field));
        }
    }
}

/// Whether two values mean the same: what Go's `omitempty` leaves out equals what is empty.
pub(super) fn same(new: &Value, old: &Value) -> bool {
    let mut differences = Vec::new();
    super::pod::compare("", new, old, &mut differences);
    differences.is_empty()
}
