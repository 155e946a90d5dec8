//! Kubernetes' channels in a WebSocket: the first byte of each message says which.

use std::{io, sync::Arc};

use async_trait::async_trait;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{BufMut, Bytes, BytesMut};
use futures::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Mutex,
};
use tokio_util::io::{CopyToBytes, SinkWriter, StreamReader};

use super::wire::{Connection, Event, Sink, Source};

/// The longest message that is taken: what Kubernetes' own server takes.
pub const MESSAGE_LIMIT_BYTES: usize = 32 << 20;
/// The longest piece of a message that is passed on: whoever is slow has pieces waiting for him, not messages.
const PIECE_BYTES: usize = 64 << 10;
/// Says that a channel, named in the message's second byte, gets no more (v5).
const CLOSE_CHANNEL: u8 = 255;

/// How the channels of a WebSocket are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Encoding {
    /// As text in base 64, with the channel's digit in front.
    pub base64: bool,
    /// With a channel that closes others.
    pub closes: bool,
}

impl Encoding {
    /// That of a subprotocol.
    pub fn of(protocol: &str) -> Encoding {
        Encoding { base64: protocol.contains("base64."), closes: protocol.starts_with("v5.") }
    }
}

/// A connection whose channels are streams of the same numbers.
pub fn connect(socket: WebSocket, encoding: Encoding) -> Connection {
    let (sink, stream) = socket.split();
    let source = ChannelSource { stream, encoding, rest: None };
    Connection { source: Box::new(source), sink: Arc::new(Mutex::new(ChannelSink { sink, encoding })) }
}

struct ChannelSource {
    stream: SplitStream<WebSocket>,
    encoding: Encoding,
    /// What is left of a message that is passed on in pieces, and its channel.
    rest: Option<(u32, Bytes)>,
}

#[async_trait]
impl Source for ChannelSource {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(piece) = cut(&mut self.rest) {
                return Some(piece);
            }
            let bytes = match self.stream.next().await?.ok()? {
                Message::Binary(bytes) => bytes,
                // Whatever the subprotocol is, clients send either kind.
                Message::Text(text) => Bytes::from(text),
                Message::Ping(_) | Message::Pong(_) => continue,
                Message::Close(_) => return None,
            };
            match event(self.encoding, bytes) {
                Some(Event::Data { stream, bytes }) if bytes.len() > PIECE_BYTES => self.rest = Some((stream, bytes)),
                Some(event) => return Some(event),
                None => {}
            }
        }
    }
}

/// The next piece of a long message. It is a copy, so that it doesn't keep the whole of it.
fn cut(rest: &mut Option<(u32, Bytes)>) -> Option<Event> {
    let (stream, bytes) = rest.as_mut()?;
    let piece = bytes.split_to(bytes.len().min(PIECE_BYTES));
    let event = Event::Data { stream: *stream, bytes: Bytes::copy_from_slice(&piece) };
    if bytes.is_empty() {
        *rest = None;
    }
    Some(event)
}

/// What a message says; None: nothing.
fn event(encoding: Encoding, mut message: Bytes) -> Option<Event> {
    if message.is_empty() {
        return None;
    }
    let channel = message.split_to(1)[0];
    if encoding.base64 {
        let stream = u32::from(channel.checked_sub(b'0')?);
        let bytes = STANDARD.decode(&message).ok()?;
        return Some(Event::Data { stream, bytes: bytes.into() });
    }
    if encoding.closes && channel == CLOSE_CHANNEL {
        return Some(Event::End { stream: u32::from(*message.first()?) });
    }
    Some(Event::Data { stream: u32::from(channel), bytes: message })
}

struct ChannelSink {
    sink: SplitSink<WebSocket, Message>,
    encoding: Encoding,
}

impl ChannelSink {
    async fn send(&mut self, message: Message) -> io::Result<()> {
        self.sink.send(message).await.map_err(io::Error::other)
    }
}

/// A piece as a message.
fn message(encoding: Encoding, stream: u32, bytes: &[u8]) -> Message {
    // Channels are few: three or five of a command, two for each of some forwarded ports.
    let channel = u8::try_from(stream).unwrap_or(u8::MAX);
    if encoding.base64 {
        let mut text = String::with_capacity(bytes.len() * 4 / 3 + 5);
        text.push(char::from(b'0'.saturating_add(channel)));
        STANDARD.encode_string(bytes, &mut text);
        return Message::Text(text.into());
    }
    let mut message = BytesMut::with_capacity(bytes.len() + 1);
    message.put_u8(channel);
    message.extend_from_slice(bytes);
    Message::Binary(message.freeze())
}

