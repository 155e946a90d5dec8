//! Whether a container that has ended is started again, and all others with it: `restartPolicy` and
//! `restartPolicyRules` (KEP-5307, KEP-5532).

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
    /// Whether the other containers begin again too.
    all: bool,
    listed: bool,
    codes: Box<[i32]>,
}

impl RestartRules {
    /// Reads `restartPolicyRules`.
    pub fn of(container: &Container) -> RestartRules {
        let rules = container.restart_policy_rules.iter().flatten();
        let rules: Box<[RestartRule]> = rules.filter_map(RestartRule::read).collect();
        RestartRules((!rules.is_empty()).then_some(rules))
    }

    /// Whether a rule says that the container is to be started again after this exit code.
    pub fn restart(&self, code: i32) -> bool {
        self.matching(code).is_some()
    }

    /// Whether all containers of the pod are to begin again after this exit code.
    pub fn restart_all(&self, code: i32) -> bool {
        self.matching(code).is_some_and(|rule| rule.all)
    }

    /// Whether there is an exit code after which all containers of the pod begin again.
    pub fn may_restart_all(&self) -> bool {
        self.0.iter().flatten().any(|rule| rule.all)
    }

    /// The rule for this exit code: the first that fits.
    fn matching(&self, code: i32) -> Option<&RestartRule> {
        self.0.iter().flatten().find(|rule| rule.codes.contains(&code) == rule.listed)
    }
}

impl RestartRule {
    fn read(rule: &ContainerRestartRule) -> Option<RestartRule> {
        let all = match &*rule.action {
            "Restart" => false,
            "RestartAllContainers" => true,
            // The API server takes no other.
            _ => return None,
        };
        let on = rule.exit_codes.as_ref()?;
        Some(RestartRule { all, listed: on.operator == "In", codes: on.values.clone().unwrap_or_default().into() })
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
        let rule = |action, code| json!({"action": action, "exitCodes": {"operator": "In", "values": [code]}});
        let both = rules(json!([rule("Restart", 1), rule("RestartAllContainers", 1), rule("RestartAllContainers", 2)]));
        assert_eq!([0, 1, 2].map(|code| both.restart(code)), [false, true, true]);
        assert_eq!(
            [0, 1, 2].map(|code| both.restart_all(code)),
            [false, false, true],
            "the first rule that fits counts"
        );
        assert!(both.may_restart_all() && !listed.may_restart_all());
    }
}
