//! Clients that go and leave behind what nobody has read.

use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    handlers::serve,
    handlers_p3, kill,
    support::{HTTP, get, program, until},
};

/// A handler that would wait for an hour ends with its client, whatever of the client's words is unread: a part of a body, a
/// body larger than all buffers, requests after the one under way.
#[tokio::test]
async fn a_client_is_missed_behind_what_nobody_reads() {
    let large =
        format!("POST /wait HTTP/1.1\r\nhost: test\r\ncontent-length: 100000000\r\n\r\n{}", "x".repeat(100_000));
    let many = "GET /wait HTTP/1.1\r\nhost: test\r\n\r\n".repeat(5);
    for text in [HTTP, handlers_p3::HTTP] {
        let slow = text.replace("(i64.const 300000000)", "(i64.const 3600000000000)");
        assert_ne!(slow, text);
        let (container, _) = serve(program(&slow)).await;
        let address = container.address().unwrap();
        for request in ["POST /wait HTTP/1.1\r\nhost: test\r\ncontent-length: 1000\r\n\r\nsome", &large, &many] {
            let mut clients = Vec::new();
            for _ in 0..10 {
                let mut client = TcpStream::connect(address).await.unwrap();
                client.write_all(request.as_bytes()).await.unwrap();
                clients.push(client);
            }
            until("all wait", || container.usage().memory_bytes == 10 << 16).await;
            drop(clients);
            until("all instances are gone", || container.usage().memory_bytes == 0).await;
        }
        assert_eq!(get(address, "/").await.unwrap().0, 200);
        kill(&container).await;
    }
}