#[async_trait]
impl Sink for ChannelSink {
    async fn data(&mut self, stream: u32, bytes: &[u8]) -> io::Result<()> {
        self.send(message(self.encoding, stream, bytes)).await
    }

    async fn end(&mut self, _stream: u32) -> io::Result<()> {
        // Channels of the server end with the connection.
        Ok(())
    }

    async fn reset(&mut self, _stream: u32) -> io::Result<()> {
        Ok(())
    }

    async fn ping(&mut self) -> io::Result<()> {
        self.send(Message::Ping(Bytes::new())).await
    }

    async fn close(&mut self) -> io::Result<()> {
        self.send(Message::Close(Some(CloseFrame { code: close_code::NORMAL, reason: "".into() }))).await
    }
}

/// The bytes that binary messages carry, as streams of bytes: what is tunnelled through a WebSocket.
pub fn tunnel(
    socket: WebSocket,
) -> (impl AsyncRead + Send + Unpin + 'static, impl AsyncWrite + Send + Unpin + 'static) {
    let (sink, stream) = socket.split();
    let pieces = stream.filter_map(|message| {
        let piece = match message {
            Ok(Message::Binary(bytes)) => Some(Ok(bytes)),
            Ok(_) => None,
            Err(error) => Some(Err(io::Error::other(error))),
        };
        std::future::ready(piece)
    });
    let sink = sink
        .sink_map_err(io::Error::other)
        .with(|bytes: Bytes| std::future::ready(Ok::<_, io::Error>(Message::Binary(bytes))));
    (StreamReader::new(pieces), SinkWriter::new(CopyToBytes::new(sink)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(stream: u32, bytes: &'static [u8]) -> Option<Event> {
        Some(Event::Data { stream, bytes: Bytes::from_static(bytes) })
    }

    #[test]
    fn a_message_names_its_channel() {
        let v4 = Encoding::of("v4.channel.k8s.io");
        assert_eq!(event(v4, Bytes::from_static(b"\x00hello")), data(0, b"hello"));
        assert_eq!(event(v4, Bytes::from_static(b"\x04")), data(4, b""));
        assert_eq!(event(v4, Bytes::new()), None);
        assert_eq!(event(v4, Bytes::from_static(b"\xff\x00")), data(255, b"\0"));
        assert_eq!(message(v4, 1, b"hi"), Message::Binary(Bytes::from_static(b"\x01hi")));
    }

    #[test]
    fn a_long_message_is_passed_on_in_pieces_that_do_not_keep_it() {
        let whole = Bytes::from((0..PIECE_BYTES * 2 + 1).map(|n| (n % 251) as u8).collect::<Vec<_>>());
        let (mut rest, mut pieces) = (Some((3, whole.clone())), Vec::new());
        while let Some(event) = cut(&mut rest) {
            let Event::Data { stream: 3, bytes } = event else { panic!("{event:?}") };
            assert!(!whole.as_ptr_range().contains(&bytes.as_ptr()));
            pieces.push(bytes);
        }
        assert_eq!(pieces.iter().map(Bytes::len).collect::<Vec<_>>(), [PIECE_BYTES, PIECE_BYTES, 1]);
        assert_eq!(pieces.concat(), whole);
    }

    #[test]
    fn only_version_5_closes_channels() {
        let v5 = Encoding::of("v5.channel.k8s.io");
        assert_eq!(event(v5, Bytes::from_static(b"\xff\x00")), Some(Event::End { stream: 0 }));
        assert_eq!(event(v5, Bytes::from_static(b"\xff")), None);
    }

    #[test]
    fn base_64_is_text_behind_a_digit() {
        for protocol in ["v4.base64.channel.k8s.io", "base64.channel.k8s.io"] {
            let encoding = Encoding::of(protocol);
            assert_eq!(event(encoding, Bytes::from_static(b"0aGVsbG8=")), data(0, b"hello"));
            assert_eq!(event(encoding, Bytes::from_static(b"0!")), None);
            assert_eq!(event(encoding, Bytes::from_static(b"\x00aGVsbG8=")), None);
            assert_eq!(message(encoding, 2, b"hello"), Message::Text("2aGVsbG8=".into()));
        }
    }
}
