//! What a program prints on its way to one client: a bounded buffer between the two.

use std::{collections::VecDeque, sync::Arc};

use bytes::{Bytes, BytesMut};
use coracle_wasi_host::{Output, Stream};
use futures::future::BoxFuture;
use memchr::memchr;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::terminal::Screen;
use crate::logs::Tap;

/// What may wait for a client. A command's guest waits beyond it; a client that is only attached is dropped.
const BUFFER_LIMIT_BYTES: usize = 512 * 1024;
/// A piece that has so much gets no more: there is room again whenever the client has taken one.
const PIECE_BYTES: usize = 64 * 1024;

/// What becomes of a program's two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// They stay two.
    Two,
    /// They become one, for a client that knows no other.
    One,
    /// They become a terminal's output, with line ends for a screen (ONLCR).
    Terminal,
}

/// Output of a program for one client.
pub struct OutputPipe {
    shape: Shape,
    state: Mutex<State>,
    /// Told when there is something to read, or never will be.
    filled: Notify,
    /// Told when there is room, or nobody who reads.
    emptied: Notify,
}

#[derive(Default)]
struct State {
    pieces: VecDeque<(Stream, BytesMut)>,
    bytes: usize,
    closed: bool,
    overrun: bool,
}

impl OutputPipe {
    /// An empty pipe.
    pub fn new(shape: Shape) -> Arc<OutputPipe> {
        let (filled, emptied) = (Notify::new(), Notify::new());
        Arc::new(OutputPipe { shape, state: Mutex::default(), filled, emptied })
    }

    /// The next piece, of whatever size; None at the end.
    pub async fn next(&self) -> Option<(Stream, Bytes)> {
        loop {
            let filled = self.filled.notified();
            tokio::pin!(filled);
            // Registered before looking, so that nothing in between is missed.
            filled.as_mut().enable();
            {
                let mut state = self.state.lock();
                if let Some((stream, piece)) = state.pieces.pop_front() {
                    state.bytes -= piece.len();
                    drop(state);
                    self.emptied.notify_waiters();
                    return Some((stream, piece.freeze()));
                }
                if state.closed {
                    return None;
                }
            }
            filled.await;
        }
    }

    /// Nothing more is written, since its client does not keep up; what is there can still be read.
    pub fn give_up(&self) {
        self.state.lock().overrun = true;
        self.close();
    }

    /// Nothing more is written; what is there can still be read.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.filled.notify_waiters();
        self.emptied.notify_waiters();
    }

    /// Whether it was closed, by either side.
    pub fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// Completes when it is closed.
    pub async fn closed(&self) {
        loop {
            let told = self.emptied.notified();
            tokio::pin!(told);
            told.as_mut().enable();
            if self.is_closed() {
                return;
            }
            told.await;
        }
    }

    /// Whether it was closed because its client did not keep up.
    pub fn is_overrun(&self) -> bool {
        self.state.lock().overrun
    }

    fn push(&self, state: &mut State, stream: Stream, bytes: &[u8]) {
        let stream = if self.shape == Shape::Two { stream } else { Stream::Stdout };
        if state.pieces.back().is_none_or(|(last, piece)| *last != stream || piece.len() >= PIECE_BYTES) {
            state.pieces.push_back((stream, BytesMut::new()));
        }
        let Some((_, piece)) = state.pieces.back_mut() else { return };
        let before = piece.len();
        if self.shape == Shape::Terminal {
            put_for_a_screen(piece, bytes);
        } else {
            piece.extend_from_slice(bytes);
        }
        state.bytes += piece.len() - before;
    }
}

/// Appends with a carriage return before each line feed.
fn put_for_a_screen(piece: &mut BytesMut, mut bytes: &[u8]) {
    while let Some(end) = memchr(b'\n', bytes) {
        piece.extend_from_slice(&bytes[..end]);
        piece.extend_from_slice(b"\r\n");
        bytes = &bytes[end + 1..];
    }
    piece.extend_from_slice(bytes);
}

impl Output for OutputPipe {
    fn write(&self, stream: Stream, bytes: &[u8]) {
        let mut state = self.state.lock();
        if state.closed || bytes.is_empty() {
            return;
        }
        self.push(&mut state, stream, bytes);
        drop(state);
        self.filled.notify_waiters();
    }

    fn room(&self) -> usize {
        let state = self.state.lock();
        // What nobody reads is taken and thrown away: the program ends in its own time.
        if state.closed { BUFFER_LIMIT_BYTES } else { BUFFER_LIMIT_BYTES.saturating_sub(state.bytes) }
    }

