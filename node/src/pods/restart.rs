//! Whether a container that has ended is started again: `restartPolicy` and `restartPolicyRules` (KEP-5307).

use k8s_openapi::api::core::v1::{Container, ContainerRestartRule};

/// When a container that has ended is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartPolicy {
    /// Always.
    Always,
    /// If its exit code was not 0.
    OnFailure,
    /// Never.
    Never,
}

impl RestartPolicy {
    /// Reads `restartPolicy`; absent means `Always`.
    pub fn read(text: Option<&str>) -> RestartPolicy {
        match text {
            Some("OnFailure") => RestartPolicy::OnFailure,
            Some("Never") => RestartPolicy::Never,
            _ => RestartPolicy::Always,
        }
    }

    /// Whether a container with this policy is started again after this exit code.
    pub fn restarts(self, code: i32) -> bool {
        match self {
            RestartPolicy::Always => true,
            RestartPolicy::OnFailure => code != 0,
            RestartPolicy::Never => false,
        }
    }
}

/// The rules of a container that come before its policy. Most have none, and then this is a null pointer.
#[derive(Debug, Clone, Default)]
pub struct RestartRules(Option<Box<[RestartRule]>>);

/// One rule: start again after these exit codes, or after all but these.
#[derive(Debug, Clone)]
struct RestartRule {
    listed: bool,
    codes: Box<[i32]>,
}

impl RestartRules {
    /// Reads `restartPolicyRules`. Actions other than `Restart` are refused by the API server.
    pub fn of(container: &Container) -> RestartRules {
        let rules = container.restart_policy_rules.iter().flatten().filter(|rule| rule.action == "Restart");
        let rules: Box<[RestartRule]> = rules.filter_map(RestartRule::read).collect();
        RestartRules((!rules.is_empty()).then_some(rules))
    }

    /// Whether a rule says that the container is to be started again after this exit code.
    pub fn restart(&self, code: i32) -> bool {
        self.0.iter().flatten().any(|rule| rule.codes.contains(&code) == rule.listed)
    }
}

impl RestartRule {
    fn read(rule: &ContainerRestartRule) -> Option<RestartRule> {
        let on = rule.exit_codes.as_ref()?;
        Some(RestartRule { listed: on.operator == "In", codes: on.values.clone().unwrap_or_default().into() })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_come_before_the_policy() {
        let rules = |rules: serde_json::Value| {
            let container = json!({"name": "c", "restartPolicy": "Never", "restartPolicyRules": rules});
            RestartRules::of(&serde_json::from_value(container).unwrap())
        };
        let listed = rules(json!([{"action": "Restart", "exitCodes": {"operator": "In", "values": [42, 43]}}]));
        assert_eq!([41, 42, 43].map(|code| listed.restart(code)), [false, true, true]);
        let others = rules(json!([{"action": "Restart", "exitCodes": {"operator": "NotIn", "values": [0]}}]));
        assert_eq!([0, 1].map(|code| others.restart(code)), [false, true]);
        assert!(!rules(json!([])).restart(1));
    }
}
