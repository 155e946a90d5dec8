//! Meters, and guests under them on real threads.

use std::time::Instant;

use futures::FutureExt;

use super::*;

/// A meter of a container of a pod without a limit.
fn metered(limit_millis: Option<u32>, shares: u32) -> Arc<CpuMeter> {
    CpuMeter::new(limit_millis, Arc::new(CpuLimit::new(None)), shares)
}

#[test]
fn the_limit_of_a_pod_holds_for_its_containers_together() {
    let pod = Arc::new(CpuLimit::new(Some(100)));
    let [one, other] = [None, Some(1000)].map(|limit| CpuMeter::new(limit, Arc::clone(&pod), 2));
    one.charge(Duration::from_millis(6));
    assert_eq!((one.pause(), other.pause()), (None, None));
    other.charge(Duration::from_millis(6));
    assert!(one.pause().is_some() && other.pause().is_some(), "12 of 10 ms");
    pod.set(Some(100));
    assert!(one.pause().is_some(), "the same limit forgives nothing");
    pod.set(None);
    assert_eq!((one.pause(), other.pause()), (None, None));
}

#[test]
fn a_limit_may_come_change_and_go() {
    let meter = metered(None, 2);
    meter.charge(Duration::from_secs(10));
    assert_eq!(meter.pause(), None);
    meter.set_limit(Some(100));
    assert_eq!(meter.pause(), None, "what was used before is forgiven");
    meter.charge(Duration::from_secs(10));
    assert!(meter.pause().is_some());
    meter.set_limit(None);
    assert_eq!((meter.pause(), meter.used()), (None, Duration::from_secs(20)));
}

/// Computes for a millisecond each time it is polled, and always wants more: as a guest does at each tick.
fn busy() -> impl Future<Output = ()> + Send {
    std::future::poll_fn(|cx| {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(1) {}
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

fn spin(meter: &Arc<CpuMeter>, queue: &Arc<RunQueue>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(Metered::new(Box::pin(busy()), Arc::clone(meter), Arc::clone(queue)))
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn guests_on_one_thread_share_it_as_their_shares_say() {
    let queue = Arc::new(RunQueue::new(1, 0));
    let (small, large) = (metered(None, 100), metered(None, 400));
    let tasks = [spin(&small, &queue), spin(&large, &queue), spin(&large, &queue)];
    until("they ran", || large.used() > Duration::from_millis(500)).await;
    let ratio = large.used().as_secs_f64() / small.used().as_secs_f64();
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    assert!((3.0..5.0).contains(&ratio), "400 shares to 100: {ratio}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_dropped_or_panics_leaves_its_place() {
    let queue = Arc::new(RunQueue::new(2, 0));
    let meter = metered(None, 2);
    let others = metered(Some(500), 2);
    for _ in 0..20 {
        let tasks: Vec<_> = (0..10).map(|_| spin(&meter, &queue)).collect();
        let limited = spin(&others, &queue);
        let faulty = Box::pin(async { panic!("for the test") });
        assert!(tokio::spawn(Metered::new(faulty, Arc::clone(&meter), Arc::clone(&queue))).await.is_err());
        tasks.iter().for_each(tokio::task::JoinHandle::abort);
        limited.abort();
        for task in tasks {
            assert!(task.await.unwrap_err().is_cancelled());
        }
    }
    for _ in 0..2 {
        let guest = Box::pin(std::future::pending::<()>());
        assert!(Metered::new(guest, Arc::clone(&meter), Arc::clone(&queue)).now_or_never().is_none());
    }
    let last = Box::pin(async { 7 });
    assert_eq!(Metered::new(last, meter, queue).await, 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limited_guest_gets_its_limit_beside_a_busy_one() {
    let queue = Arc::new(RunQueue::new(2, 0));
    let (limited, free) = (metered(Some(200), 2), metered(None, 1024));
    let begun = Instant::now();
    let tasks = [spin(&limited, &queue), spin(&free, &queue), spin(&free, &queue)];
    until("a second is over", || begun.elapsed() > Duration::from_secs(1)).await;
    let used = limited.used();
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    assert!(used <= Duration::from_millis(300), "20 % of a second: {used:?}");
}
