//! Which requests are written to the audit log, and how much of them: `audit.k8s.io/v1 Policy`
//! (`k8s.io/apiserver/pkg/audit/policy`).

use serde::{Deserialize, Serialize};

use crate::authz::{Attributes, Subject};
use crate::identity::User;

const API_VERSION: &str = "audit.k8s.io/v1";
const KIND: &str = "Policy";

/// How much of a request is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    /// Nothing.
    #[default]
    None,
    /// Who did what when, and what came of it.
    Metadata,
    /// The body of the request as well.
    Request,
    /// The body of the answer as well.
    RequestResponse,
}

/// When in the life of a request an event is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// It is known who asks for what.
    RequestReceived,
    /// The head of an answer that lasts has been sent.
    ResponseStarted,
    /// It is over.
    ResponseComplete,
    /// The server's own fault.
    Panic,
}

/// Why a policy can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// It is no YAML of this kind; says where and why.
    #[error("the audit policy does not parse: {0}")]
    Syntax(#[from] serde_yaml::Error),
    /// It is something else.
    #[error("the audit policy should have apiVersion {API_VERSION} and kind {KIND}, not {0} and {1}")]
    Kind(String, String),
    /// A rule contradicts itself.
    #[error("rules[{0}] of the audit policy: {1}")]
    Rule(usize, &'static str),
}

/// A policy.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    api_version: String,
    kind: String,
    #[serde(default, rename = "metadata")]
    _metadata: serde_json::Value,
    #[serde(default)]
    rules: Vec<Rule>,
    #[serde(default)]
    omit_stages: Vec<Stage>,
    #[serde(default)]
    omit_managed_fields: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Rule {
    level: Level,
    users: Vec<String>,
    user_groups: Vec<String>,
    verbs: Vec<String>,
    resources: Vec<Resources>,
    namespaces: Vec<String>,
    #[serde(rename = "nonResourceURLs")]
    non_resource_urls: Vec<String>,
    omit_stages: Vec<Stage>,
    omit_managed_fields: Option<bool>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Resources {
    group: String,
    resources: Vec<String>,
    resource_names: Vec<String>,
}

/// What a policy says of one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) level: Level,
    pub(super) omit_stages: Vec<Stage>,
    pub(super) omit_managed_fields: bool,
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// When it is none: says what is wrong, and where.
    pub fn parse(yaml: &str) -> Result<Self, PolicyError> {
        let policy: Self = serde_yaml::from_str(yaml)?;
        if policy.api_version != API_VERSION || policy.kind != KIND {
            return Err(PolicyError::Kind(policy.api_version, policy.kind));
        }
        for (index, rule) in policy.rules.iter().enumerate() {
            let of_resources = !rule.resources.is_empty() || !rule.namespaces.is_empty();
            if of_resources && !rule.non_resource_urls.is_empty() {
                return Err(PolicyError::Rule(
                    index,
                    "rules cannot apply to both regular resources and non-resource URLs",
                ));
            }
        }
        Ok(policy)
    }

    /// The first rule that matches decides; a request that none matches is not written.
    pub(super) fn of(&self, user: Option<&User>, attributes: &Attributes<'_>) -> Verdict {
        let Some(rule) = self.rules.iter().find(|rule| rule.matches(user, attributes)) else {
            return Verdict::default();
        };
        Verdict {
            level: rule.level,
            omit_stages: rule.omit_stages.iter().chain(&self.omit_stages).copied().collect(),
            omit_managed_fields: rule.omit_managed_fields.unwrap_or(self.omit_managed_fields),
        }
    }
}

impl Rule {
    fn matches(&self, user: Option<&User>, attributes: &Attributes<'_>) -> bool {
        let is_named = self.users.is_empty() || user.is_some_and(|user| self.users.contains(&user.name));
        let in_group = self.user_groups.is_empty()
            || user.is_some_and(|user| user.groups.iter().any(|group| self.user_groups.contains(group)));
        let by_verb = self.verbs.is_empty() || self.verbs.iter().any(|verb| verb == attributes.verb);
        is_named && in_group && by_verb && self.is_about(attributes.target)
    }

    fn is_about(&self, target: Subject<'_>) -> bool {
        let of_resources = !self.resources.is_empty() || !self.namespaces.is_empty();
        match target {
            Subject::Path(path) if !of_resources => {
                self.non_resource_urls.is_empty() || self.non_resource_urls.iter().any(|url| leads_to(url, path))
            }
            Subject::Resource { group, resource, subresource, namespace, name } if of_resources => {
                let in_namespace = self.namespaces.is_empty() || self.namespaces.iter().any(|own| own == namespace);
                let is_named = self.resources.is_empty()
                    || self.resources.iter().any(|own| own.group == group && own.name(resource, subresource, name));
                in_namespace && is_named
            }
            Subject::Resource { .. } => self.non_resource_urls.is_empty(),
            Subject::Path(_) => false,
        }
    }
}

impl Resources {
    fn name(&self, resource: &str, subresource: &str, name: &str) -> bool {
        if self.resources.is_empty() {
            return true;
        }
        let by_name = self.resource_names.is_empty() || self.resource_names.iter().any(|own| own == name);
        by_name
            && self.resources.iter().any(|own| match own.split_once('/') {
                None => own == "*" || (subresource.is_empty() && own == resource),
                Some((of, "*")) => of == resource,
                Some((of, part)) => !subresource.is_empty() && part == subresource && (of == "*" || of == resource),
            })
    }
}

/// Whether a path of a rule, which may end in `*`, is this path or leads to it.
fn leads_to(own: &str, path: &str) -> bool {
    own == path || own.ends_with('*') && path.starts_with(own.trim_end_matches('*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: [system:kube-proxy]
  verbs: [watch]
  resources:
  - group: ""
    resources: [endpoints, "services/*"]
- level: None
  nonResourceURLs: ["/healthz*", "/version"]
- level: Metadata
  resources:
  - group: ""
    resources: [secrets]
    resourceNames: [one]
- level: RequestResponse
  omitStages: [ResponseStarted]
  userGroups: [dev]
  namespaces: [team]
- level: Request
  resources:
  - group: apps
"#;

    fn level(user: &str, group: &str, verb: &str, target: Subject<'_>) -> Level {
        let policy = Policy::parse(POLICY).unwrap();
        policy.of(Some(&User::new(user, [group.to_string()])), &Attributes::new(verb, target)).level
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        assert_eq!(
            level("system:kube-proxy", "", "watch", Subject::resource("", "endpoints", "", "", "")),
            Level::None
        );
        assert_eq!(
            level("system:kube-proxy", "", "watch", Subject::resource("", "services", "status", "", "")),
            Level::None
        );
        assert_eq!(level("jane", "", "get", Subject::Path("/healthz/store")), Level::None);
        assert_eq!(level("jane", "", "get", Subject::resource("", "secrets", "", "a", "one")), Level::Metadata);
        assert_eq!(level("jane", "", "get", Subject::resource("", "secrets", "", "a", "two")), Level::None);
        assert_eq!(level("jane", "dev", "get", Subject::resource("", "pods", "", "team", "p")), Level::RequestResponse);
        assert_eq!(level("jane", "dev", "get", Subject::resource("", "pods", "", "other", "p")), Level::None);
        assert_eq!(
            level("jane", "", "get", Subject::resource("apps", "deployments", "scale", "a", "d")),
            Level::Request
        );
        assert_eq!(level("jane", "", "get", Subject::Path("/metrics")), Level::None);
    }

    #[test]
    fn stages_of_the_rule_and_of_the_policy_are_left_out() {
        let policy = Policy::parse(POLICY).unwrap();
        let target = Subject::resource("", "pods", "", "team", "p");
        let of = policy.of(Some(&User::new("jane", ["dev".to_string()])), &Attributes::new("get", target));
        assert_eq!(of.omit_stages, [Stage::ResponseStarted, Stage::RequestReceived]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = |yaml: &str| Policy::parse(yaml).unwrap_err().to_string();
        assert!(error("apiVersion: v1\nkind: Pod\n").contains("not v1 and Pod"));
        let head = "apiVersion: audit.k8s.io/v1\nkind: Policy\n";
        let all = error(&format!("{head}rules:\n- level: All\n"));
        assert!(all.contains("unknown variant `All`") && all.contains("rules[0].level"), "{all}");
        assert!(error(&format!("{head}rule: []\n")).contains("unknown field `rule`"));
        let both = error(&format!("{head}rules:\n- level: None\n  namespaces: [a]\n  nonResourceURLs: [/a]\n"));
        assert!(both.contains("rules[0]") && both.contains("both"), "{both}");
    }
}
