//! Against a client made of the same parts, and against anything at all.

use bytes::{BufMut, Bytes, BytesMut};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    connect,
    frame::{Decoder, Frame, FrameError, put_data, put_goaway, put_ping, put_reset},
    headers::{BLOCK_LIMIT_BYTES, BlockError, HeaderReader, HeaderWriter},
};
use crate::streaming::wire::{Event, Headers};

fn headers(pairs: &[(&str, &str)]) -> Headers {
    Headers(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

/// A frame that only clients send.
fn put_syn(out: &mut BytesMut, stream: u32, fin: bool, block: &[u8]) {
    out.put_u32(0x8003_0001);
    out.put_u32(u32::from(fin) << 24 | u32::try_from(block.len() + 10).unwrap());
    out.put_u32(stream);
    out.put_u32(0);
    out.put_u16(0);
    out.extend_from_slice(block);
}

fn decode_all(mut input: BytesMut) -> Result<Vec<Frame>, FrameError> {
    let mut decoder = Decoder::new();
    let mut frames = Vec::new();
    while let Some(frame) = decoder.decode(&mut input)? {
        frames.push(frame);
    }
    Ok(frames)
}

#[test]
fn header_blocks_go_around_in_one_context() {
    let (mut writer, mut reader) = (HeaderWriter::new(), HeaderReader::new());
    for given in [
        headers(&[("streamtype", "error"), ("port", "80"), ("requestid", "0")]),
        headers(&[("streamtype", "data"), ("port", "80"), ("requestid", "0")]),
        Headers::default(),
        headers(&[("long", &"x".repeat(20_000))]),
    ] {
        assert_eq!(reader.read(&writer.write(&given)).unwrap(), given);
    }
    let many = headers(&[("a", "one\0two")]);
    assert_eq!(reader.read(&writer.write(&many)).unwrap().get("a"), Some("one"));
}

#[test]
fn a_block_that_grows_beyond_all_bounds_is_refused() {
    let bomb = headers(&[("a", &"x".repeat(BLOCK_LIMIT_BYTES * 4))]);
    assert_eq!(HeaderReader::new().read(&HeaderWriter::new().write(&bomb)), Err(BlockError::TooLong));
    assert_eq!(HeaderReader::new().read(b"\xff\xffnonsense"), Err(BlockError::Compression));
    assert!(HeaderReader::new().read(b"").is_err());
}

#[test]
fn frames_are_taken_apart_in_pieces_of_any_size() {
    let mut wire = BytesMut::new();
    put_syn(&mut wire, 1, false, &HeaderWriter::new().write(&headers(&[("streamtype", "stdin")])));
    put_data(&mut wire, 1, b"hello", false);
    put_data(&mut wire, 1, b"", true);
    put_ping(&mut wire, 7);
    put_reset(&mut wire, 1, 5);
    put_goaway(&mut wire, 1);
    let whole = decode_all(wire.clone()).unwrap();
    let data = |bytes: &'static [u8], fin| Frame::Data { stream: 1, bytes: Bytes::from_static(bytes), fin };
    assert_eq!(
        whole[1..],
        [data(b"hello", false), data(b"", true), Frame::Ping(7), Frame::Reset { stream: 1 }, Frame::GoAway]
    );
    let (mut decoder, mut input, mut text) = (Decoder::new(), BytesMut::new(), Vec::new());
    let mut others = 0;
    for byte in wire {
        input.put_u8(byte);
        while let Some(frame) = decoder.decode(&mut input).unwrap() {
            match frame {
                Frame::Data { bytes, .. } => text.extend_from_slice(&bytes),
                _ => others += 1,
            }
        }
    }
    assert_eq!((text.as_slice(), others), (&b"hello"[..], 4));
}

#[test]
fn what_is_no_spdy_is_refused() {
    let frame = |bytes: &[u8]| decode_all(BytesMut::from(bytes)).unwrap_err();
    assert_eq!(frame(&[0x80, 2, 0, 6, 0, 0, 0, 4]), FrameError::Version(2));
    assert_eq!(frame(&[0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff]), FrameError::TooLong(0x00ff_ffff));
    assert_eq!(frame(&[0x80, 3, 0, 6, 0, 0, 0, 1, 0]), FrameError::TooShort(6));
    assert_eq!(frame(&[0x80, 3, 0, 5, 0, 0, 0, 0]), FrameError::Type(5));
    assert_eq!(frame(&[0; 8]), FrameError::Stream);
}

proptest! {
    #[test]
    fn nothing_a_client_sends_breaks_the_decoder(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = decode_all(BytesMut::from(bytes.as_slice()));
        let _ = HeaderReader::new().read(&bytes);
    }

    #[test]
    fn nor_does_a_real_frame_with_a_flaw(at in 0_usize..60, value in any::<u8>()) {
        let mut wire = BytesMut::new();
        put_syn(&mut wire, 1, false, &HeaderWriter::new().write(&headers(&[("streamtype", "stdin"), ("port", "8080")])));
        put_data(&mut wire, 1, b"some text", true);
        let at = at % wire.len();
        wire[at] = value;
        let _ = decode_all(wire);
    }
}

#[tokio::test]
async fn a_connection_accepts_streams_answers_pings_and_says_when_it_is_over() {
    let (client, server) = tokio::io::duplex(64 * 1024);
    let (reader, writer) = tokio::io::split(server);
    let mut connection = connect(reader, writer);
    let (mut from, mut to) = tokio::io::split(client);
    let mut wire = BytesMut::new();
    put_syn(&mut wire, 1, false, &HeaderWriter::new().write(&headers(&[("streamtype", "stdin")])));
    put_ping(&mut wire, 3);
    put_data(&mut wire, 1, b"hello", true);
    to.write_all(&wire).await.unwrap();
    let opened = connection.source.next().await.unwrap();
    assert_eq!(opened, Event::Open { stream: 1, headers: headers(&[("streamtype", "stdin")]) });
    assert_eq!(connection.source.next().await.unwrap(), Event::Data { stream: 1, bytes: Bytes::from_static(b"hello") });
    assert_eq!(connection.source.next().await.unwrap(), Event::End { stream: 1 });
    {
        let mut sink = connection.sink.lock().await;
        sink.data(1, b"answer").await.unwrap();
        sink.end(1).await.unwrap();
        assert!(sink.data(1, b"more").await.is_err());
        assert!(sink.data(9, b"nowhere").await.is_err());
        // Over already: there is nothing to reset.
        sink.reset(1).await.unwrap();
        sink.close().await.unwrap();
    }
    drop(to);
    let mut answer = Vec::new();
    from.read_to_end(&mut answer).await.unwrap();
    let frames = decode_all(BytesMut::from(answer.as_slice())).unwrap();
    let data = |bytes: &'static [u8], fin| Frame::Data { stream: 1, bytes: Bytes::from_static(bytes), fin };
    assert_eq!(frames, [Frame::Other, Frame::Ping(3), data(b"answer", false), data(b"", true), Frame::GoAway]);
}

#[tokio::test]
async fn a_stream_that_is_reset_by_the_server_leaves_its_place() {
    let (client, server) = tokio::io::duplex(64 * 1024);
    let (reader, writer) = tokio::io::split(server);
    let mut connection = connect(reader, writer);
    let (mut from, mut to) = tokio::io::split(client);
    let (mut headers, mut wire) = (HeaderWriter::new(), BytesMut::new());
    put_syn(&mut wire, 1, false, &headers.write(&Headers::default()));
    to.write_all(&wire).await.unwrap();
    assert!(matches!(connection.source.next().await, Some(Event::Open { stream: 1, .. })));
    {
        let mut sink = connection.sink.lock().await;
        sink.reset(1).await.unwrap();
        assert!(sink.data(1, b"more").await.is_err());
        sink.close().await.unwrap();
    }
    drop(to);
    let mut answer = Vec::new();
    from.read_to_end(&mut answer).await.unwrap();
    let frames = decode_all(BytesMut::from(answer.as_slice())).unwrap();
    assert_eq!(frames, [Frame::Other, Frame::Reset { stream: 1 }, Frame::GoAway]);
}
