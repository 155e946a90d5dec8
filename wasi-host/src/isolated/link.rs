//! The parent's end of a child: orders go out, news comes in, and one that breaks the rules is killed.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::{
    runtime::Handle,
    sync::{
        Semaphore,
        mpsc::{self, error::TrySendError},
        oneshot, watch,
    },
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    channel::{self, Channel},
    control_group::{self, ControlGroup},
    entry::{Entry, gone},
    launch::{Isolation, IsolationError},
    message::{FromChild, Id, Route, Routed, Setup, ToChild},
    process::Process,
};
use crate::{Exit, Network, NetworkError, PodLimits, exit::truncate, limits};

/// A message for the child, and the descriptors that go with it.
type Order = (ToChild, Vec<OwnedFd>);

/// The end of a child that its pod and its containers hold. The child is killed when the last of them lets go.
pub(super) struct Link {
    shared: Arc<Shared>,
    runtime: Handle,
    key: [u8; 32],
    end: watch::Receiver<Option<Exit>>,
    next: AtomicU32,
    /// Children live no longer than what started them.
    _isolation: Isolation,
}

/// What the tasks of a link share.
struct Shared {
    orders: mpsc::Sender<Order>,
    entries: Mutex<HashMap<Id, Arc<Entry>>>,
    group: Option<Arc<ControlGroup>>,
    /// The CPU shares that the group has. Zero: none were told yet.
    shares: Mutex<u32>,
    kill: CancellationToken,
    /// All that the child said has been heard.
    heard: CancellationToken,
}

impl Link {
    /// Starts a child and waits until it is behind its walls.
    pub(super) async fn start(
        isolation: &Isolation,
        setup: &Setup,
        network: Arc<dyn Network>,
    ) -> Result<Arc<Link>, IsolationError> {
        let (control, childs_control) = channel::pair().map_err(IsolationError::Start)?;
        let (routes, childs_routes) = channel::pair().map_err(IsolationError::Start)?;
        let child = isolation.start(setup.name.clone(), childs_control, childs_routes).await?;
        let group = control_group::below_own(setup.limits).map(Arc::new);
        let process = Process::watch(child, group.clone()).map_err(IsolationError::Start)?;
        let kill = CancellationToken::new();
        let unless_ready = kill.clone().drop_guard();
        let (set_end, end) = watch::channel(None);
        tokio::spawn(process.supervise(kill.clone(), set_end));
        let control = Channel::of_parent(control).map_err(IsolationError::Start)?;
        let ready = timeout(limits::ISOLATED_START_TIMEOUT, greet(&control, setup, end.clone()));
        ready.await.map_err(|_| IsolationError::Timeout)??;
        let routes = Channel::of_parent(routes).map_err(IsolationError::Start)?;
        unless_ready.disarm();
        tokio::spawn(answer_routes(routes, Arc::clone(&network), setup.address, kill.clone()));
        let shared = Shared::over(control, kill, network, group);
        let (runtime, key, next) = (Handle::current(), setup.key, AtomicU32::new(0));
        Ok(Arc::new(Link { shared, runtime, key, end, next, _isolation: isolation.clone() }))
    }

    /// Whether the process is gone, or about to be.
    pub(super) fn is_over(&self) -> bool {
        self.shared.kill.is_cancelled()
    }

    pub(super) fn kill(&self) {
        self.shared.kill.cancel();
    }

    /// The key that the child's programs are sealed with.
    pub(super) fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// Where tasks for the child run that wait for nothing but sockets.
    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Tells the child something. One that has left too much unread is killed.
    pub(super) fn order(&self, message: ToChild, descriptors: Vec<OwnedFd>) {
        self.shared.order(message, descriptors);
    }

    /// Other limits for all containers together.
    pub(super) fn limit(&self, limits: PodLimits) {
        if let Some(error) = self.shared.group.as_ref().and_then(|group| group.limit(limits).err()) {
            tracing::warn!(%error, "the control group of an isolated pod keeps its old limits");
        }
        self.order(ToChild::SetPodLimits(limits), Vec::new());
    }

