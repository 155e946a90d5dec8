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
        let call = self.number();
        let (set_found, found) = oneshot::channel();
        self.asked.lock().insert(call, set_found);
        let _forget = Forget { network: self, call };
        let asked = self.news.send(FromChild::Lookup(call, name.to_owned())).await;
        asked.map_err(|_| NetworkError::TemporaryFailure)?;
        found.await.unwrap_or(Err(NetworkError::TemporaryFailure))
    }

    fn route(&self, _from: IpAddr, to: SocketAddr) -> Result<SocketAddr, NetworkError> {
        self.ask_route(to).unwrap_or_else(|error| {
            tracing::debug!(%error, "the node does not say where an address leads");
            Err(NetworkError::Unreachable)
        })
    }
}

/// A lookup that its guest has given up, or that is answered, is not waited for.
struct Forget<'a> {
    network: &'a RemoteNetwork,
    call: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.network.asked.lock().remove(&self.call);
    }
}
