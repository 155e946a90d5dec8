//! Query parameters, and those of them that many verbs share.

use std::borrow::Cow;

use coracle_api::decode::FieldValidation;
use coracle_api::{ApiError, ApiResult, Reason};

/// The query of a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
}

impl Params {
    /// Reads a query string; what cannot be decoded is replaced, as browsers do.
    pub(crate) fn parse(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self { pairs: pairs.map(|(k, v): (Cow<'_, str>, Cow<'_, str>)| (k.into_owned(), v.into_owned())).collect() }
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

    /// A whole number, 400 when it is not one.
    pub(crate) fn integer(&self, name: &str) -> ApiResult<Option<i64>> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let number = text.parse().map_err(|_| {
            ApiError::bad_request(format!("strconv.ParseInt: parsing {}: invalid syntax", quoted(text)))
        })?;
        Ok(Some(number))
    }

    /// Whether the write is only tried. 422 for anything but `All`.
    pub(crate) fn dry_run(&self) -> ApiResult<bool> {
        check_dry_run(self.all("dryRun"))
    }

    /// `fieldValidation`. 422 for a value there is not.
    pub(crate) fn field_validation(&self) -> ApiResult<FieldValidation> {
        let text = self.get("fieldValidation").unwrap_or_default();
        FieldValidation::parse(text).ok_or_else(|| {
            let supported: Vec<String> = FieldValidation::SUPPORTED.iter().map(|s| quoted(s)).collect();
            let message = format!(
                "fieldValidation: Unsupported value: {}: supported values: {}",
                quoted(text),
                supported.join(", ")
            );
            ApiError::new(Reason::Invalid, message)
        })
    }

    /// Whether the answer should be indented for people.
    pub(crate) fn pretty(&self) -> bool {
        self.get("pretty").is_some_and(|v| v != "false" && v != "0")
    }
}

/// Whether a list of `dryRun` values asks for one.
pub(crate) fn check_dry_run<'a>(mut values: impl Iterator<Item = &'a str>) -> ApiResult<bool> {
    let mut asked = false;
    let wrong = values.find(|value| {
        asked |= *value == "All";
        !matches!(*value, "All" | "")
    });
    match wrong {
        None => Ok(asked),
        Some(other) => {
            let message = format!("dryRun: Unsupported value: {}: supported values: \"All\"", quoted(other));
            Err(ApiError::new(Reason::Invalid, message))
        }
    }
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
        assert_eq!(Params::parse(Some("dryRun=Some")).dry_run().unwrap_err().code(), 422);
    }
}
