//! The records that a pod's spec makes: what each container is for, and when it is started again.

use coracle_api::pod::is_sidecar;
use k8s_openapi::api::core::v1::{Container as Spec, EphemeralContainer, PodSpec};

use super::{Record, Role, State};
use crate::pods::{
    allocation::some,
    backoff::Backoff,
    restart::{RestartPolicy, RestartRules},
};

impl Record {
    fn new(spec: &Spec, role: Role, index: usize, pod_policy: RestartPolicy) -> Record {
        let policy = match (role, spec.restart_policy.as_deref()) {
            (Role::Sidecar, _) => RestartPolicy::Always,
            (Role::Ephemeral, _) => RestartPolicy::Never,
            (_, Some(own)) => RestartPolicy::read(Some(own)),
            // A pod that always restarts tries its init containers again until they succeed, not for ever.
            (Role::Init, None) if pod_policy == RestartPolicy::Always => RestartPolicy::OnFailure,
            (_, None) => pod_policy,
        };
        Record {
            name: spec.name.clone(),
            role,
            policy,
            rules: RestartRules::of(spec),
            allocated: some(spec.resources.as_ref()),
            behind: None,
            index,
            ephemeral: None,
            state: State::Waiting { reason: "ContainerCreating".to_owned(), message: None },
            last: None,
            restarts: 0,
            image: spec.image.clone().unwrap_or_default(),
            image_id: String::new(),
            started: false,
            ready: false,
            not_before: None,
            starting: false,
            begun: false,
            crash: Backoff::of_restarts(),
            pull: Backoff::of_pulls(),
            volume_image: None,
        }
    }

    /// The records of a pod that has not run yet: init containers in order, then containers.
    pub fn all(spec: &PodSpec) -> Vec<Record> {
        let policy = RestartPolicy::read(spec.restart_policy.as_deref());
        let role = |container: &Spec| if is_sidecar(container) { Role::Sidecar } else { Role::Init };
        let init = spec.init_containers.iter().flatten().enumerate();
        let init = init.map(|(index, container)| Record::new(container, role(container), index, policy));
        let app = spec.containers.iter().enumerate();
        let mut records: Vec<Record> =
            init.chain(app.map(|(index, container)| Record::new(container, Role::App, index, policy))).collect();
        records.extend(Record::ephemeral(spec, |_| false));
        records.shrink_to_fit();
        if records.first().is_some_and(Record::initializes) {
            for record in records.iter_mut().filter(|record| record.role != Role::Ephemeral) {
                record.state = State::Waiting { reason: "PodInitializing".to_owned(), message: None };
            }
        }
        records
    }

    /// The records of the ephemeral containers that are not `known`, by name: they are only ever added, but patches put
    /// the newest first.
    pub fn ephemeral(spec: &PodSpec, known: impl Fn(&str) -> bool) -> Vec<Record> {
        let added = spec.ephemeral_containers.iter().flatten().enumerate().filter(|(_, it)| !known(&it.name));
        let record = |(index, container)| {
            let container = as_container(container)?;
            let record = Record::new(&container, Role::Ephemeral, index, RestartPolicy::Never);
            Some(Record { ephemeral: Some(Box::new(container)), ..record })
        };
        added.filter_map(record).collect()
    }
}

/// An ephemeral container as the container that it is, but for the one it targets: all share one pod context anyway.
fn as_container(ephemeral: &EphemeralContainer) -> Option<Spec> {
    serde_json::to_value(ephemeral).and_then(serde_json::from_value).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn policies_follow_role_pod_and_container() {
        let spec = json!({
            "restartPolicy": "Always",
            "initContainers": [{"name": "i"}, {"name": "s", "restartPolicy": "Always"}],
            "containers": [{"name": "a"}, {"name": "b", "restartPolicy": "Never"}],
        });
        let all = Record::all(&serde_json::from_value(spec).unwrap());
        let policies: Vec<_> = all.iter().map(|record| (record.role, record.policy)).collect();
        assert_eq!(
            policies,
            [
                (Role::Init, RestartPolicy::OnFailure),
                (Role::Sidecar, RestartPolicy::Always),
                (Role::App, RestartPolicy::Always),
                (Role::App, RestartPolicy::Never),
            ]
        );
        assert!(matches!(&all[2].state, State::Waiting { reason, .. } if reason == "PodInitializing"));
    }
}
