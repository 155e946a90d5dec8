//! A container's output and stdin, between the child's pipes and the embedder.

use std::{io, os::fd::OwnedFd, sync::Arc};

use tokio::{
    io::AsyncWriteExt,
    net::unix::pipe::{Receiver, Sender},
};

use super::frames::{BadFrame, Decoder, head};
use crate::{
    Output, StdinPipe, Stream,
    limits::{ISOLATED_PIPE_BYTES, OUTPUT_CHUNK_LIMIT_BYTES},
};

/// Kinds of pieces in a stdin.
pub(super) const BYTES: u8 = 0;
/// An end that is read once.
pub(super) const END: u8 = 1;

/// What stands in an output for a stream.
pub(super) fn kind_of(stream: Stream) -> u8 {
    match stream {
        Stream::Stdout => 0,
        Stream::Stderr => 1,
    }
}

fn stream_of(kind: u8) -> Result<Stream, BadFrame> {
    match kind {
        0 => Ok(Stream::Stdout),
        1 => Ok(Stream::Stderr),
        _ => Err(BadFrame),
    }
}

/// A pipe for an output: the parent's end, and the child's.
pub(super) fn output_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = io::pipe()?;
    // Without this much the kernel's own size has to do: an unprivileged user has only so much for all pipes.
    let _ = rustix::pipe::fcntl_setpipe_size(&writer, ISOLATED_PIPE_BYTES);
    Ok((reader.into(), writer.into()))
}

/// A pipe for a stdin: the child's end, and the parent's. It is small, so that what is thrown away is thrown away.
pub(super) fn stdin_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = io::pipe()?;
    let _ = rustix::pipe::fcntl_setpipe_size(&writer, rustix::param::page_size());
    Ok((reader.into(), writer.into()))
}

/// Carries what the child writes to `output`, as fast as that takes it, until nobody can write any more.
///
/// # Errors
/// When it carries something else than output.
pub(super) async fn carry_output(pipe: OwnedFd, output: Arc<dyn Output>) -> io::Result<()> {
    let pipe = Receiver::from_owned_fd(pipe)?;
    let mut decoder = Decoder::default();
    loop {
        // Whoever is silent holds no buffer.
        pipe.readable().await?;
        let mut buffer = vec![0; OUTPUT_CHUNK_LIMIT_BYTES];
        loop {
            let came = match pipe.try_read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(came) => came,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            let mut bytes = buffer.get(..came).unwrap_or_default();
            while let Some((kind, piece)) = decoder.next(&mut bytes).map_err(io::Error::other)? {
                write_all(&*output, stream_of(kind).map_err(io::Error::other)?, piece).await;
            }
            // A chatty guest is not the only one on this thread.
            tokio::task::yield_now().await;
        }
    }
}

async fn write_all(output: &dyn Output, stream: Stream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let taken = bytes.len().min(output.room());
        if taken == 0 {
            output.wait_for_room().await;
            continue;
        }
        let (now, later) = bytes.split_at(taken);
        output.write(stream, now);
        bytes = later;
    }
}

/// Carries what is written to `stdin` to the child until it is closed.
///
/// # Errors
/// When the child reads no more.
pub(super) async fn carry_stdin(stdin: StdinPipe, pipe: OwnedFd) -> io::Result<()> {
    let mut pipe = Sender::from_owned_fd(pipe)?;
    while let Some(piece) = stdin.next(OUTPUT_CHUNK_LIMIT_BYTES).await {
        let kind = if piece.is_empty() { END } else { BYTES };
        pipe.write_all(&head(kind, piece.len())).await?;
        pipe.write_all(&piece).await?;
    }
    Ok(())
}
