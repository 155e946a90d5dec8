//! What SPDY and WebSocket have in common: numbered streams in one connection.

use std::{io, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Mutex;

/// Something the client did.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// It opened a stream and said what for. Over WebSocket all streams are open from the beginning.
    Open {
        /// The stream's number.
        stream: u32,
        /// What it said.
        headers: Headers,
    },
    /// It sent a piece.
    Data {
        /// The stream's number.
        stream: u32,
        /// The piece.
        bytes: Bytes,
    },
    /// It sends no more on this stream.
    End {
        /// The stream's number.
        stream: u32,
    },
    /// It wants no more of this stream in either direction.
    Reset {
        /// The stream's number.
        stream: u32,
    },
}

/// The headers of a stream; names are in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<(String, String)>);

impl Headers {
    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What comes from the client. Dropping the future of `next` loses nothing.
#[async_trait]
pub trait Source: Send {
    /// The next thing. None: the client is gone.
    async fn next(&mut self) -> Option<Event>;
}

/// What goes to the client. A future that is dropped leaves nothing half-written: the rest goes out with the next.
#[async_trait]
pub trait Sink: Send {
    /// Sends a piece on a stream.
    async fn data(&mut self, stream: u32, bytes: &[u8]) -> io::Result<()>;

    /// Says that no more will be sent on a stream, where the protocol can say so.
    async fn end(&mut self, stream: u32) -> io::Result<()>;

    /// Says that nothing more is wanted of a stream in either direction, where the protocol can say so.
    async fn reset(&mut self, stream: u32) -> io::Result<()>;

    /// Asks the client for a sign of life; fails once the connection is known to be gone.
    async fn ping(&mut self) -> io::Result<()>;

    /// Says that the connection is over.
    async fn close(&mut self) -> io::Result<()>;
}

/// The sending side, which several tasks use.
pub type SharedSink = Arc<Mutex<dyn Sink>>;

/// Both sides.
pub struct Connection {
    /// What comes from the client.
    pub source: Box<dyn Source>,
    /// What goes to it.
    pub sink: SharedSink,
}
