//! Instances of HTTP components that answer more than one request, or are there before the first.

use std::{net::SocketAddr, time::Duration};

use coracle_wasi_host::{Container, ContainerConfig, InstanceReuse};

use crate::support::{PATIENCE, container, get, http_program, pod, until};

/// What an instance of the test's program holds.
const INSTANCE_BYTES: u64 = 64 << 10;

fn config(reuse: InstanceReuse) -> ContainerConfig {
    ContainerConfig { reuse, ..container(http_program()).0 }
}

async fn serve(reuse: InstanceReuse) -> (Container, SocketAddr) {
    let container = pod().start(config(reuse)).await.unwrap();
    let address = container.address().unwrap();
    (container, address)
}

fn reused(max_reuse_count: u32) -> InstanceReuse {
    InstanceReuse { max_reuse_count, idle_timeout: Duration::from_secs(3600), warm: 0 }
}

/// The number of the request among those of its instance.
async fn count(address: SocketAddr) -> u32 {
    let (status, body) = get(address, "/count").await.unwrap();
    assert_eq!(status, 200);
    let at = body.find("ello, world").unwrap();
    body[at - 1..at].parse().unwrap()
}

/// Asks until an instance says that this is its request number `wanted`; an instance may be asked again a moment after it
/// has answered.
async fn count_to(address: SocketAddr, wanted: u32) {
    let asked = async {
        loop {
            let count = count(address).await;
            assert!(count <= wanted, "{count}");
            if count == wanted {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("an instance that is asked again");
}

#[tokio::test]
async fn without_a_word_each_request_has_its_own() {
    let (container, address) = serve(InstanceReuse::default()).await;
    for _ in 0..3 {
        assert_eq!(count(address).await, 1);
    }
    until("nothing is kept", || container.usage().memory_bytes == 0).await;
}

#[tokio::test]
async fn an_instance_answers_as_often_as_it_may() {
    let (container, address) = serve(reused(3)).await;
    count_to(address, 3).await;
    until("it is gone after its last request", || container.usage().memory_bytes == 0).await;
    assert_eq!(count(address).await, 1);
    until("it waits for the next", || container.usage().memory_bytes == INSTANCE_BYTES).await;
}

#[tokio::test]
async fn one_that_fails_answers_no_more() {
    let (container, address) = serve(reused(100)).await;
    count_to(address, 2).await;
    until("it waits", || container.usage().memory_bytes == INSTANCE_BYTES).await;
    assert_eq!(get(address, "/trap").await.unwrap().0, 500);
    until("it is gone", || container.usage().memory_bytes == 0).await;
    assert_eq!(count(address).await, 1);
}

#[tokio::test]
async fn one_that_waits_too_long_is_dropped() {
    let reuse = InstanceReuse { idle_timeout: Duration::from_millis(20), ..reused(100) };
    let (container, address) = serve(reuse).await;
    for _ in 0..3 {
        count(address).await;
        until("it is gone", || container.usage().memory_bytes == 0).await;
    }
}

#[tokio::test]
async fn those_made_ahead_are_there_before_and_after_requests() {
    let reuse = InstanceReuse { warm: 3, ..InstanceReuse::default() };
    let (container, address) = serve(reuse).await;
    let all = || container.usage().memory_bytes == 3 * INSTANCE_BYTES;
    until("they are there", all).await;
    for _ in 0..5 {
        assert_eq!(count(address).await, 1);
    }
    until("they are there again", all).await;
    let exit = container.stop(Duration::from_secs(60)).await;
    assert_eq!((exit.code, container.usage().memory_bytes), (0, 0));
}

#[tokio::test]
async fn no_more_are_kept_than_the_memory_limit_has_room_for() {
    let reuse = InstanceReuse { warm: 50, ..reused(100) };
    // Room for four, each of which may grow to twice its size.
    let limited = ContainerConfig { memory_limit_bytes: Some(8 * INSTANCE_BYTES), ..config(reuse) };
    let container = pod().start(limited).await.unwrap();
    let address = container.address().unwrap();
    until("half of them are made ahead", || container.usage().memory_bytes == 2 * INSTANCE_BYTES).await;
    let many: Vec<_> = (0..20).map(|_| tokio::spawn(get(address, "/wait"))).collect();
    for one in many {
        assert_eq!(one.await.unwrap().unwrap().0, 200);
    }
    assert!(container.usage().memory_bytes <= 4 * INSTANCE_BYTES);
    assert_eq!(get(address, "/").await.unwrap().0, 200, "it still answers");
}

#[tokio::test]
async fn what_an_instance_remembers_stays_in_its_container() {
    let (_one, first) = serve(reused(9)).await;
    let (_other, second) = serve(reused(9)).await;
    count_to(first, 4).await;
    assert_eq!(count(second).await, 1);
}
