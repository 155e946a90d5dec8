//! `ListOptions`: what the query of a list, of a watch or of the deletion of a collection asks for.

use coracle_api::field::{FieldError, Path};
use coracle_api::selector::{FieldSelector, LabelSelector};
use coracle_api::{ApiError, ApiResult};
use serde_json::json;

use crate::http::Params;

/// How a `resourceVersion` is meant.
const EXACT: &str = "Exact";
const NOT_OLDER_THAN: &str = "NotOlderThan";

/// The options as they stand in a query, checked against each other.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListOptions {
    pub(super) labels: LabelSelector,
    pub(super) fields: FieldSelector,
    /// `allowWatchBookmarks`
    pub(super) bookmarks: bool,
    /// `resourceVersion`, empty when absent.
    pub(super) version: String,
    pub(super) rule: Option<Rule>,
    pub(super) timeout_seconds: Option<i64>,
    /// At most so many objects; none without a limit.
    pub(super) limit: Option<usize>,
    /// `continue`, empty when absent.
    pub(super) token: String,
    /// `sendInitialEvents`: a watch that says nothing about them and names no version has them.
    pub(super) initial_events: Option<bool>,
}

/// `resourceVersionMatch`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    Exact,
    NotOlderThan,
}

impl ListOptions {
    /// From the query of a list or of a watch. 400 for what cannot be read, 422 for options that exclude each other.
    pub(crate) fn parse(params: &Params, watch: bool) -> ApiResult<Self> {
        let selector_error = |why: String| ApiError::bad_request(why);
        let labels = LabelSelector::parse(params.get("labelSelector").unwrap_or_default())
            .map_err(|e| selector_error(e.to_string()))?;
        let fields = FieldSelector::parse(params.get("fieldSelector").unwrap_or_default())
            .map_err(|e| selector_error(e.to_string()))?;
        let text = |name: &str| params.get(name).unwrap_or_default().to_string();
        let timeout_seconds = params.integer("timeoutSeconds")?;
        let limit = params.integer("limit")?.filter(|limit| *limit > 0);
        let mut options = Self {
            labels,
            fields,
            bookmarks: params.flag("allowWatchBookmarks"),
            version: text("resourceVersion"),
            rule: None,
            timeout_seconds,
            limit: limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
            token: text("continue"),
            initial_events: params.given_flag("sendInitialEvents"),
        };
        let rule = params.get("resourceVersionMatch");
        let errors = if watch { options.watch_errors(rule) } else { options.list_errors(rule) };
        if !errors.is_empty() {
            return Err(ApiError::invalid_kind(("meta.k8s.io", "ListOptions"), "", &errors));
        }
        options.rule = rule.map(|rule| if rule == EXACT { Rule::Exact } else { Rule::NotOlderThan });
        if watch && options.initial_events.is_none() && matches!(options.version.as_str(), "" | "0") {
            options.initial_events = Some(true);
        }
        Ok(options)
    }

