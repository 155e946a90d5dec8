//! A container's stdin, from the pipe that the parent writes.

use std::{io, os::fd::OwnedFd};

use tokio::net::unix::pipe::Receiver;

use crate::{
    StdinPipe,
    isolated::{frames::Decoder, pumps::END},
    limits::OUTPUT_CHUNK_LIMIT_BYTES,
};

/// Carries what the parent writes to `stdin`, and closes that when the parent has.
pub(super) async fn carry(pipe: OwnedFd, stdin: StdinPipe) {
    // Whatever ended it, there is nothing to be read any more.
    let _ = carry_all(pipe, &stdin).await;
    stdin.close();
}

async fn carry_all(pipe: OwnedFd, stdin: &StdinPipe) -> io::Result<()> {
    let pipe = Receiver::from_owned_fd(pipe)?;
    let mut decoder = Decoder::default();
    loop {
        pipe.readable().await?;
        let mut buffer = vec![0; OUTPUT_CHUNK_LIMIT_BYTES];
        let came = match pipe.try_read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(came) => came,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        };
        let mut bytes = buffer.get(..came).unwrap_or_default();
        while let Some((kind, piece)) = decoder.next(&mut bytes).map_err(io::Error::other)? {
            if kind == END {
                stdin.end_once();
            } else {
                stdin.write(piece).await.map_err(io::Error::other)?;
            }
        }
    }
}
