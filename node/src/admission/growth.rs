//! Whether a pod that runs here may have more than it has (KEP-1287): what admission asks of a new pod, asked of what is
//! added.

use coracle_api::pod::ResourceList;

use super::{
    Refusal, Room, judge_wish,
    shortage::{capacity, with_pods},
};
use crate::{
    pods::{Asked, Growth},
    shared::Shared,
};

/// What the pod wants and no node of this size could give: kubelet's words.
pub fn infeasible(wanted: &Asked, allocatable: &ResourceList) -> Option<String> {
    let ([cpu, memory, _], [all_cpu, all_memory, _]) = (*wanted, capacity(allocatable));
    let (name, requested, capacity) = match () {
        () if memory > all_memory => ("memory", memory, all_memory),
        () if cpu > all_cpu => ("cpu", cpu, all_cpu),
        () => return None,
    };
    Some(format!("Node didn't have enough capacity: {name}, requested: {requested}, capacity: {capacity}"))
}

/// Judges pods that want more by the node as it is now.
pub fn judge_growth(shared: &Shared) -> impl FnMut(&Growth<'_>) -> Result<(), String> + '_ {
    let mut room = Room::of(shared, 0, Asked::default());
    move |growth| {
        room.asked = growth.others;
        judge(growth, &room).map_err(|refusal| refusal.message)
    }
}

fn judge(growth: &Growth<'_>, room: &Room<'_>) -> Result<(), Refusal> {
    // What gets less, or stays, is there already.
    let grows = |index: usize| if growth.wanted[index] > growth.held[index] { growth.wanted[index] } else { 0 };
    let more: Asked = std::array::from_fn(grows);
    if more == Asked::default() {
        return Ok(());
    }
    // It is one of the pods already. Nobody is ended for a critical pod to grow, nor does it wait.
    judge_wish(growth.pod, with_pods(0, more), room).map(drop)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::tests::{pod, with_room},
        *,
    };
    use crate::eviction::Condition;

    fn verdict(held: Asked, wanted: Asked, change: impl FnOnce(&mut Room<'_>)) -> Result<(), String> {
        let pod = pod(json!({"cpu": "1"}), json!({}));
        with_room(change, |room| judge(&Growth { pod: &pod, held, wanted, others: room.asked }, room))
            .map_err(|refusal| refusal.message)
    }

    #[test]
    fn more_is_judged_beside_the_others_and_less_is_not() {
        let used = |room: &mut Room<'_>| room.asked = [1500, 0, 0];
        assert_eq!(
            verdict([100, 0, 0], [600, 0, 0], used).unwrap_err(),
            "Node didn't have enough resource: cpu, requested: 600, used: 1500, capacity: 2000"
        );
        assert_eq!(verdict([100, 0, 0], [500, 0, 0], used), Ok(()));
        assert_eq!(verdict([900, 1 << 20, 0], [800, 1 << 21, 0], used), Ok(()), "less CPU than it has, on a full node");
        let pressed = |room: &mut Room<'_>| room.pressures = vec![Condition::Disk];
        assert_eq!(verdict([2, 0, 0], [1, 0, 0], pressed), Ok(()));
        assert_eq!(verdict([1, 0, 0], [2, 0, 0], pressed).unwrap_err(), "The node had condition: [DiskPressure]. ");
    }

    #[test]
    fn a_critical_pod_grows_without_a_look_at_what_is_left_unless_the_node_stops() {
        let critical = pod(json!({"cpu": "1"}), json!({"priority": 2_000_000_000}));
        let growth = |others| Growth { pod: &critical, held: [1000, 0, 0], wanted: [1500, 0, 0], others };
        let ask = |room: &Room<'_>| judge(&growth(room.asked), room).map_err(|refusal| refusal.reason);
        assert_eq!(with_room(|room| room.asked = [2000, 0, 0], ask), Ok(()));
        assert_eq!(with_room(|room| room.shutting_down = true, ask), Err("NodeShutdown"));
    }

    #[test]
    fn what_no_node_of_this_size_has_is_infeasible() {
        let told = |wanted| with_room(|_| {}, |room| infeasible(&wanted, room.allocatable));
        assert_eq!(told([2000, 1 << 30, 9 << 40]), None);
        assert_eq!(
            told([3000, 0, 0]).unwrap(),
            "Node didn't have enough capacity: cpu, requested: 3000, capacity: 2000"
        );
        assert!(told([3000, 1 << 31, 0]).unwrap().contains("memory"), "memory is named first");
    }
}
