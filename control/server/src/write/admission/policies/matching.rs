//! `MatchResources`: which requests a policy or a binding is about
//! (`k8s.io/apiserver/pkg/admission/plugin/policy/matching/matching.go`).

use std::sync::Arc;

use coracle_api::selector::LabelSelector;
use coracle_api::{ApiResult, Resource};
use serde_json::Value;

use super::super::webhooks::{Asked, Objects, Place, Rule, selects_namespace, selects_object};
use crate::hub::Hub;

/// A rule that may be about some objects only.
#[derive(Debug)]
struct NamedRule {
    rule: Rule,
    /// All, if there are none.
    names: Vec<String>,
}

impl NamedRule {
    fn of(rule: &Value) -> Self {
        let names = rule["resourceNames"].as_array().into_iter().flatten();
        let names = names.filter_map(|name| name.as_str().map(str::to_string)).collect();
        Self { rule: Rule::of(rule), names }
    }

    fn matches(&self, asked: &Asked<'_>, place: &Place<'_>) -> bool {
        self.rule.matches(asked.operation(), place) && (self.names.is_empty() || self.names.contains(&asked.name))
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Resources {
    rules: Vec<NamedRule>,
    excluded: Vec<NamedRule>,
    /// `matchPolicy: Equivalent`
    equivalent: bool,
    namespaces: Result<LabelSelector, String>,
    objects: Result<LabelSelector, String>,
}

/// A version of the resource that rules name; none for that of the request.
pub(super) type Version = Option<Arc<Resource>>;

impl Resources {
    /// From the object.
    pub(super) fn of(resources: &Value) -> Self {
        let rules = |field: &str| resources[field].as_array().into_iter().flatten().map(NamedRule::of).collect();
        Self {
            rules: rules("resourceRules"),
            excluded: rules("excludeResourceRules"),
            equivalent: resources["matchPolicy"] != "Exact",
            namespaces: selector(&resources["namespaceSelector"]),
            objects: selector(&resources["objectSelector"]),
        }
    }

    /// The version in which it is about the request, if it is. Without rules it is about all that nothing excludes.
    ///
    /// # Errors
    /// When that can't be told: only for what the rules are about.
    pub(super) fn matches(&self, hub: &Hub, asked: &Asked<'_>, objects: Objects<'_>) -> ApiResult<Option<Version>> {
        let in_namespace = selects_namespace(hub, &self.namespaces, asked, objects.0);
        if matches!(in_namespace, Ok(false)) {
            return Ok(None);
        }
        let of_object = selects_object(&self.objects, asked, objects);
        if matches!(of_object, Ok(false)) || self.version(hub, asked, &self.excluded).is_some() {
            return Ok(None);
        }
        let version = if self.rules.is_empty() { Some(None) } else { self.version(hub, asked, &self.rules) };
        let Some(version) = version else { return Ok(None) };
        in_namespace?;
        of_object?;
        Ok(Some(version))
    }

    fn version(&self, hub: &Hub, asked: &Asked<'_>, rules: &[NamedRule]) -> Option<Version> {
        if rules.iter().any(|rule| rule.matches(asked, &asked.place(None))) {
            return Some(None);
        }
        if rules.is_empty() || !self.equivalent {
            return None;
        }
        let others = asked.equivalents(hub);
        let mut pairs = rules.iter().flat_map(|rule| others.iter().map(move |row| (rule, row)));
        let found = pairs.find(|(rule, row)| rule.matches(asked, &asked.place(Some(row))));
        found.map(|(_, row)| Some(row.clone()))
    }
}

fn selector(selector: &Value) -> Result<LabelSelector, String> {
    if selector.is_null() {
        return Ok(LabelSelector::everything());
    }
    LabelSelector::from_value(Some(selector)).map_err(|error| error.to_string())
}
