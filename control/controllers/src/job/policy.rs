//! `spec.podFailurePolicy` and `spec.successPolicy`: rules about single pods and indexes.

use super::indexes::Indexes;
use coracle_api::pod;
use k8s_openapi::api::batch::v1::{Job, PodFailurePolicyRule};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};

/// What a pod's failure means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It counts towards the back-off limit.
    Counts,
    /// It does not count.
    Ignored,
    /// It counts, and its index fails.
    FailsIndex,
    /// The Job fails, and this is why.
    FailsJob(String),
}

/// What the failure of `pod` means to `job`: the first rule that matches says.
pub fn failure(job: &Job, pod: &Pod) -> Failure {
    let policy = job.spec.as_ref().and_then(|s| s.pod_failure_policy.as_ref());
    for (index, rule) in policy.iter().flat_map(|p| p.rules.iter()).enumerate() {
        if let Some(cause) = matched(rule, pod) {
            return match rule.action.as_str() {
                "Ignore" => Failure::Ignored,
                "FailIndex" => Failure::FailsIndex,
                "FailJob" => Failure::FailsJob(format!("{cause} matching FailJob rule at index {index}")),
                _ => Failure::Counts,
            };
        }
    }
    Failure::Counts
}

/// Why the rule matches, if it does.
fn matched(rule: &PodFailurePolicyRule, pod: &Pod) -> Option<String> {
    let name = format!(
        "{}/{}",
        pod.metadata.namespace.as_deref().unwrap_or_default(),
        pod.metadata.name.as_deref().unwrap_or_default()
    );
    if let Some(codes) = &rule.on_exit_codes {
        return terminations(pod)
            .filter(|(container, _)| codes.container_name.as_deref().is_none_or(|wanted| wanted == *container))
            .filter(|(_, state)| state.exit_code != 0)
            .find(|(_, state)| (codes.operator == "In") == codes.values.contains(&state.exit_code))
            .map(|(container, state)| {
                format!("Container {container} for pod {name} failed with exit code {}", state.exit_code)
            });
    }
    rule.on_pod_conditions
        .iter()
        .flatten()
        .find(|pattern| {
            let wanted = pattern.status.as_deref().unwrap_or("True");
            pod::condition(pod, &pattern.type_).is_some_and(|condition| condition.status == wanted)
        })
        .map(|pattern| format!("Pod {name} has condition {}", pattern.type_))
}

/// The containers that ended, with how.
fn terminations(pod: &Pod) -> impl Iterator<Item = (&str, &ContainerStateTerminated)> {
    let status = pod.status.as_ref();
    let main = status.and_then(|s| s.container_statuses.as_deref()).unwrap_or_default();
    let init = status.and_then(|s| s.init_container_statuses.as_deref()).unwrap_or_default();
    main.iter().chain(init).filter_map(|c| Some((c.name.as_str(), c.state.as_ref()?.terminated.as_ref()?)))
}

/// Why enough indexes have succeeded, if they have.
pub fn success(job: &Job, succeeded: &Indexes) -> Option<String> {
    let spec = job.spec.as_ref()?;
    let completions = spec.completions?;
    for (index, rule) in spec.success_policy.as_ref()?.rules.iter().enumerate() {
        let (done, of) = match &rule.succeeded_indexes {
            Some(text) => {
                let wanted = Indexes::parse(text, completions);
                (succeeded.common(&wanted), wanted.len())
            }
            None => (succeeded.len(), completions),
        };
        if done >= rule.succeeded_count.unwrap_or(of) {
            return Some(format!("Matched rules at index {index}"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn job(spec: Value) -> Job {
        let mut value = json!({"spec": {"completions": 5, "template": {"spec": {"containers": []}}}});
        for (key, field) in spec.as_object().unwrap() {
            value["spec"][key] = field.clone();
        }
        serde_json::from_value(value).unwrap()
    }

    fn failed(code: i32, condition: &str) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "p", "namespace": "d"},
            "status": {"phase": "Failed", "conditions": [{"type": condition, "status": "True"}],
                "containerStatuses": [{"name": "c", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                    "state": {"terminated": {"exitCode": code}}}]},
        }))
        .unwrap()
    }

    #[test]
    fn the_first_matching_rule_decides() {
        let job = job(json!({"podFailurePolicy": {"rules": [
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}},
            {"action": "Count", "onExitCodes": {"operator": "NotIn", "values": [1]}},
        ]}}));
        assert_eq!(failure(&job, &failed(42, "DisruptionTarget")), Failure::Ignored);
        assert_eq!(
            failure(&job, &failed(42, "Ready")),
            Failure::FailsJob(
                "Container c for pod d/p failed with exit code 42 matching FailJob rule at index 1".to_owned()
            )
        );
        assert_eq!(failure(&job, &failed(7, "Ready")), Failure::Counts);
        assert_eq!(failure(&job, &failed(1, "Ready")), Failure::Counts);
    }

    #[test]
    fn success_rules() {
        let leader = job(json!({"successPolicy": {"rules": [{"succeededIndexes": "0"}, {"succeededCount": 3}]}}));
        let met = |text: &str| success(&leader, &Indexes::parse(text, 5));
        assert_eq!(met("0"), Some("Matched rules at index 0".to_owned()));
        assert_eq!(met("1-2"), None);
        assert_eq!(met("1-3"), Some("Matched rules at index 1".to_owned()));
    }
}
