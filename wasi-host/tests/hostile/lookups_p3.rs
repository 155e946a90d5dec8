//! Names looked up by the hundred at the same time, by WASI 0.3.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use async_trait::async_trait;
use coracle_wasi_host::{
    Container, ExitReason, Network, NetworkError, PodConfig, PodContext, PodLimits, Stream, limits,
};
use tokio::sync::Semaphore;

use crate::{
    end, kill,
    sockets_p3::guest,
    support::{address, container, engine, until},
};

/// A network that answers questions when it is told to, and counts them.
struct Slow {
    asked: AtomicUsize,
    now: AtomicUsize,
    most: AtomicUsize,
    answers: Semaphore,
}

impl Slow {
    fn new() -> Arc<Slow> {
        let (asked, now, most) = Default::default();
        Arc::new(Slow { asked, now, most, answers: Semaphore::new(0) })
    }
}

/// A question that has not been answered yet, or been given up.
struct Open<'a>(&'a AtomicUsize);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

#[async_trait]
impl Network for Slow {
    async fn lookup(&self, _name: &str) -> Result<Vec<IpAddr>, NetworkError> {
        self.asked.fetch_add(1, SeqCst);
        self.most.fetch_max(self.now.fetch_add(1, SeqCst) + 1, SeqCst);
        let _open = Open(&self.now);
        self.answers.acquire().await.map_err(|_| NetworkError::NotFound)?.forget();
        Ok(vec![[10, 0, 0, 1].into()])
    }

    fn route(&self, _from: IpAddr, to: SocketAddr) -> Result<SocketAddr, NetworkError> {
        Ok(to)
    }
}

fn pod(network: Arc<Slow>) -> PodContext {
    let limits = PodLimits::default();
    let config = PodConfig { name: "test".into(), hostname: "test-0".into(), address: address(), network, limits };
    PodContext::new(engine(), config)
}

/// Lookups that are begun at the same time.
const MANY: usize = 3 * limits::P3_LOOKUPS_IN_FLIGHT + 8;

/// A guest that begins them, says so, and waits for all.
fn asking() -> String {
    format!(
        "(loop (call $lookup) (br_if 0 (call $more (i32.const {MANY})))) (call $say) (call $all (i32.const {MANY}))"
    )
}

/// One that has begun all of them.
async fn has_asked(network: &Arc<Slow>) -> Container {
    let (config, log) = container(guest(&asking()));
    let container = pod(network.clone()).start(config).await.unwrap();
    until("all are begun", || log.text(Stream::Stdout) == ".").await;
    container
}

/// The host asks only so many questions for one instance at the same time, and in the end all.
#[tokio::test]
async fn lookups_under_way_are_bounded() {
    let network = Slow::new();
    let container = has_asked(&network).await;
    assert_eq!(network.now.load(SeqCst), limits::P3_LOOKUPS_IN_FLIGHT);
    network.answers.add_permits(1);
    until("another one has its turn", || network.asked.load(SeqCst) == limits::P3_LOOKUPS_IN_FLIGHT + 1).await;
    network.answers.add_permits(MANY);
    assert_eq!(end(&container).await.code, 0);
    assert_eq!(network.asked.load(SeqCst), MANY);
    assert_eq!(network.most.load(SeqCst), limits::P3_LOOKUPS_IN_FLIGHT);
}

/// Who is stopped asks nothing any more.
#[tokio::test]
async fn lookups_end_with_who_asked() {
    let network = Slow::new();
    let container = has_asked(&network).await;
    assert_eq!(kill(&container).await.reason, ExitReason::Killed);
    until("all questions are given up", || network.now.load(SeqCst) == 0).await;
    assert_eq!(network.asked.load(SeqCst), limits::P3_LOOKUPS_IN_FLIGHT, "and no other is asked");
}
