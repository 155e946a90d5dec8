//! The entries of a directory as a stream of WASI 0.3. They are read in pieces on a thread for blocking work, which is
//! free again between two of them: a guest that takes none holds a descriptor and no thread.

use std::{
    fs::{self, DirEntry, File, FileType, ReadDir},
    future::Future,
    io, mem,
    os::unix::fs::FileTypeExt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;
use wasmtime::{
    StoreContextMut,
    component::{Destination, StreamProducer, StreamResult, VecBuffer},
};
use wasmtime_wasi::p3::bindings::filesystem::types::{DescriptorType, DirectoryEntry, ErrorCode};

use super::{Leave, p3::Ended};
use crate::{limits, preopen::path_of};

/// A list being read.
pub(super) struct Listing {
    source: Source,
    /// The piece that is being read.
    work: Option<AbortOnDropHandle<Piece>>,
    tell: Option<oneshot::Sender<Ended>>,
    _leave: Option<Leave>,
}

/// Where the next piece comes from.
enum Source {
    Directory(Arc<File>),
    Entries(ReadDir),
    Nowhere(Ended),
}

/// Some entries, and where more come from.
struct Piece {
    entries: Vec<DirectoryEntry>,
    rest: Source,
}

impl Listing {
    pub(super) fn new(directory: Arc<File>, leave: Leave, tell: oneshot::Sender<Ended>) -> Listing {
        Listing { source: Source::Directory(directory), work: None, tell: Some(tell), _leave: Some(leave) }
    }

    pub(super) fn failed(code: ErrorCode, tell: oneshot::Sender<Ended>) -> Listing {
        Listing { source: Source::Nowhere(Err(code)), work: None, tell: Some(tell), _leave: None }
    }

    /// Says how it ended, once. A list that the guest leaves unread has not failed.
    fn end(&mut self, ended: Ended) {
        if let Some(tell) = self.tell.take() {
            // The guest may have no interest in it.
            let _ = tell.send(ended);
        }
    }

    /// The next piece; it is kept if nobody waits for it.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<wasmtime::Result<Vec<DirectoryEntry>>> {
        let source = &mut self.source;
        let work = self.work.get_or_insert_with(|| {
            let source = mem::replace(source, Source::Nowhere(Ok(())));
            AbortOnDropHandle::new(tokio::task::spawn_blocking(move || source.read_some()))
        });
        let read = ready!(Pin::new(work).poll(cx));
        self.work = None;
        let piece = read?;
        self.source = piece.rest;
        Poll::Ready(Ok(piece.entries))
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        self.end(Ok(()));
    }
}

impl<D> StreamProducer<D> for Listing {
    type Item = DirectoryEntry;
    type Buffer = VecBuffer<DirectoryEntry>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, Self::Item, Self::Buffer>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        // The guest asks whether it may read: it will see when it does.
        if destination.remaining(&mut store) == Some(0) {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        if !matches!(self.source, Source::Nowhere(_)) || self.work.is_some() {
            match self.poll_piece(cx) {
                Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
                Poll::Pending => return Poll::Pending,
                Poll::Ready(entries) => destination.set_buffer(entries?.into()),
            }
        }
        let Source::Nowhere(ended) = &mut self.source else { return Poll::Ready(Ok(StreamResult::Completed)) };
        let ended = mem::replace(ended, Ok(()));
        self.end(ended);
        Poll::Ready(Ok(StreamResult::Dropped))
    }
}

impl Source {
    fn read_some(self) -> Piece {
        let entries = match self {
            // The same directory under another open description: this one's position is not moved.
            Source::Directory(directory) => fs::read_dir(path_of(&directory)),
            Source::Entries(entries) => Ok(entries),
            Source::Nowhere(ended) => return Piece { entries: Vec::new(), rest: Source::Nowhere(ended) },
        };
        match entries {
            Ok(entries) => read_piece(entries),
            Err(error) => Piece { entries: Vec::new(), rest: Source::Nowhere(Err(error.into())) },
        }
    }
}

fn read_piece(mut all: ReadDir) -> Piece {
    let mut entries = Vec::new();
    while entries.len() < limits::P3_ENTRIES_AT_ONCE {
        match all.next().map(entry) {
            Some(Ok(entry)) => entries.push(entry),
            Some(Err(code)) => return Piece { entries, rest: Source::Nowhere(Err(code)) },
            None => return Piece { entries, rest: Source::Nowhere(Ok(())) },
        }
    }
    Piece { entries, rest: Source::Entries(all) }
}

fn entry(entry: io::Result<DirEntry>) -> Result<DirectoryEntry, ErrorCode> {
    let entry = entry?;
    let type_ = kind(entry.file_type()?);
    let name = entry.file_name().into_string().map_err(|_| ErrorCode::IllegalByteSequence)?;
    Ok(DirectoryEntry { type_, name })
}

fn kind(file: FileType) -> DescriptorType {
    match file {
        _ if file.is_dir() => DescriptorType::Directory,
        _ if file.is_file() => DescriptorType::RegularFile,
        _ if file.is_symlink() => DescriptorType::SymbolicLink,
        _ if file.is_block_device() => DescriptorType::BlockDevice,
        _ if file.is_char_device() => DescriptorType::CharacterDevice,
        _ if file.is_fifo() => DescriptorType::Fifo,
        _ if file.is_socket() => DescriptorType::Socket,
        _ => DescriptorType::Other(None),
    }
}
