//! The socket between a parent and its child: whole messages of bounded size, with descriptors beside them.
//!
//! It is of the kind that keeps the borders of messages (`SOCK_SEQPACKET`), so nobody can leave half a message lying.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::net::{
    self, AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{Interest, unix::AsyncFd};

use crate::limits::{ISOLATED_DESCRIPTORS_PER_MESSAGE, ISOLATED_MESSAGE_BYTES};

/// A message with the descriptors that came with it. None: the other side is gone.
pub(super) type Received<T> = Option<(T, Vec<OwnedFd>)>;

/// Two ends of a channel, as descriptors that no program started inherits by itself.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// A descriptor that tasks can wait for.
#[expect(
    deprecated,
    reason = "unsound for what is no descriptor of its own; this one is, and what replaces it is unsafe"
)]
pub(super) fn watched(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(descriptor)
}

/// One end, for tasks.
pub(super) struct Channel {
    socket: AsyncFd<OwnedFd>,
    /// How many descriptors are taken with a message.
    descriptors: usize,
}

impl Channel {
    /// The end of whoever is given descriptors.
    pub(super) fn of_child(socket: OwnedFd) -> io::Result<Channel> {
        Channel::new(socket, ISOLATED_DESCRIPTORS_PER_MESSAGE)
    }

    /// The end of whoever takes none.
    pub(super) fn of_parent(socket: OwnedFd) -> io::Result<Channel> {
        Channel::new(socket, 0)
    }

    fn new(socket: OwnedFd, descriptors: usize) -> io::Result<Channel> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        Ok(Channel { socket: watched(socket)?, descriptors })
    }

    /// Sends a message, waiting until the other side has read enough of those before.
    ///
    /// # Errors
    /// When the other side is gone, or the message is too large.
    pub(super) async fn send<T: Serialize>(&self, message: &T, descriptors: &[OwnedFd]) -> io::Result<()> {
        let bytes = encode(message)?;
        let send = |socket: &OwnedFd| send_now(socket.as_fd(), &bytes, descriptors);
        self.socket.async_io(Interest::WRITABLE, send).await
    }

    /// Waits for a message.
    ///
    /// # Errors
    /// When the other side does not keep to the protocol.
    pub(super) async fn receive<T: DeserializeOwned>(&self) -> io::Result<Received<T>> {
        // Whoever has nothing to say holds no buffer.
        self.socket.readable().await?.retain_ready();
        let receive = |socket: &OwnedFd| receive_now(socket.as_fd(), self.descriptors);
        self.socket.async_io(Interest::READABLE, receive).await
    }
}

/// Sends on a socket, which may block.
pub(super) fn send_blocking<T: Serialize>(socket: BorrowedFd<'_>, message: &T) -> io::Result<()> {
    send_now(socket, &encode(message)?, &[])
}

/// Receives from a socket, which may block.
pub(super) fn receive_blocking<T: DeserializeOwned>(socket: BorrowedFd<'_>) -> io::Result<Received<T>> {
    receive_now(socket, 0)
}

fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let bytes = postcard::to_allocvec(message).map_err(io::Error::other)?;
    if bytes.len() > ISOLATED_MESSAGE_BYTES {
        return Err(bad("a message is too long"));
    }
    Ok(bytes)
}

fn send_now(socket: BorrowedFd<'_>, bytes: &[u8], descriptors: &[OwnedFd]) -> io::Result<()> {
    let borrowed: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
    let mut space = space_for(borrowed.len());
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !borrowed.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(&borrowed)) {
        return Err(bad("a message has too many descriptors"));
    }
    // A child that is gone is no reason for SIGPIPE.
    net::sendmsg(socket, &[IoSlice::new(bytes)], &mut beside, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn receive_now<T: DeserializeOwned>(socket: BorrowedFd<'_>, most: usize) -> io::Result<Received<T>> {
    let mut bytes = vec![0; ISOLATED_MESSAGE_BYTES];
    let mut space = space_for(most);
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let received = net::recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut beside, RecvFlags::CMSG_CLOEXEC)?;
    let mut descriptors = Vec::new();
    for message in beside.drain() {
        if let RecvAncillaryMessage::ScmRights(came) = message {
            descriptors.extend(came);
        }
    }
    if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(bad("a message is too long or has too many descriptors"));
    }
    if received.bytes == 0 {
        return Ok(None);
    }
    let bytes = bytes.get(..received.bytes).unwrap_or_default();
    let message = postcard::from_bytes(bytes).map_err(|_| bad("a message makes no sense"))?;
    Ok(Some((message, descriptors)))
}

fn space_for(descriptors: usize) -> Vec<MaybeUninit<u8>> {
    let bytes = if descriptors == 0 { 0 } else { rustix::cmsg_space!(ScmRights(descriptors)) };
    vec![MaybeUninit::uninit(); bytes]
}

fn bad(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
