//! Whether the API server can be reached: one view for all of the node.
//!
//! The node's signs of life tell ([`Link::probe`]); while the server is away, nobody else asks it. All other requests go
//! through clients of the link ([`clients`]): they have a time limit, raise doubts when they fail, and while the server is
//! away they fail at once, or wait for it.
//!
//! Invariant: nothing that a pod needs in order to go on waits for the server.

mod clients;

use std::{sync::Arc, time::Duration};

use coracle_client::is_unreachable;
use kube::Client;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, timeout},
};

/// How long a sign of life may take. A server that hangs is away too.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// After so long a silence the others have noticed: what the node told before counts no more (the life of its Lease).
const SILENCE_LIMIT: Duration = Duration::from_secs(40);

/// Nobody asked the server: it is away.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub enum Away {
    /// It has been away for a while
    #[error("the API server cannot be reached")]
    Known,
    /// It has not answered
    #[error("the API server has not answered in {0:?}")]
    Silent(Duration),
}

impl From<Away> for kube::Error {
    fn from(away: Away) -> kube::Error {
        kube::Error::Service(Box::new(away))
    }
}

/// See the module.
pub struct Link {
    /// The server is in this process: it is never away.
    steady: bool,
    state: watch::Sender<State>,
    doubt: Notify,
}

#[derive(Debug, Clone, Copy)]
struct State {
    up: bool,
    /// How often it has come back.
    returns: u64,
    /// When it answered last.
    heard: Instant,
}

impl Link {
    /// The link to a server, which is taken to be there until something else is known.
    pub fn new() -> Arc<Link> {
        Arc::new(Link::with(false))
    }

    /// The link to a server in the same process.
    pub fn steady() -> Arc<Link> {
        Arc::new(Link::with(true))
    }

    fn with(steady: bool) -> Link {
        let state = State { up: true, returns: 0, heard: Instant::now() };
        Link { steady, state: watch::Sender::new(state), doubt: Notify::new() }
    }

    /// A client whose requests fail at once while the server is away.
    pub fn client(self: &Arc<Self>, inner: &Client) -> Client {
        if self.steady { inner.clone() } else { clients::impatient(self, inner) }
    }

    /// A client for watches: its requests wait for the server, and what it streams ends when the server is lost, so that
    /// whoever watches asks again.
    pub fn watching_client(self: &Arc<Self>, inner: &Client) -> Client {
        if self.steady { inner.clone() } else { clients::patient(self, inner) }
    }

    /// Whether the server can be reached, as far as is known.
    pub fn is_up(&self) -> bool {
        self.state.borrow().up
    }

    /// How often the server has come back: others may have written meanwhile what is the node's to say.
    pub fn returns(&self) -> u64 {
        self.state.borrow().returns
    }

    /// Returns when the server can be reached.
    pub async fn up(&self) {
        // The sender is `self`, so it outlives the wait.
        let _ = self.state.subscribe().wait_for(|state| state.up).await;
    }

    /// Returns when the server can't be reached.
    pub async fn lost(&self) {
        let _ = self.state.subscribe().wait_for(|state| !state.up).await;
    }

    /// Returns when the server has come back once more than so often.
    pub async fn returned(&self, times: u64) {
        let _ = self.state.subscribe().wait_for(|state| state.returns > times).await;
    }

    /// The server counts as away until it answers.
    pub fn give_up(&self) {
        self.state.send_if_modified(|state| std::mem::replace(&mut state.up, false));
    }

    /// Something speaks for the server being away: whoever gives signs of life should ask.
    pub fn doubt(&self) {
        self.doubt.notify_one();
    }

    /// Returns when there has been a doubt since the last time.
    pub async fn doubted(&self) {
        self.doubt.notified().await;
    }

    /// Asks the server for something; whether it answers, whatever that is, tells whether it is there.
    ///
    /// # Errors
    /// Those of the request, and no answer in time.
    pub async fn probe<T>(&self, request: impl Future<Output = kube::Result<T>>) -> kube::Result<T> {
        if self.steady {
            return request.await.inspect(|_| self.hear());
        }
        let answer = match timeout(PROBE_TIMEOUT, request).await {
            Ok(answer) => answer,
            Err(_) => Err(Away::Silent(PROBE_TIMEOUT).into()),
        };
        match &answer {
            Err(error) if is_unreachable(error) => self.miss(error),
            _ => self.hear(),
        }
        answer
    }

    /// The server has not answered.
    fn miss(&self, error: &kube::Error) {
        if self.is_up() {
            tracing::warn!(%error, "the API server can't be reached; pods go on without it");
            self.give_up();
        }
    }

    /// The server has answered.
    fn hear(&self) {
        let now = Instant::now();
        let change = |state: &mut State| {
            let back = !state.up || now.duration_since(state.heard) > SILENCE_LIMIT;
            state.heard = now;
            state.up = true;
            state.returns += u64::from(back);
            back
        };
        if self.state.send_if_modified(change) {
            tracing::info!("the API server is back");
        }
    }
}

#[cfg(test)]
mod tests;
