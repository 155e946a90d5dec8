//! A container's stdout and stderr, into the one pipe that leads to the parent.

use std::{io, os::fd::OwnedFd, sync::Arc};

use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::{net::unix::pipe::Sender, runtime::Handle};

use crate::{
    Output, Stream,
    isolated::{frames::head, pumps::kind_of},
    limits::OUTPUT_CHUNK_LIMIT_BYTES,
};

/// The writing end, and what it has not taken yet: no more than a turn of each of the guest's streams.
pub(super) struct PipeOutput {
    ends: Arc<Ends>,
    runtime: Handle,
}

struct Ends {
    /// None: it is closed, or nobody reads it.
    pipe: Mutex<Option<Arc<Sender>>>,
    pending: Mutex<Pending>,
}

#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    /// A task waits to write them.
    awaited: bool,
}

impl PipeOutput {
    /// The child's end of a pipe. What it does not take at once is written by tasks of this runtime.
    pub(super) fn new(pipe: OwnedFd) -> io::Result<PipeOutput> {
        let pipe = Mutex::new(Some(Arc::new(Sender::from_owned_fd(pipe)?)));
        Ok(PipeOutput { ends: Arc::new(Ends { pipe, pending: Mutex::default() }), runtime: Handle::current() })
    }

    /// Writes what is left, and closes the pipe.
    pub(super) async fn finish(&self) {
        self.ends.emptied().await;
        *self.ends.pipe.lock() = None;
    }
}

impl Ends {
    /// Writes what the pipe takes. Whether nothing is left.
    fn flush(&self) -> bool {
        let (mut pipe, mut pending) = (self.pipe.lock(), self.pending.lock());
        let bytes = &mut pending.bytes;
        while !bytes.is_empty() {
            let Some(open) = &*pipe else {
                bytes.clear();
                break;
            };
            match open.try_write(bytes) {
                Ok(taken) => drop(bytes.drain(..taken)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(_) => *pipe = None,
            }
        }
        true
    }

    /// Completes when the pipe takes something, or is closed.
    async fn writable(&self) {
        let pipe = self.pipe.lock().clone();
        if let Some(pipe) = pipe {
            // An error shows at the next write.
            let _ = pipe.writable().await;
        }
    }

    /// Completes when all has been written.
    async fn emptied(&self) {
        while !self.flush() {
            self.writable().await;
        }
    }

    /// Whether something waits that no task waits to write; from now on one does.
    fn needs_a_task(&self) -> bool {
        let mut pending = self.pending.lock();
        !pending.bytes.is_empty() && !std::mem::replace(&mut pending.awaited, true)
    }

    /// The task.
    async fn write_pending(self: Arc<Self>) {
        loop {
            self.emptied().await;
            let mut pending = self.pending.lock();
            // More may have come since, and relied on this task.
            if pending.bytes.is_empty() {
                pending.awaited = false;
                return;
            }
        }
    }
}

impl Output for PipeOutput {
    fn write(&self, stream: Stream, bytes: &[u8]) {
        let head = head(kind_of(stream), bytes.len());
        let mut pending = self.ends.pending.lock();
        pending.bytes.reserve(head.len() + bytes.len());
        pending.bytes.extend_from_slice(&head);
        pending.bytes.extend_from_slice(bytes);
        drop(pending);
        // The guest may never write again, nor end.
        if !self.ends.flush() && self.ends.needs_a_task() {
            self.runtime.spawn(Arc::clone(&self.ends).write_pending());
        }
    }

    fn room(&self) -> usize {
        if self.ends.flush() { OUTPUT_CHUNK_LIMIT_BYTES } else { 0 }
    }

    fn wait_for_room(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.ends.emptied())
    }
}

#[cfg(test)]
mod tests {
    use std::{os::fd::AsFd, time::Duration};

    use tokio::{io::AsyncReadExt, net::unix::pipe::Receiver, time::timeout};

    use super::*;
    use crate::isolated::pumps::output_pipe;

    async fn read(pipe: &mut Receiver, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        timeout(Duration::from_secs(20), pipe.read_exact(&mut bytes)).await.expect("it arrives").unwrap();
        bytes
    }

    /// The pipe is not known to be writable yet, and the guest writes nothing more that could take it along.
    #[tokio::test]
    async fn the_first_words_arrive_though_no_others_follow() {
        let (reader, writer) = output_pipe().unwrap();
        let output = PipeOutput::new(writer).unwrap();
        output.write(Stream::Stderr, b"READY");
        let mut reader = Receiver::from_owned_fd(reader).unwrap();
        assert_eq!(read(&mut reader, 10).await, b"\x01\x05\0\0\0READY");
    }

    /// What a full pipe did not take is written when there is room, in order, though the guest has stopped writing.
    #[tokio::test]
    async fn what_a_full_pipe_leaves_arrives_when_it_is_read() {
        let (reader, writer) = output_pipe().unwrap();
        let holds = rustix::pipe::fcntl_getpipe_size(writer.as_fd()).unwrap();
        let output = PipeOutput::new(writer).unwrap();
        output.ends.writable().await;
        let piece = vec![b'x'; 1000];
        let pieces = holds / piece.len() + 2;
        (0..pieces).for_each(|_| output.write(Stream::Stdout, &piece));
        assert_eq!(output.room(), 0);
        let mut reader = Receiver::from_owned_fd(reader).unwrap();
        let expected = [&head(0, piece.len())[..], &piece].concat();
        for _ in 0..pieces {
            assert_eq!(read(&mut reader, expected.len()).await, expected);
        }
        timeout(Duration::from_secs(20), output.finish()).await.expect("nothing is left");
        assert_eq!(reader.read(&mut [0; 10]).await.unwrap(), 0, "it is closed");
    }

    /// A reader that goes away is no reason to wait.
    #[tokio::test]
    async fn who_is_not_read_any_more_is_not_held_up() {
        let (reader, writer) = output_pipe().unwrap();
        let output = PipeOutput::new(writer).unwrap();
        drop(reader);
        output.write(Stream::Stdout, b"nobody hears this");
        timeout(Duration::from_secs(20), output.wait_for_room()).await.expect("there is room");
        assert_eq!(output.room(), OUTPUT_CHUNK_LIMIT_BYTES);
    }
}
