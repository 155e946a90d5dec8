//! Frames of SPDY/3.1: taken apart as they arrive, put together to be sent.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::headers::{BlockError, HeaderReader};
use crate::streaming::wire::Headers;

/// The head of every frame.
const HEAD_BYTES: usize = 8;
/// The longest control frame that is taken. Data frames may have any length: they are passed on in pieces.
const CONTROL_LIMIT_BYTES: usize = 64 * 1024;
const VERSION: u16 = 3;
const CONTROL: u16 = 0x8000;
/// The only flag that is looked at: the last frame of a stream in this direction.
const FIN: u8 = 1;
/// Stream numbers have 31 bits.
const STREAM_MASK: u32 = 0x7fff_ffff;

const SYN_STREAM: u16 = 1;
const SYN_REPLY: u16 = 2;
const RST_STREAM: u16 = 3;
const SETTINGS: u16 = 4;
const PING: u16 = 6;
const GOAWAY: u16 = 7;
const HEADERS: u16 = 8;
const WINDOW_UPDATE: u16 = 9;

/// A frame from the client, or a piece of one.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// A stream is opened.
    SynStream {
        /// Its number.
        stream: u32,
        /// The client sends nothing on it.
        fin: bool,
        /// What it is for.
        headers: Headers,
    },
    /// A part of a data frame.
    Data {
        /// The stream's number.
        stream: u32,
        /// The part.
        bytes: Bytes,
        /// Nothing follows on this stream.
        fin: bool,
    },
    /// More headers of a stream, which nobody here looks at.
    Headers {
        /// The stream's number.
        stream: u32,
        /// Nothing follows on this stream.
        fin: bool,
    },
    /// A stream is given up.
    Reset {
        /// Its number.
        stream: u32,
    },
    /// To be answered with the same number, if it is one of the client's.
    Ping(u32),
    /// The client opens no more streams.
    GoAway,
    /// Something that asks for nothing: settings, windows, replies.
    Other,
}

/// Why what the client sends is no SPDY.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// another version
    #[error("a control frame of SPDY version {0}")]
    Version(u16),
    /// a control frame that is too long
    #[error("a control frame of {0} bytes")]
    TooLong(usize),
    /// a control frame that is too short for its type
    #[error("a control frame of type {0} is too short")]
    TooShort(u16),
    /// a type there is not
    #[error("a control frame of the unknown type {0}")]
    Type(u16),
    /// stream 0 is none
    #[error("a frame for stream 0")]
    Stream,
    /// a header block
    #[error(transparent)]
    Headers(#[from] BlockError),
}

/// Takes frames from what has arrived.
pub struct Decoder {
    headers: HeaderReader,
    rest: Option<Rest>,
}

/// A data frame that has not arrived whole.
struct Rest {
    stream: u32,
    left: usize,
    fin: bool,
}

impl Decoder {
    /// At the beginning of a connection.
    pub fn new() -> Decoder {
        Decoder { headers: HeaderReader::new(), rest: None }
    }

