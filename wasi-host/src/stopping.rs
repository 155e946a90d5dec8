//! How a container is told to end: when it is interrupted, and as what.

use std::time::Instant;

use tokio::sync::watch;

use crate::{Exit, Signal};

/// When a container that was asked to stop is interrupted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ending {
    /// The end of its grace.
    pub(crate) at: Instant,
    /// What its terminal sent, if that is what ends it.
    pub(crate) signal: Option<Signal>,
}

/// What a container hears of its end. None: nobody asked.
pub(crate) type StopSignal = watch::Receiver<Option<Ending>>;

/// Asks for an end, unless an earlier one has been asked for.
pub(crate) fn ask(stop: &watch::Sender<Option<Ending>>, ending: Ending) {
    stop.send_if_modified(|asked| {
        let shortens = asked.is_none_or(|asked| ending.at < asked.at);
        if shortens {
            *asked = Some(ending);
        }
        shortens
    });
}

/// Completes when the grace of a stop is over, with the exit that this is; never, if nobody asks.
pub(crate) async fn interrupted(mut stop: StopSignal) -> Exit {
    loop {
        let ending = *stop.borrow_and_update();
        let over = async {
            match ending {
                Some(Ending { at, signal }) => {
                    tokio::time::sleep_until(at.into()).await;
                    signal.map_or_else(Exit::killed, Exit::interrupted)
                }
                None => std::future::pending().await,
            }
        };
        tokio::pin!(over);
        tokio::select! {
            exit = &mut over => return exit,
            // No handle is left that could ask; whoever asked before is still to be obeyed.
            changed = stop.changed() => if changed.is_err() { return over.await },
        }
    }
}
