//! A connection: frames become events, and what is sent becomes frames.

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::Arc,
};

use async_trait::async_trait;
use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::Mutex,
};

use super::{
    frame::{DATA_LIMIT_BYTES, Decoder, Frame, put_data, put_goaway, put_ping, put_reply, put_reset},
    headers::HeaderWriter,
};
use crate::streaming::wire::{Connection, Event, Headers, Sink, Source};

/// Streams that may be open at once. A forwarded connection has two.
const STREAMS_LIMIT: usize = 2048;
/// The block that is read into, until less than the smaller of the two is left of it.
const READ_BYTES: usize = 64 * 1024;
const READ_LEAST_BYTES: usize = 8 * 1024;
/// The status of a stream that is refused (`REFUSED_STREAM`).
const REFUSED: u32 = 3;
/// The status of a stream that is given up (`CANCEL`).
const CANCELLED: u32 = 5;

/// A connection whose client speaks SPDY/3.1.
pub fn connect<R, W>(reader: R, writer: W) -> Connection
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let sink = Arc::new(Mutex::new(SpdySink {
        writer,
        pending: BytesMut::new(),
        replies: HeaderWriter::new(),
        open: HashMap::new(),
        last: 0,
        pings: 0,
    }));
    let source = SpdySource {
        reader,
        input: BytesMut::new(),
        decoder: Decoder::new(),
        frame: None,
        events: VecDeque::new(),
        owes: false,
        sink: Arc::clone(&sink),
    };
    Connection { source: Box::new(source), sink }
}

struct SpdySource<R, W> {
    reader: R,
    input: BytesMut,
    decoder: Decoder,
    /// A frame that waits to be looked at, so that a dropped future loses none.
    frame: Option<Frame>,
    /// What is to be told next: of one frame, so at most two.
    events: VecDeque<Event>,
    /// The sink has replies of ours that are to be written before anything else.
    owes: bool,
    sink: Arc<Mutex<SpdySink<W>>>,
}

#[async_trait]
impl<R: AsyncRead + Send + Unpin, W: AsyncWrite + Send + Unpin> Source for SpdySource<R, W> {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.owes {
                self.sink.lock().await.write_out().await.ok()?;
                self.owes = false;
            }
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if self.frame.is_some() {
                let mut sink = self.sink.lock().await;
                let Some(frame) = self.frame.take() else { continue };
                self.owes = look(frame, &mut sink, &mut self.events);
                continue;
            }
            match self.decoder.decode(&mut self.input) {
                // The rule, and in need of nothing but to be passed on.
                Ok(Some(Frame::Data { stream, bytes, fin: false })) => return Some(Event::Data { stream, bytes }),
                Ok(Some(frame)) => self.frame = Some(frame),
                Ok(None) => {
                    // Pieces that are passed on keep their block; a new one for each read would be mostly empty.
                    if self.input.capacity() - self.input.len() < READ_LEAST_BYTES {
                        self.input.reserve(READ_BYTES);
                    }
                    // An error is an end like any other: the client is gone.
                    if self.reader.read_buf(&mut self.input).await.unwrap_or(0) == 0 {
                        return None;
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "a client speaks no SPDY");
                    return None;
                }
            }
        }
    }
}

/// What a frame means for the streams; says whether there is something to reply.
fn look<W: AsyncWrite + Send + Unpin>(frame: Frame, sink: &mut SpdySink<W>, events: &mut VecDeque<Event>) -> bool {
    let end = |fin: bool, stream: u32, events: &mut VecDeque<Event>, sink: &mut SpdySink<W>| {
        if fin {
            sink.half_closed(stream, |half| half.client = true);
            events.push_back(Event::End { stream });
        }
    };
    match frame {
        Frame::SynStream { stream, fin, headers } => {
            if sink.accept(stream) {
                events.push_back(Event::Open { stream, headers });
                end(fin, stream, events, sink);
            }
            return true;
        }
        Frame::Data { stream, bytes, fin } => {
            if !bytes.is_empty() {
                events.push_back(Event::Data { stream, bytes });
            }
            end(fin, stream, events, sink);
        }
        Frame::Headers { stream, fin } => end(fin, stream, events, sink),
        Frame::Reset { stream } => {
            sink.open.remove(&stream);
            events.push_back(Event::Reset { stream });
        }
        // Even numbers are answers to our own.
        Frame::Ping(id) if id % 2 == 1 => {
            put_ping(&mut sink.pending, id);
            return true;
        }
        Frame::Ping(_) | Frame::GoAway | Frame::Other => {}
    }
    false
}

/// Which directions of a stream are over.
#[derive(Default)]
struct Half {
    client: bool,
    server: bool,
}

struct SpdySink<W> {
    writer: W,
    /// Whole frames, of which the first may have been written in part.
    pending: BytesMut,
    replies: HeaderWriter,
    open: HashMap<u32, Half>,
    last: u32,
    pings: u32,
}

impl<W: AsyncWrite + Send + Unpin> SpdySink<W> {
    /// Replies to the opening of a stream: with an acceptance, if there is room.
    fn accept(&mut self, stream: u32) -> bool {
        let fresh = stream % 2 == 1 && stream > self.last;
        if !fresh || self.open.len() >= STREAMS_LIMIT {
            put_reset(&mut self.pending, stream, REFUSED);
            return false;
        }
        self.last = stream;
        self.open.insert(stream, Half::default());
        let block = self.replies.write(&Headers::default());
        put_reply(&mut self.pending, stream, &block);
        true
    }

    fn half_closed(&mut self, stream: u32, change: impl FnOnce(&mut Half)) {
        if let Some(half) = self.open.get_mut(&stream) {
            change(half);
            if half.client && half.server {
                self.open.remove(&stream);
            }
        }
    }

    async fn write_out(&mut self) -> io::Result<()> {
        while !self.pending.is_empty() {
            if self.writer.write_buf(&mut self.pending).await? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        self.writer.flush().await
    }
}

#[async_trait]
impl<W: AsyncWrite + Send + Unpin> Sink for SpdySink<W> {
    async fn data(&mut self, stream: u32, bytes: &[u8]) -> io::Result<()> {
        if self.open.get(&stream).is_none_or(|half| half.server) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        for piece in bytes.chunks(DATA_LIMIT_BYTES) {
            put_data(&mut self.pending, stream, piece, false);
            self.write_out().await?;
        }
        Ok(())
    }

    async fn end(&mut self, stream: u32) -> io::Result<()> {
        if self.open.get(&stream).is_some_and(|half| !half.server) {
            put_data(&mut self.pending, stream, b"", true);
            self.half_closed(stream, |half| half.server = true);
        }
        self.write_out().await
    }

    async fn reset(&mut self, stream: u32) -> io::Result<()> {
        if self.open.remove(&stream).is_some() {
            put_reset(&mut self.pending, stream, CANCELLED);
        }
        self.write_out().await
    }

    async fn ping(&mut self) -> io::Result<()> {
        self.pings = self.pings.wrapping_add(2);
        put_ping(&mut self.pending, self.pings);
        self.write_out().await
    }

    async fn close(&mut self) -> io::Result<()> {
        put_goaway(&mut self.pending, self.last);
        self.write_out().await?;
        self.writer.shutdown().await
    }
}
