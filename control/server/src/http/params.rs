//! Query parameters, and those of them that many verbs share.

use std::borrow::Cow;
use std::num::IntErrorKind;

use coracle_api::decode::FieldValidation;
use coracle_api::field::{ErrorType, FieldError, Path};
use coracle_api::{ApiError, ApiResult};

use super::Verb;

/// The query of a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
    /// The kind of options that they are, for errors; empty for reads, whose options have a kind of their own.
    options: &'static str,
}

impl Params {
    /// Reads a query string; what cannot be decoded is replaced, as browsers do.
    pub(crate) fn parse(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let pairs = pairs.map(|(k, v): (Cow<'_, str>, Cow<'_, str>)| (k.into_owned(), v.into_owned())).collect();
        Self { pairs, options: "" }
    }

    /// As options of this verb.
    #[must_use]
    pub(crate) fn of_verb(mut self, verb: Verb) -> Self {
        self.options = match verb {
            Verb::Create => "CreateOptions",
            Verb::Update => "UpdateOptions",
            Verb::Patch => "PatchOptions",
            Verb::Delete | Verb::DeleteCollection => "DeleteOptions",
            Verb::Get | Verb::List | Verb::Watch => "",
        };
        self
    }

    /// The first value with that name; an empty one counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
    }

    /// Every value with that name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(k, _)| k == name).map(|(_, v)| v.as_str())
    }

    /// A boolean as Go's conversion reads it: present without a value is true, only `0` and `false` are false.
    pub(crate) fn flag(&self, name: &str) -> bool {
        let value = self.pairs.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str());
        value.is_some_and(|v| !v.eq_ignore_ascii_case("false") && v != "0")
    }

    /// The same, `None` when absent.
    pub(crate) fn given_flag(&self, name: &str) -> Option<bool> {
        self.pairs.iter().any(|(k, _)| k == name).then(|| self.flag(name))
    }

    /// A whole number; 400 for what is none, and for nothing after the `=`.
    pub(crate) fn integer(&self, name: &str) -> ApiResult<Option<i64>> {
        let Some((_, text)) = self.pairs.iter().find(|(k, _)| k == name) else { return Ok(None) };
        let number = text.parse::<i64>().map_err(|error| {
            let why = match error.kind() {
                IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
                _ => "invalid syntax",
            };
            ApiError::bad_request(format!("strconv.ParseInt: parsing {}: {why}", quoted(text)))
        })?;
        Ok(Some(number))
    }

    /// Whether the write is only tried. 422 for anything but `All`.
    pub(crate) fn dry_run(&self) -> ApiResult<bool> {
        let values: Vec<&str> = self.all("dryRun").collect();
        match dry_run_error(&values) {
            Some(error) => Err(self.invalid(error)),
            None => Ok(!values.is_empty()),
        }
    }

    /// `fieldValidation`. 422 for a value there is not.
    pub(crate) fn field_validation(&self) -> ApiResult<FieldValidation> {
        let text = self.get("fieldValidation").unwrap_or_default();
        FieldValidation::parse(text).ok_or_else(|| {
            let mut supported = vec![""];
            supported.extend(FieldValidation::SUPPORTED);
            self.invalid(FieldError::not_supported(&Path::root("fieldValidation"), &text.into(), &supported))
        })
    }

    fn invalid(&self, error: FieldError) -> ApiError {
        ApiError::invalid_kind(("meta.k8s.io", self.options), "", &[error])
    }

    /// Whether the answer should be indented for people, if the client says.
    pub(crate) fn pretty(&self) -> Option<bool> {
        self.get("pretty").map(|v| matches!(v, "1" | "t" | "T" | "true" | "TRUE" | "True"))
    }
}

/// The error for `dryRun` values besides `All`, which shows them as Go shows a list.
pub(crate) fn dry_run_error<S: AsRef<str>>(values: &[S]) -> Option<FieldError> {
    if values.iter().all(|value| value.as_ref() == "All") {
        return None;
    }
    let quoted: Vec<String> = values.iter().map(|value| quoted(value.as_ref())).collect();
    let body = format!("Unsupported value: []string{{{}}}: supported values: \"All\"", quoted.join(", "));
    Some(FieldError { kind: ErrorType::NotSupported, path: Path::root("dryRun"), body })
}

/// The text as Go's `%q` shows it, near enough for the values people send.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_follow_go() {
        let params = Params::parse(Some("a&b=1&c=false&d=0&e=true"));
        let values: Vec<bool> = ["a", "b", "c", "d", "e", "f"].iter().map(|n| params.flag(n)).collect();
        assert_eq!(values, [true, true, false, false, true, false]);
    }

    #[test]
    fn dry_run_is_all_or_an_error() {
        assert!(Params::parse(Some("dryRun=All")).dry_run().unwrap());
        assert!(!Params::parse(None).dry_run().unwrap());
        let refused = |query: &str| Params::parse(Some(query)).of_verb(Verb::Create).dry_run().unwrap_err();
        assert_eq!(
            refused("dryRun=Some").message,
            "CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: []string{\"Some\"}: supported values: \"All\""
        );
        assert_eq!(refused("dryRun=").code(), 422);
    }
}
