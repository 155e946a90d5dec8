//! HTTP/2 floods: each ends its own connection, or is answered at its own expense, and the next client is served.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{MAPS, PATIENCE};
use crate::wire::{END_HEADERS, END_STREAM, Frames, Site, field, frame, head, kind, large, tuned};

/// `ENHANCE_YOUR_CALM`, the error for who asks too much.
const CALM: u32 = 11;
/// `INITIAL_WINDOW_SIZE`
const WINDOW: u16 = 4;

/// Sends the same bytes until the server hangs up or has taken so many, reading what it says, and returns that.
async fn flood(frames: Frames, bytes: &[u8], times: usize) -> (Vec<u8>, bool) {
    let (mut reading, mut writing) = tokio::io::split(frames.stream);
    let sending = async {
        for _ in 0..times {
            if writing.write_all(bytes).await.is_err() {
                return;
            }
        }
        let _ = writing.flush().await;
        std::future::pending::<()>().await;
    };
    let mut said = Vec::new();
    let hearing = async {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(read @ 1..) = reading.read(&mut buffer).await {
            said.extend_from_slice(&buffer[..read]);
        }
    };
    let ended = tokio::select! {
        () = sending => true,
        () = hearing => true,
        () = tokio::time::sleep(Duration::from_secs(5)) => false,
    };
    (said, ended)
}

/// Whether somebody was told GOAWAY with this error.
fn told(said: &[u8], error: u32) -> bool {
    let mut rest = said;
    while rest.len() >= 9 {
        let length = u32::from_be_bytes([0, rest[0], rest[1], rest[2]]) as usize;
        let Some(payload) = rest.get(9..9 + length) else { return false };
        if rest[3] == kind::GOAWAY && payload[4..8] == error.to_be_bytes() {
            return true;
        }
        rest = &rest[9 + length..];
    }
    false
}

/// Everything is as it was: the next client is served, and nothing is left of those before.
async fn all_is_well(site: &Site) {
    assert_eq!(site.honest().await, 200);
    site.until("apiserver_connections ", |open| open <= 1.0).await;
    // The one that asks for the metrics.
    site.until("apiserver_current_inflight_requests{request_kind=\"readOnly\"} ", |requests| requests <= 1.0).await;
}

