//! More streams on one connection of HTTP/2 than there may be, by hand: a client library would wait.

use coracle_wasi_host::limits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    DEADLINE,
    clients::frame,
    handlers::serve,
    handlers_p3::HTTP,
    kill,
    support::{program, until},
};

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
/// `REFUSED_STREAM` (RFC 9113, 7): the request was not looked at, and may be sent again.
const REFUSED_STREAM: [u8; 4] = [0, 0, 0, 7];
/// `:status: 200`, from the static table.
const OK: u8 = 0x88;

/// A whole request for a path of two letters.
fn request(stream: u32, path: [u8; 2]) -> Vec<u8> {
    // :method GET, :scheme http, :path, :authority x.
    frame(HEADERS, 5, stream, &[0x82, 0x86, 0x04, 2, path[0], path[1], 0x41, 1, b'x'])
}

/// The next frame: its kind, its stream and its payload.
async fn next(client: &mut TcpStream) -> (u8, u32, Vec<u8>) {
    let mut head = [0; 9];
    client.read_exact(&mut head).await.unwrap();
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
    let mut payload = vec![0; length];
    client.read_exact(&mut payload).await.unwrap();
    (head[3], u32::from_be_bytes([head[5], head[6], head[7], head[8]]), payload)
}

/// The streams that are too many are refused, at once and alone: the others are answered, and the next one too.
#[tokio::test]
async fn a_connection_has_only_so_many_streams() {
    const TOO_MANY: u32 = 10;
    let slow = HTTP.replace("300000000", "2000000000");
    assert_ne!(slow, HTTP);
    let (container, _) = serve(program(&slow)).await;
    let mut client = TcpStream::connect(container.address().unwrap()).await.unwrap();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    let streams: Vec<u32> = (0..limits::HTTP2_STREAMS + TOO_MANY).map(|number| 2 * number + 1).collect();
    streams.iter().for_each(|stream| bytes.extend(request(*stream, *b"/w")));
    client.write_all(&bytes).await.unwrap();
    let (mut answered, mut refused) = (Vec::new(), Vec::new());
    let answers = async {
        while answered.len() + refused.len() < streams.len() {
            match next(&mut client).await {
                (HEADERS, stream, fields) if fields[0] == OK => answered.push(stream),
                (RST_STREAM, stream, code) if code == REFUSED_STREAM => {
                    assert!(answered.is_empty(), "they are not told when others have left");
                    refused.push(stream);
                }
                (HEADERS | RST_STREAM, stream, payload) => panic!("stream {stream}: {payload:?}"),
                _ => {}
            }
        }
    };
    tokio::time::timeout(DEADLINE, answers).await.expect("an answer for each");
    answered.sort_unstable();
    let (served, rest) = streams.split_at(limits::HTTP2_STREAMS as usize);
    assert_eq!((&answered[..], &refused[..]), (served, rest));

    let last = 2 * streams.len() as u32 + 1;
    client.write_all(&request(last, *b"/x")).await.unwrap();
    let answer = async {
        loop {
            if let (HEADERS, stream, fields) = next(&mut client).await {
                return (stream, fields[0]);
            }
        }
    };
    assert_eq!(tokio::time::timeout(DEADLINE, answer).await.expect("an answer"), (last, OK));
    until("all instances are gone", || container.usage().memory_bytes == 0).await;
    drop(client);
    kill(&container).await;
}