    /// A number for a container that is about to be, and what will be known of it. A run beside a container has no
    /// shares of its own.
    pub(super) fn register(&self, cpu_shares: u32) -> (Id, Arc<Entry>, oneshot::Receiver<Result<(), String>>) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (set_started, started) = oneshot::channel();
        let entry = Arc::new(Entry::new(cpu_shares, set_started));
        self.shared.add(id, Arc::clone(&entry));
        (id, entry, started)
    }

    pub(super) fn forget(&self, id: Id) {
        self.shared.forget(id);
    }

    /// Other shares for a container: among those of its pod, and of its pod among others.
    pub(super) fn share(&self, id: Id, entry: &Entry, cpu_shares: u32) {
        entry.set_cpu_shares(cpu_shares);
        self.shared.weigh();
        self.order(ToChild::SetShares(id, cpu_shares), Vec::new());
    }

    /// Waits for the end of a container: what the child said of it, or else the child's own.
    pub(super) async fn end_of(&self, entry: &Entry) -> Exit {
        let (mut said, mut end) = (entry.said(), self.end.clone());
        let lost = tokio::select! {
            biased;
            Ok(exit) = said.wait_for(Option::is_some) => return exit.clone().unwrap_or_else(gone),
            lost = end.wait_for(Option::is_some) => lost.ok().and_then(|exit| exit.clone()).unwrap_or_else(gone),
        };
        // It may have been said just before, and not heard yet.
        self.shared.heard.cancelled().await;
        let said = said.borrow().clone();
        said.unwrap_or(lost)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Tells a new child what it is, and waits until it is ready.
async fn greet(control: &Channel, setup: &Setup, mut end: watch::Receiver<Option<Exit>>) -> Result<(), IsolationError> {
    // One that has ended already is told of below.
    let _ = control.send(setup, &[]).await;
    match control.receive().await {
        Ok(Some((FromChild::Ready, _))) => Ok(()),
        Ok(Some((FromChild::Refused(mut why), _))) => {
            truncate(&mut why, limits::ISOLATED_TEXT_BYTES);
            Err(IsolationError::Refused(why))
        }
        Ok(Some(_)) => Err(IsolationError::Refused("it does not keep to the protocol".into())),
        Ok(None) => {
            let ended = end.wait_for(Option::is_some).await.ok().and_then(|exit| exit.clone()).unwrap_or_else(gone);
            Err(IsolationError::Ended(ended.message.unwrap_or_default()))
        }
        Err(error) => Err(IsolationError::Refused(error.to_string())),
    }
}

impl Shared {
    /// Starts the tasks that speak and listen.
    fn over(
        control: Channel,
        kill: CancellationToken,
        network: Arc<dyn Network>,
        group: Option<Arc<ControlGroup>>,
    ) -> Arc<Shared> {
        let (orders, ordered) = mpsc::channel(limits::ISOLATED_ORDERS);
        let (control, heard) = (Arc::new(control), CancellationToken::new());
        let (entries, shares) = (Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { orders, entries, group, shares, kill, heard });
        tokio::spawn(speak(Arc::clone(&control), ordered, shared.kill.clone()));
        let listening = Arc::clone(&shared);
        tokio::spawn(async move {
            if let Err(error) = listening.listen(&control, network).await {
                tracing::warn!(%error, "the process of a pod does not keep to the protocol; it is killed");
            }
            listening.kill.cancel();
            listening.heard.cancel();
        });
        shared
    }

    async fn listen(&self, control: &Channel, network: Arc<dyn Network>) -> io::Result<()> {
        let lookups = Arc::new(Semaphore::new(limits::ISOLATED_LOOKUPS));
        while let Some((message, _)) = control.receive().await? {
            match message {
                FromChild::Started(id, result) => self.with(id, |entry| entry.start(result)),
                FromChild::Uses(id, usage) => self.with(id, |entry| entry.uses(usage)),
                FromChild::Ended(id, exit, usage) => self.with(id, |entry| entry.end(exit, usage)),
                FromChild::Lookup(call, name) => self.look_up(call, name, &network, &lookups)?,
                FromChild::Ready | FromChild::Refused(_) => return Err(io::Error::other("it began twice")),
            }
            // A child that never stops talking is not the only one.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// What is said of no container of this child's is not heard.
    fn with(&self, id: Id, tell: impl FnOnce(&Entry)) {
        let entry = self.entries.lock().get(&id).cloned();
        if let Some(entry) = entry {
            tell(&entry);
        }
    }

    /// Each task for a name has a place until the child's answer has found room, so a child that does not read has
    /// no more of them than there are places.
    fn look_up(&self, call: u64, name: String, network: &Arc<dyn Network>, lookups: &Arc<Semaphore>) -> io::Result<()> {
        let Ok(place) = Arc::clone(lookups).try_acquire_owned() else { return self.refuse(call) };
        let (network, orders) = (Arc::clone(network), self.orders.clone());
        let kill = self.kill.clone();
        tokio::spawn(kill.run_until_cancelled_owned(async move {
            let _place = place;
            let found = find(&*network, name).await;
            let _ = orders.send((ToChild::Found(call, found), Vec::new())).await;
        }));
        Ok(())
    }

    /// Tells the child to ask again later, which nothing waits for: an error if it leaves its answers unread.
    fn refuse(&self, call: u64) -> io::Result<()> {
        let refusal = ToChild::Found(call, Err(NetworkError::TemporaryFailure));
        match self.orders.try_send((refusal, Vec::new())) {
            Err(TrySendError::Full(_)) => Err(io::Error::other("it asks for names and reads no answers")),
            // Without anybody to speak it is being killed.
            Ok(()) | Err(TrySendError::Closed(_)) => Ok(()),
        }
    }

    fn order(&self, message: ToChild, descriptors: Vec<OwnedFd>) {
        if let Err(TrySendError::Full(_)) = self.orders.try_send((message, descriptors)) {
            tracing::warn!("the process of a pod does not listen any more; it is killed");
            self.kill.cancel();
        }
    }

    fn add(&self, id: Id, entry: Arc<Entry>) {
        self.entries.lock().insert(id, entry);
        self.weigh();
    }

    fn forget(&self, id: Id) {
        self.entries.lock().remove(&id);
        self.weigh();
    }

    /// Has the kernel give the pod's process the shares of its containers together. Until the first one comes, and
    /// between the last and the next, it has what it had: an engine is to be made in time.
    fn weigh(&self) {
        let Some(group) = &self.group else { return };
        // Held until it is written: the last one to write has seen all.
        let mut told = self.shares.lock();
        let shares = self.entries.lock().values().map(|entry| entry.cpu_shares()).fold(0, u32::saturating_add);
        if shares == 0 || shares == *told {
            return;
        }
        match group.share(shares) {
            Ok(()) => *told = shares,
            Err(error) => tracing::warn!(%error, "the control group of an isolated pod keeps its old CPU shares"),
        }
    }
}

/// What a name leads to. The name, which may be as long as a message, is not kept.
async fn find(network: &dyn Network, name: String) -> Result<Vec<IpAddr>, NetworkError> {
    if name.len() > limits::NAME_LIMIT_BYTES {
        return Err(NetworkError::NotFound);
    }
    let mut addresses = network.lookup(&name).await?;
    addresses.truncate(limits::ADDRESSES_PER_LOOKUP);
    Ok(addresses)
}

async fn speak(control: Arc<Channel>, mut orders: mpsc::Receiver<Order>, kill: CancellationToken) {
    let speaking = async {
        while let Some((message, descriptors)) = orders.recv().await {
            if let Err(error) = control.send(&message, &descriptors).await {
                tracing::debug!(%error, "a pod's process can't be told anything");
                return;
            }
        }
    };
    kill.run_until_cancelled(speaking).await;
    kill.cancel();
}

/// Says where addresses lead, one question after the other.
async fn answer_routes(routes: Channel, network: Arc<dyn Network>, from: IpAddr, kill: CancellationToken) {
    let answering = async {
        while let Some((Route { number, to }, _)) = routes.receive().await? {
            routes.send(&Routed { number, leads: network.route(from, to) }, &[]).await?;
            tokio::task::yield_now().await;
        }
        io::Result::Ok(())
    };
    if let Some(Err(error)) = kill.run_until_cancelled(answering).await {
        tracing::debug!(%error, "a pod's process asks nothing any more");
        kill.cancel();
    }
}
