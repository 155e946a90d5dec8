use super::*;
use crate::testing::pod;

fn queue() -> Queue {
    Queue::new(&SchedulerConfig::default())
}

fn names(queue: &mut Queue, now: Instant) -> Vec<String> {
    std::iter::from_fn(|| queue.pop(now)).map(|a| a.pod.name.clone()).collect()
}

#[test]
fn priority_then_age() {
    let mut queue = queue();
    for (name, priority) in [("a", 0), ("b", 5), ("c", 0)] {
        queue.upsert(Arc::new(pod(name).priority(priority).build()));
    }
    assert!(queue.has_active());
    assert_eq!(names(&mut queue, Instant::now()), ["b", "a", "c"]);
    assert_eq!(queue.len(), 0);
}

#[test]
fn failures_back_off_from_one_to_ten_seconds() {
    let (mut queue, now) = (queue(), Instant::now());
    let attempt = |earlier| Attempt { pod: Arc::new(pod("p").build()), earlier };
    for (earlier, seconds) in [(0, 1), (1, 2), (3, 8), (4, 10), (40, 10)] {
        queue.failed(attempt(earlier), now);
        assert_eq!(queue.next_wake(), Some(now + Duration::from_secs(seconds)));
        assert!(queue.pop(now).is_none());
        let again = queue.pop(now + Duration::from_secs(seconds)).unwrap();
        assert_eq!(again.earlier, earlier + 1);
    }
}

#[test]
fn only_events_that_help_move_a_pod() {
    let (mut queue, now, profile) = (queue(), Instant::now(), Profile::default());
    queue.unschedulable(Attempt { pod: Arc::new(pod("p").build()), earlier: 0 }, vec!["TaintToleration"], now);
    let later = now + Duration::from_secs(20);
    queue.cluster_event(ClusterEvent::PodRemoved, &profile, later);
    assert!(queue.pop(later).is_none());
    queue.cluster_event(ClusterEvent::NodeChanged, &profile, later);
    assert!(queue.pop(later).is_some());
}

#[test]
fn an_event_right_after_a_failure_waits_for_the_back_off() {
    let (mut queue, now, profile) = (queue(), Instant::now(), Profile::default());
    queue.unschedulable(Attempt { pod: Arc::new(pod("p").build()), earlier: 0 }, vec!["NodeResourcesFit"], now);
    queue.cluster_event(ClusterEvent::PodRemoved, &profile, now);
    assert!(queue.pop(now).is_none());
    assert!(queue.pop(now + Duration::from_secs(1)).is_some());
}

#[test]
fn waiting_pods_are_tried_again_after_five_minutes() {
    let (mut queue, now) = (queue(), Instant::now());
    queue.unschedulable(Attempt { pod: Arc::new(pod("p").build()), earlier: 0 }, vec!["NodeName"], now);
    queue.flush_stale(now + Duration::from_secs(299));
    assert!(!queue.has_active());
    queue.flush_stale(now + Duration::from_secs(300));
    assert!(queue.has_active());
}

#[test]
fn gates_hold_a_pod_until_an_update_lifts_them() {
    let (mut queue, now) = (queue(), Instant::now());
    let mut gated = pod("p").build();
    gated.gates = vec!["example.com/wait".to_owned()];
    queue.upsert(Arc::new(gated));
    assert!(queue.pop(now).is_none());
    queue.upsert(Arc::new(pod("p").build()));
    assert!(queue.pop(now).is_some());
}

#[test]
fn status_updates_do_not_end_a_back_off() {
    let (mut queue, now) = (queue(), Instant::now());
    let waiting = Arc::new(pod("p").build());
    queue.failed(Attempt { pod: waiting, earlier: 0 }, now);
    let mut update = pod("p").build();
    update.condition = Some(("Unschedulable".to_owned(), "x".to_owned()));
    queue.upsert(Arc::new(update));
    assert!(queue.pop(now).is_none());
    let again = queue.pop(now + Duration::from_secs(1)).unwrap();
    assert!(again.pod.condition.is_some(), "the newest version is what is tried");
}

#[test]
fn a_removed_pod_is_nowhere() {
    let (mut queue, now) = (queue(), Instant::now());
    let pod = Arc::new(pod("p").build());
    queue.upsert(pod.clone());
    queue.remove(&pod.uid);
    assert!(queue.pop(now).is_none());
    queue.failed(Attempt { pod, earlier: 0 }, now);
    queue.retain(&HashSet::new());
    assert_eq!((queue.len(), queue.next_wake()), (0, None));
}