/// CVE-2023-44487
#[tokio::test]
async fn streams_that_are_reset_at_once() {
    let site = Site::start(tuned(|_| {})).await;
    let frames = Frames::open(&site, Some(&site.admin), &[]).await;
    let mut burst = Vec::new();
    for index in 0..20_000_u32 {
        let stream = 2 * index + 1;
        burst.extend(frame(kind::HEADERS, END_HEADERS | END_STREAM, stream, &head("GET", MAPS)));
        burst.extend(frame(kind::RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    let (said, ended) = flood(frames, &burst, 1).await;
    assert!(ended && told(&said, CALM), "a client that resets all it asks for is sent away");
    all_is_well(&site).await;
}

/// CVE-2023-44487 in its later form: the server is made to reset (CVE-2025-8671).
#[tokio::test]
async fn streams_that_the_server_has_to_reset() {
    let site = Site::start(tuned(|_| {})).await;
    let frames = Frames::open(&site, Some(&site.admin), &[]).await;
    let mut burst = Vec::new();
    for index in 0..20_000_u32 {
        let stream = 2 * index + 1;
        burst.extend(frame(kind::HEADERS, END_HEADERS | END_STREAM, stream, &head("GET", MAPS)));
        // A window may not grow by nothing (RFC 9113 §6.9).
        burst.extend(frame(kind::WINDOW_UPDATE, 0, stream, &[0; 4]));
    }
    let (said, ended) = flood(frames, &burst, 1).await;
    assert!(ended && (told(&said, CALM) || told(&said, 1)), "it is sent away");
    all_is_well(&site).await;
}

/// CVE-2024-27316
#[tokio::test]
async fn heads_without_an_end() {
    let site = Site::start(tuned(|_| {})).await;
    for piece in [Vec::new(), field("x", "y"), field("x", &"y".repeat(16_000))] {
        let mut frames = Frames::open(&site, None, &[]).await;
        frames.send(kind::HEADERS, END_STREAM, 1, &head("GET", "/")).await.unwrap();
        let (said, ended) = flood(frames, &frame(kind::CONTINUATION, 0, 1, &piece), 1_000_000).await;
        assert!(ended && said.len() < 10_000, "pieces of {} bytes go on for ever", piece.len());
        all_is_well(&site).await;
    }
}

#[tokio::test]
async fn a_head_that_is_too_long_is_told_so() {
    let site = Site::start(tuned(|_| {})).await;
    let mut frames = Frames::open(&site, Some(&site.admin), &[]).await;
    // 20 times 15,000 bytes are more than 256 KiB.
    frames.send(kind::HEADERS, END_STREAM, 1, &head("GET", MAPS)).await.unwrap();
    for index in 0..20 {
        let flags = if index == 19 { END_HEADERS } else { 0 };
        if frames.send(kind::CONTINUATION, flags, 1, &field("x", &"y".repeat(15_000))).await.is_err() {
            break;
        }
    }
    let answer = frames.find(|frame| matches!(frame.kind, kind::HEADERS | kind::RST_STREAM | kind::GOAWAY)).await;
    if let Some(answer) = answer
        && answer.kind == kind::HEADERS
    {
        // `:status: 431`, as a literal or out of a table: the digits are in it, or a Huffman code of theirs.
        assert_ne!(answer.payload[0], 0x88, "this is 200");
    }
    drop(frames);
    all_is_well(&site).await;
}

#[tokio::test]
async fn settings_pings_and_empty_frames() {
    let site = Site::start(tuned(|config| {
        (config.limits.first_request, config.limits.idle) = (Duration::from_secs(1), Duration::from_secs(1));
    }))
    .await;
    let noise = [
        frame(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0xff, 0xff]),
        frame(kind::PING, 0, 0, &[1; 8]),
        frame(kind::WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]),
        // Priority, of streams that there are not.
        frame(2, 0, 1, &[0, 0, 0, 0, 16]),
        // A frame that nobody knows.
        frame(0xbb, 0, 0, &[0; 100]),
    ];
    for bytes in noise {
        let frames = Frames::open(&site, None, &[]).await;
        // Nothing is read: what has to be answered waits for its place, and so does what comes after it.
        let (mut _reading, mut writing) = tokio::io::split(frames.stream);
        let many = bytes.repeat(1_000);
        let sending = async { while writing.write_all(&many).await.is_ok() {} };
        assert!(tokio::time::timeout(PATIENCE, sending).await.is_ok(), "frames of kind {} go on for ever", bytes[3]);
        all_is_well(&site).await;
    }
    // Empty pieces of a body that nobody reads yet, or never.
    let mut frames = Frames::open(&site, Some(&site.admin), &[]).await;
    frames.send(kind::HEADERS, END_HEADERS, 1, &head("GET", &format!("{MAPS}?watch=1"))).await.unwrap();
    let (_, _ended) = flood(frames, &frame(kind::DATA, 0, 1, &[]).repeat(1_000), 1_000).await;
    all_is_well(&site).await;
}

/// Answers wait inside their streams for a client that gives them no window: each ends in time, and the client goes on
/// with others on the same connection.
#[tokio::test]
async fn streams_whose_answers_nobody_reads() {
    let site = Site::start(tuned(|config| {
        config.limits.answer_stall = Duration::from_millis(500);
        config.limits.streams = 16;
    }))
    .await;
    for index in 0..4 {
        site.cluster.post(MAPS, large(&format!("m{index}"), 500_000)).await.ok();
    }
    for window in [0, 1] {
        let before = site.metric("apiserver_stalled_answers").await;
        let mut frames = Frames::open(&site, Some(&site.admin), &[(WINDOW, window)]).await;
        for index in 0..16 {
            let path = if index % 2 == 0 { MAPS.to_owned() } else { format!("{MAPS}?watch=1") };
            frames.get(2 * index + 1, &path).await.unwrap();
        }
        let mut reset = std::collections::BTreeSet::new();
        while reset.len() < 16 {
            let frame = frames.find(|frame| frame.kind == kind::RST_STREAM).await.expect("the connection lives on");
            reset.insert(frame.stream);
        }
        assert_eq!(site.metric("apiserver_stalled_answers").await - before, 16.0);
        site.until("apiserver_longrunning_requests ", |watches| watches == 0.0).await;
        // There is room for another one, which is read.
        frames.get(101, "/version").await.unwrap();
        frames.send(kind::WINDOW_UPDATE, 0, 101, &100_000_u32.to_be_bytes()).await.unwrap();
        let last = frames.find(|frame| frame.stream == 101 && frame.flags & END_STREAM != 0).await;
        assert_eq!(last.expect("an answer").kind, kind::DATA);
        drop(frames);
        all_is_well(&site).await;
    }
}

#[tokio::test]
async fn streams_beyond_the_bound_are_refused() {
    let site = Site::start(tuned(|config| config.limits.streams = 4)).await;
    let mut frames = Frames::open(&site, Some(&site.admin), &[]).await;
    for index in 0..6 {
        frames.get(2 * index + 1, &format!("{MAPS}?watch=1")).await.unwrap();
    }
    for _ in 0..2 {
        let refused = frames.find(|frame| frame.kind == kind::RST_STREAM).await.expect("the connection lives on");
        // `REFUSED_STREAM`
        assert_eq!(refused.error(), 7);
    }
    assert_eq!(site.metric("apiserver_longrunning_requests ").await, 4.0);
    drop(frames);
    site.until("apiserver_longrunning_requests ", |watches| watches == 0.0).await;
    all_is_well(&site).await;
}