    fn wait_for_room(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            loop {
                let emptied = self.emptied.notified();
                tokio::pin!(emptied);
                emptied.as_mut().enable();
                if self.room() > 0 {
                    return;
                }
                emptied.await;
            }
        })
    }
}

impl Screen for OutputPipe {
    fn show(&self, bytes: &[u8]) {
        // A client that types without reading gets no echo.
        if bytes.len() <= self.room() {
            self.write(Stream::Stdout, bytes);
        }
    }
}

impl Tap for OutputPipe {
    fn offer(&self, stream: Stream, bytes: &[u8]) {
        let mut state = self.state.lock();
        if state.closed {
            return;
        }
        if state.bytes + bytes.len() > BUFFER_LIMIT_BYTES {
            (state.overrun, state.closed) = (true, true);
        } else {
            self.push(&mut state, stream, bytes);
        }
        let closed = state.closed;
        drop(state);
        self.filled.notify_waiters();
        if closed {
            self.emptied.notify_waiters();
        }
    }

    fn end(&self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pieces_come_out_in_order_and_then_the_end() {
        let pipe = OutputPipe::new(Shape::Two);
        pipe.write(Stream::Stdout, b"a");
        pipe.write(Stream::Stdout, b"b");
        pipe.write(Stream::Stderr, b"c");
        pipe.close();
        pipe.write(Stream::Stdout, b"too late");
        let read = async || pipe.next().await.map(|(stream, bytes)| (stream, bytes.to_vec()));
        assert_eq!(read().await, Some((Stream::Stdout, b"ab".to_vec())));
        assert_eq!(read().await, Some((Stream::Stderr, b"c".to_vec())));
        assert_eq!(read().await, None);
        assert!(!pipe.is_overrun());
    }

    #[tokio::test]
    async fn a_terminal_has_one_stream_and_line_ends_of_its_own() {
        for (shape, shown) in [(Shape::One, &b"a\nb\n\n"[..]), (Shape::Terminal, b"a\r\nb\r\n\r\n")] {
            let pipe = OutputPipe::new(shape);
            pipe.write(Stream::Stderr, b"a\n");
            pipe.write(Stream::Stdout, b"b\n\n");
            assert_eq!(pipe.next().await.unwrap(), (Stream::Stdout, Bytes::from_static(shown)));
            assert_eq!(pipe.room(), BUFFER_LIMIT_BYTES);
        }
    }

    #[tokio::test]
    async fn echo_is_shown_while_there_is_room_for_it() {
        let pipe = OutputPipe::new(Shape::Terminal);
        pipe.write(Stream::Stdout, &vec![0; BUFFER_LIMIT_BYTES - 1]);
        pipe.show(b"12");
        pipe.show(b"3");
        assert_eq!(pipe.next().await.unwrap().1.len(), BUFFER_LIMIT_BYTES - 1);
        assert_eq!(pipe.next().await.unwrap().1, Bytes::from_static(b"3"));
    }

    #[tokio::test]
    async fn a_writer_waits_for_room_until_somebody_reads_or_nobody_will() {
        let pipe = OutputPipe::new(Shape::Two);
        pipe.write(Stream::Stdout, &vec![0; BUFFER_LIMIT_BYTES]);
        assert_eq!(pipe.room(), 0);
        let ((), piece) = tokio::join!(pipe.wait_for_room(), pipe.next());
        assert_eq!((piece.unwrap().1.len(), pipe.room()), (BUFFER_LIMIT_BYTES, BUFFER_LIMIT_BYTES));
        pipe.write(Stream::Stdout, &vec![0; BUFFER_LIMIT_BYTES]);
        tokio::join!(pipe.wait_for_room(), async { pipe.close() });
    }

    #[tokio::test]
    async fn a_slow_client_makes_room_with_each_piece() {
        let pipe = OutputPipe::new(Shape::Two);
        while pipe.room() > 0 {
            pipe.write(Stream::Stdout, &[0; PIECE_BYTES]);
        }
        let ((), piece) = tokio::join!(pipe.wait_for_room(), pipe.next());
        assert_eq!((piece.unwrap().1.len(), pipe.room()), (PIECE_BYTES, PIECE_BYTES));
    }

    #[tokio::test]
    async fn a_tap_that_is_not_emptied_is_closed() {
        let pipe = OutputPipe::new(Shape::Two);
        pipe.offer(Stream::Stdout, &vec![0; BUFFER_LIMIT_BYTES]);
        assert!(!pipe.is_closed());
        pipe.offer(Stream::Stdout, b"more");
        assert!(pipe.is_overrun());
        assert_eq!(pipe.next().await.unwrap().1.len(), BUFFER_LIMIT_BYTES);
        assert_eq!(pipe.next().await, None);
    }
}