    /// The next frame, or piece of one, if it has arrived. After an error nothing can be read any more.
    pub fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        if let Some(rest) = self.rest.take() {
            return Ok(self.piece(rest, input));
        }
        let Some(head) = input.first_chunk::<HEAD_BYTES>() else { return Ok(None) };
        let word = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        let flags = head[4];
        let length = u32::from_be_bytes([0, head[5], head[6], head[7]]) as usize;
        if head[0] & 0x80 == 0 {
            input.advance(HEAD_BYTES);
            let stream = some_stream(word)?;
            return Ok(self.piece(Rest { stream, left: length, fin: flags & FIN != 0 }, input));
        }
        let version = u16::from_be_bytes([head[0], head[1]]) & !CONTROL;
        let kind = u16::from_be_bytes([head[2], head[3]]);
        if version != VERSION {
            return Err(FrameError::Version(version));
        }
        if length > CONTROL_LIMIT_BYTES {
            return Err(FrameError::TooLong(length));
        }
        if input.len() < HEAD_BYTES + length {
            return Ok(None);
        }
        input.advance(HEAD_BYTES);
        let payload = input.split_to(length);
        self.control(kind, flags & FIN != 0, &payload).map(Some)
    }

    /// What is there of a data frame.
    fn piece(&mut self, rest: Rest, input: &mut BytesMut) -> Option<Frame> {
        if input.is_empty() && rest.left > 0 {
            self.rest = Some(rest);
            return None;
        }
        let bytes = input.split_to(rest.left.min(input.len())).freeze();
        let left = rest.left - bytes.len();
        let (stream, fin) = (rest.stream, rest.fin);
        if left > 0 {
            self.rest = Some(Rest { left, ..rest });
        }
        Some(Frame::Data { stream, bytes, fin: fin && left == 0 })
    }

    fn control(&mut self, kind: u16, fin: bool, mut payload: &[u8]) -> Result<Frame, FrameError> {
        let mut word = || {
            let (bytes, rest) = payload.split_first_chunk::<4>().ok_or(FrameError::TooShort(kind))?;
            payload = rest;
            Ok::<u32, FrameError>(u32::from_be_bytes(*bytes))
        };
        Ok(match kind {
            SYN_STREAM => {
                let stream = some_stream(word()?)?;
                let _associated = word()?;
                // Two bytes of priority and slot.
                let block = payload.get(2..).ok_or(FrameError::TooShort(kind))?;
                Frame::SynStream { stream, fin, headers: self.headers.read(block)? }
            }
            HEADERS => {
                let stream = some_stream(word()?)?;
                // Read even though nobody looks: the next block is compressed in this one's light.
                self.headers.read(payload)?;
                Frame::Headers { stream, fin }
            }
            SYN_REPLY => {
                word()?;
                self.headers.read(payload)?;
                Frame::Other
            }
            RST_STREAM => Frame::Reset { stream: some_stream(word()?)? },
            PING => Frame::Ping(word()?),
            GOAWAY => Frame::GoAway,
            SETTINGS | WINDOW_UPDATE => Frame::Other,
            other => return Err(FrameError::Type(other)),
        })
    }
}

fn some_stream(word: u32) -> Result<u32, FrameError> {
    match word & STREAM_MASK {
        0 => Err(FrameError::Stream),
        stream => Ok(stream),
    }
}

fn put_head(out: &mut BytesMut, kind: u16, length: usize) {
    out.put_u16(CONTROL | VERSION);
    out.put_u16(kind);
    // No flags; lengths are of our own frames and have three bytes.
    out.put_u32(u32::try_from(length).unwrap_or_default());
}

/// Appends the reply to a stream's opening, with a header block.
pub fn put_reply(out: &mut BytesMut, stream: u32, block: &[u8]) {
    put_head(out, SYN_REPLY, 4 + block.len());
    out.put_u32(stream);
    out.extend_from_slice(block);
}

/// Appends a refusal of a stream.
pub fn put_reset(out: &mut BytesMut, stream: u32, status: u32) {
    put_head(out, RST_STREAM, 8);
    out.put_u32(stream);
    out.put_u32(status);
}

/// Appends a ping, or the answer to one.
pub fn put_ping(out: &mut BytesMut, id: u32) {
    put_head(out, PING, 4);
    out.put_u32(id);
}

/// Appends the end of the connection: no stream after `last` has been looked at.
pub fn put_goaway(out: &mut BytesMut, last: u32) {
    put_head(out, GOAWAY, 8);
    out.put_u32(last);
    out.put_u32(0);
}

/// The most that one of our data frames carries.
pub const DATA_LIMIT_BYTES: usize = 1 << 20;

/// Appends a data frame of at most [`DATA_LIMIT_BYTES`].
pub fn put_data(out: &mut BytesMut, stream: u32, bytes: &[u8], fin: bool) {
    let flags = if fin { u32::from(FIN) << 24 } else { 0 };
    out.reserve(HEAD_BYTES + bytes.len());
    out.put_u32(stream);
    out.put_u32(flags | u32::try_from(bytes.len()).unwrap_or_default());
    out.extend_from_slice(bytes);
}