    fn list_errors(&self, rule: Option<&str>) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if let Some(rule) = rule {
            if self.version.is_empty() {
                errors.push(rule_forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided"));
            }
            if !self.token.is_empty() {
                errors.push(rule_forbidden("resourceVersionMatch is forbidden when continue is provided"));
            }
            if ![EXACT, NOT_OLDER_THAN].contains(&rule) {
                errors.push(unknown_rule(rule, &[EXACT, NOT_OLDER_THAN, ""]));
            }
            if rule == EXACT && self.version == "0" {
                errors.push(rule_forbidden(r#"resourceVersionMatch "exact" is forbidden for resourceVersion "0""#));
            }
        }
        if self.initial_events.is_some() {
            let path = Path::root("sendInitialEvents");
            errors.push(FieldError::forbidden(&path, "sendInitialEvents is forbidden for list"));
        }
        errors
    }

    fn watch_errors(&self, rule: Option<&str>) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if self.initial_events.is_some() && rule != Some(NOT_OLDER_THAN) {
            errors.push(rule_forbidden("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
        }
        if let Some(rule) = rule {
            if self.initial_events.is_none() {
                let why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
                errors.push(rule_forbidden(why));
            }
            if rule != NOT_OLDER_THAN {
                errors.push(unknown_rule(rule, &[NOT_OLDER_THAN]));
            }
            if !self.token.is_empty() {
                errors.push(rule_forbidden("resourceVersionMatch is forbidden when continue is provided"));
            }
        }
        errors
    }
}

/// What a query's field selector narrows a list down to, for who decides about it.
#[derive(Debug, Default)]
pub(crate) struct Selected {
    /// The one name that it asks for, if it could be part of a path.
    pub(crate) name: Option<String>,
    /// The one node whose pods it asks for.
    pub(crate) node: Option<String>,
}

impl Selected {
    /// Of a query. A selector that makes no sense narrows nothing.
    pub(crate) fn of(params: &Params) -> Self {
        let Some(Ok(fields)) = params.get("fieldSelector").map(FieldSelector::parse) else { return Self::default() };
        let usable = |name: &&str| !name.is_empty() && !matches!(*name, "." | "..") && !name.contains(['/', '%']);
        Self {
            name: fields.required_value("metadata.name").filter(usable).map(str::to_string),
            node: fields.required_value("spec.nodeName").map(str::to_string),
        }
    }
}

fn rule_forbidden(why: &str) -> FieldError {
    FieldError::forbidden(&Path::root("resourceVersionMatch"), why)
}

fn unknown_rule(rule: &str, supported: &[&str]) -> FieldError {
    FieldError::not_supported(&Path::root("resourceVersionMatch"), &json!(rule), supported)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(query: &str, watch: bool) -> String {
        let error = ListOptions::parse(&Params::parse(Some(query)), watch).unwrap_err();
        let prefix = "ListOptions.meta.k8s.io \"\" is invalid: ";
        match error.message.strip_prefix(prefix) {
            Some(message) => message.replace("resourceVersionMatch: Forbidden: ", ""),
            None => format!("{} {}", error.code(), error.message),
        }
    }

    #[test]
    fn lists_refuse_options_that_exclude_each_other() {
        let refused = |query| refused(query, false);
        assert_eq!(
            refused("resourceVersionMatch=Exact"),
            "resourceVersionMatch is forbidden unless resourceVersion is provided"
        );
        assert_eq!(
            refused("resourceVersionMatch=Exact&resourceVersion=0"),
            "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""
        );
        assert_eq!(
            refused("resourceVersionMatch=Maybe&resourceVersion=1&continue=x"),
            "[resourceVersionMatch is forbidden when continue is provided, resourceVersionMatch: Unsupported value: \
             \"Maybe\": supported values: \"Exact\", \"NotOlderThan\", \"\"]"
        );
        let forbidden = "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list";
        assert_eq!(refused("sendInitialEvents=false"), forbidden);
    }

    #[test]
    fn watches_refuse_options_that_exclude_each_other() {
        let refused = |query| refused(query, true);
        let needs = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        assert_eq!(refused("sendInitialEvents"), needs);
        assert_eq!(
            refused("sendInitialEvents=false&resourceVersionMatch=Exact"),
            format!(
                "[{needs}, resourceVersionMatch: Unsupported value: \"Exact\": supported values: \"NotOlderThan\"]"
            )
        );
        assert_eq!(
            refused("resourceVersionMatch=NotOlderThan&resourceVersion=1"),
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        );
    }

    #[test]
    fn numbers_that_are_none_are_not_understood() {
        assert_eq!(refused("limit=x", false), "400 strconv.ParseInt: parsing \"x\": invalid syntax");
        assert_eq!(refused("timeoutSeconds=", true), "400 strconv.ParseInt: parsing \"\": invalid syntax");
        let large = "99999999999999999999";
        assert_eq!(
            refused(&format!("limit={large}"), false),
            format!("400 strconv.ParseInt: parsing \"{large}\": value out of range")
        );
    }

    #[test]
    fn a_selected_name_is_what_the_request_is_about() {
        let name = |query| Selected::of(&Params::parse(Some(query))).name;
        assert_eq!(name("fieldSelector=metadata.name%3Da,x%3Dy").as_deref(), Some("a"));
        for none in ["", "fieldSelector=metadata.name!%3Da", "fieldSelector=metadata.name%3Da/b", "fieldSelector=x"] {
            assert_eq!(name(none), None, "{none}");
        }
    }

    #[test]
    fn a_watch_without_a_version_has_initial_events_unless_it_says_otherwise() {
        let events = |query| ListOptions::parse(&Params::parse(Some(query)), true).unwrap().initial_events;
        assert_eq!(events(""), Some(true));
        assert_eq!(events("resourceVersion=0"), Some(true));
        assert_eq!(events("resourceVersion=5"), None);
        assert_eq!(events("sendInitialEvents=false&resourceVersionMatch=NotOlderThan"), Some(false));
    }
}
