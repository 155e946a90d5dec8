//! The entries of a directory as a stream of WASI 0.3. They are read in pieces on a thread for blocking work, which is
//! free again between two of them: a guest that takes none holds a descriptor and no thread.

use std::{
    fs::File,
    future::Future,
    io, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use rustix::fs::{AtFlags, Dir, DirEntry, FileType, Mode, OFlags, openat};
use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;
use wasmtime::{
    StoreContextMut,
    component::{Destination, StreamProducer, StreamResult, VecBuffer},
};
use wasmtime_wasi::p3::bindings::filesystem::types::{DescriptorType, DirectoryEntry, ErrorCode};

use super::{Leave, p3::Ended};
use crate::limits;

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
    Entries(Dir),
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
            Source::Directory(directory) => read(&directory),
            Source::Entries(entries) => Ok(entries),
            Source::Nowhere(ended) => return Piece { entries: Vec::new(), rest: Source::Nowhere(ended) },
        };
        match entries {
            Ok(entries) => read_piece(entries),
            Err(error) => Piece { entries: Vec::new(), rest: Source::Nowhere(Err(io::Error::from(error).into())) },
        }
    }
}

/// Reads a directory, from its beginning: under another open description, so that this one's position is not moved and its
/// mode, which may be that of a mere path, does not matter.
pub(super) fn read(directory: &File) -> rustix::io::Result<Dir> {
    Dir::new(openat(directory, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

fn read_piece(mut all: Dir) -> Piece {
    let mut entries = Vec::new();
    while entries.len() < limits::P3_ENTRIES_AT_ONCE {
        let Some(next) = all.next() else { return Piece { entries, rest: Source::Nowhere(Ok(())) } };
        match next.map_err(|error| io::Error::from(error).into()).and_then(|found| entry(&all, &found)) {
            Ok(entry) => entries.extend(entry),
            Err(code) => return Piece { entries, rest: Source::Nowhere(Err(code)) },
        }
    }
    Piece { entries, rest: Source::Entries(all) }
}

/// None: it is the directory itself, or the one above.
fn entry(all: &Dir, found: &DirEntry) -> Result<Option<DirectoryEntry>, ErrorCode> {
    let name = found.file_name();
    if matches!(name.to_bytes(), b"." | b"..") {
        return Ok(None);
    }
    let mut file = found.file_type();
    if file == FileType::Unknown {
        // Not every file system says it with the name.
        let looked = all.fd().and_then(|dir| rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW));
        file = FileType::from_raw_mode(looked.map_err(io::Error::from)?.st_mode);
    }
    let name = name.to_str().map_err(|_| ErrorCode::IllegalByteSequence)?.to_owned();
    Ok(Some(DirectoryEntry { type_: kind(file), name }))
}

fn kind(file: FileType) -> DescriptorType {
    match file {
        FileType::Directory => DescriptorType::Directory,
        FileType::RegularFile => DescriptorType::RegularFile,
        FileType::Symlink => DescriptorType::SymbolicLink,
        FileType::BlockDevice => DescriptorType::BlockDevice,
        FileType::CharacterDevice => DescriptorType::CharacterDevice,
        FileType::Fifo => DescriptorType::Fifo,
        FileType::Socket => DescriptorType::Socket,
        FileType::Unknown => DescriptorType::Other(None),
    }
}
