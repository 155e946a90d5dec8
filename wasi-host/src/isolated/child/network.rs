//! Names and routes, asked of the parent.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    os::fd::{AsFd, OwnedFd},
    sync::atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use tokio::sync::{mpsc, oneshot};

use crate::{
    Network, NetworkError,
    isolated::{
        channel::{receive_blocking, send_blocking},
        message::{FromChild, Route, Routed},
    },
    limits,
};

type Found = Result<Vec<IpAddr>, NetworkError>;

/// The parent's view of names and addresses.
pub(super) struct RemoteNetwork {
    news: mpsc::Sender<FromChild>,
    next: AtomicU64,
    /// Lookups that the parent has not answered, whether or not their guests still wait.
    asked: Mutex<HashMap<u64, oneshot::Sender<Found>>>,
    /// One question at a time: the caller can't do anything but wait, and the answer comes from a table.
    routes: Mutex<OwnedFd>,
}

impl RemoteNetwork {
    pub(super) fn new(routes: OwnedFd, news: mpsc::Sender<FromChild>) -> io::Result<RemoteNetwork> {
        for direction in [Timeout::Recv, Timeout::Send] {
            set_socket_timeout(&routes, direction, Some(limits::ISOLATED_ROUTE_TIMEOUT))?;
        }
        let (next, asked, routes) = (AtomicU64::new(0), Mutex::default(), Mutex::new(routes));
        Ok(RemoteNetwork { news, next, asked, routes })
    }

    /// The answer to a lookup has come.
    pub(super) fn found(&self, call: u64, found: Found) {
        if let Some(asked) = self.asked.lock().remove(&call) {
            // The guest may not wait for it any more.
            let _ = asked.send(found);
        }
    }

    /// A place for an answer. There are as many as the parent does lookups: whoever asks for more is killed.
    fn expect_answer(&self) -> Result<(u64, oneshot::Receiver<Found>), NetworkError> {
        let (call, (set_found, found)) = (self.number(), oneshot::channel());
        let mut asked = self.asked.lock();
        if asked.len() >= limits::ISOLATED_LOOKUPS {
            return Err(NetworkError::TemporaryFailure);
        }
        asked.insert(call, set_found);
        Ok((call, found))
    }

    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn ask_route(&self, to: SocketAddr) -> io::Result<Result<SocketAddr, NetworkError>> {
        let number = self.number();
        let routes = self.routes.lock();
        send_blocking(routes.as_fd(), &Route { number, to })?;
        loop {
            match receive_blocking::<Routed>(routes.as_fd())? {
                Some((answer, _)) if answer.number == number => return Ok(answer.leads),
                // It belongs to somebody who lost patience.
                Some(_) => {}
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    }
}

#[async_trait::async_trait]
impl Network for RemoteNetwork {
    async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, NetworkError> {
        let room = self.news.reserve().await.map_err(|_| NetworkError::TemporaryFailure)?;
        let (call, found) = self.expect_answer()?;
        room.send(FromChild::Lookup(call, name.to_owned()));
        found.await.unwrap_or(Err(NetworkError::TemporaryFailure))
    }

    fn route(&self, _from: IpAddr, to: SocketAddr) -> Result<SocketAddr, NetworkError> {
        self.ask_route(to).unwrap_or_else(|error| {
            tracing::debug!(%error, "the node does not say where an address leads");
            Err(NetworkError::Unreachable)
        })
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, future::join_all};

    use super::*;
    use crate::isolated::channel;

    #[tokio::test]
    async fn no_more_is_asked_than_the_parent_answers() {
        let (_parents, routes) = channel::pair().unwrap();
        let (news, mut told) = mpsc::channel(2 * limits::ISOLATED_LOOKUPS);
        let network = RemoteNetwork::new(routes, news).unwrap();
        let mut numbers = Vec::new();
        for _ in 0..limits::ISOLATED_LOOKUPS {
            // In one go: tokio would have the task rest in between.
            assert!(tokio::task::unconstrained(network.lookup("db")).now_or_never().is_none());
            match told.try_recv().unwrap() {
                FromChild::Lookup(call, _) => numbers.push(call),
                other => panic!("{other:?}"),
            }
        }
        // Those were given up, but the parent does them.
        let refused = join_all((0..10).map(|_| network.lookup("db"))).await;
        assert!(refused.iter().all(|found| *found == Err(NetworkError::TemporaryFailure)));
        assert!(told.try_recv().is_err());
        network.found(numbers[0], Err(NetworkError::NotFound));
        assert!(tokio::task::unconstrained(network.lookup("db")).now_or_never().is_none());
        assert!(told.try_recv().is_ok(), "there is a place again");
    }
}
