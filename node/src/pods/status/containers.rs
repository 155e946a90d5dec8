//! The status of one container.

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{
        Container, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting,
        ContainerStatus, Pod, VolumeMount, VolumeMountStatus,
    },
    apimachinery::pkg::apis::meta::v1::Time,
};

use super::{Record, Role, State};
use crate::pods::record::Ended;

/// The status of the container that this record is about.
pub fn container_status(record: &Record, pod: &Pod) -> ContainerStatus {
    let (state, id) = match &record.state {
        State::Waiting { reason, message } => {
            let waiting = ContainerStateWaiting { reason: Some(reason.clone()), message: message.clone() };
            let id = record.last.as_ref().and_then(|last| last.id.clone());
            (ContainerState { waiting: Some(waiting), ..ContainerState::default() }, id)
        }
        State::Running { since, id } => {
            let running = ContainerStateRunning { started_at: Some(whole(*since)) };
            (ContainerState { running: Some(running), ..ContainerState::default() }, Some(id.clone()))
        }
        State::Ended(ended) => (terminated(ended), ended.id.clone()),
    };
    let succeeded = matches!(&record.state, State::Ended(ended) if ended.code == 0);
    let never_ran = matches!(record.state, State::Waiting { .. }) && record.last.is_none();
    ContainerStatus {
        name: record.name.clone(),
        image: record.image.clone(),
        image_id: record.image_id.clone(),
        container_id: id.map(|id| format!("wasmtime://{id}")),
        ready: record.ready || (record.role == Role::Init && succeeded),
        started: (record.role != Role::Ephemeral).then_some(record.started),
        restart_count: record.restarts,
        state: Some(state),
        allocated_resources: record.allocated.as_ref().and_then(|it| it.requests.clone()),
        // Empty too: it says that they can be changed.
        resources: (record.role != Role::Ephemeral && !never_ran).then(|| record.actual().cloned().unwrap_or_default()),
        last_state: Some(record.last.as_ref().map(terminated).unwrap_or_default()),
        volume_mounts: pod.spec.as_ref().and_then(|spec| record.spec(spec)).and_then(volume_mounts),
        ..ContainerStatus::default()
    }
}

/// The container's mounts, as they are asked for: there is no container that misses one of them.
fn volume_mounts(container: &Container) -> Option<Vec<VolumeMountStatus>> {
    let mounts = container.volume_mounts.as_deref().filter(|mounts| !mounts.is_empty())?;
    Some(mounts.iter().map(volume_mount).collect())
}

/// A guest's directory may be written or not as a whole, with whatever the host has mounted below it. So what is asked
/// for can be had (KEP-3857), and what is not asked for is not claimed.
fn volume_mount(mount: &VolumeMount) -> VolumeMountStatus {
    let read_only = mount.read_only.filter(|it| *it);
    let asked = matches!(mount.recursive_read_only.as_deref(), Some("Enabled" | "IfPossible"));
    VolumeMountStatus {
        name: mount.name.clone(),
        mount_path: mount.mount_path.clone(),
        read_only,
        recursive_read_only: read_only.map(|_| if asked { "Enabled" } else { "Disabled" }.to_owned()),
        volume_status: None,
    }
}

fn terminated(ended: &Ended) -> ContainerState {
    let terminated = ContainerStateTerminated {
        exit_code: ended.code,
        reason: Some(ended.reason.clone()),
        message: ended.message.clone(),
        started_at: ended.started.map(whole),
        finished_at: ended.finished.map(whole),
        container_id: ended.id.as_ref().map(|id| format!("wasmtime://{id}")),
        signal: None,
    };
    ContainerState { terminated: Some(terminated), ..ContainerState::default() }
}

/// A time as the API has it, in whole seconds: a status that was written and read again is then what it was.
fn whole(at: Timestamp) -> Time {
    Time(Timestamp::from_second(at.as_second()).unwrap_or(at))
}
