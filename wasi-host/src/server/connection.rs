//! A connection of a server, and whether its client is still there.
//!
//! hyper sees that a client has gone when it reads, and it does not read what nobody has asked for: a request's body that
//! the guest leaves unread, or a request after the one under way. A client that leaves behind those would not be missed
//! for as long as its handler waits.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use rustix::net::Shutdown;
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// A connection with one who watches it.
pub(super) struct Connection {
    read: OwnedReadHalf,
    write: Arc<OwnedWriteHalf>,
}

/// Who watches a connection.
pub(super) struct Watch(Arc<OwnedWriteHalf>);

impl Connection {
    pub(super) fn new(stream: TcpStream) -> (Connection, Watch) {
        let (read, write) = stream.into_split();
        let write = Arc::new(write);
        (Connection { read, write: write.clone() }, Watch(write))
    }

    fn stream(&self) -> &TcpStream {
        (*self.write).as_ref()
    }

    /// Does a piece of writing when there is room for it.
    fn poll_room(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream().poll_write_ready(cx))?;
            match write(self.stream()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }
}

impl Watch {
    /// Completes when the client has gone, whatever of its words has not been read: it has closed the connection, or its half.
    /// hyper takes the one for the other, too.
    pub(super) async fn left(self) {
        let stream: &TcpStream = (*self.0).as_ref();
        // Of this interest is only the end of reading: data is none of it, and nobody has asked the kernel for urgent data.
        // An error is the end of the connection.
        while stream.ready(Interest::PRIORITY).await.is_ok_and(|state| !state.is_read_closed()) {}
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.read).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_room(cx, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_room(cx, |stream| stream.try_write_vectored(pieces))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(rustix::net::shutdown(self.stream(), Shutdown::Write).map_err(io::Error::from))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::{Wake, Waker},
        time::Duration,
    };

    use futures::poll;
    use rustix::net::SendFlags;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        time::timeout,
    };

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    async fn connected() -> (TcpStream, Connection, Watch) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (connection, watch) = Connection::new(listener.accept().await.unwrap().0);
        (client, connection, watch)
    }

    #[tokio::test]
    async fn a_client_that_goes_is_missed_behind_what_is_unread() {
        let (mut client, connection, watch) = connected().await;
        client.write_all(b"never read").await.unwrap();
        let mut left = Box::pin(watch.left());
        assert!(poll!(&mut left).is_pending(), "what it says is no sign of it");
        connection.read.readable().await.unwrap();
        assert!(poll!(&mut left).is_pending());
        drop(client);
        timeout(PATIENCE, left).await.expect("it is seen to go");
    }

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Bell(AtomicUsize);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Urgent data that nobody reads must not keep the watch busy for as long as it lies there.
    #[tokio::test]
    async fn urgent_data_is_nobodys_business() {
        let (mut client, connection, watch) = connected().await;
        rustix::net::send(&client, b"!", SendFlags::OOB).unwrap();
        // What comes after it tells that it is there.
        client.write_all(b"x").await.unwrap();
        timeout(PATIENCE, connection.read.readable()).await.expect("it arrives").unwrap();
        let (mut left, bell) = (Box::pin(watch.left()), Arc::new(Bell::default()));
        let waker = Waker::from(bell.clone());
        assert!(left.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!(bell.0.load(Ordering::Relaxed), 0, "it goes on at once, for ever");
        drop(client);
        timeout(PATIENCE, left).await.expect("it is seen to go");
    }

    #[tokio::test]
    async fn what_is_written_arrives_whole_and_has_an_end() {
        let (mut client, mut connection, _watch) = connected().await;
        // More than there is room for, so that it waits now and then.
        let text = "0123456789".repeat(1_000_000).into_bytes();
        let sent = text.clone();
        let sending = tokio::spawn(async move {
            connection.write_all(&sent).await.unwrap();
            connection.shutdown().await.unwrap();
            connection
        });
        let mut received = Vec::new();
        timeout(PATIENCE, client.read_to_end(&mut received)).await.expect("it ends").unwrap();
        assert!(received == text, "{} of {} bytes", received.len(), text.len());
        drop(sending.await.unwrap());
    }
}
