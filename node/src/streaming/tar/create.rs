//! Packing: what is below some paths of the container, as an archive to the client.

use std::{
    fs::{File, Metadata},
    io::{self, BufWriter, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{ffi::OsStrExt, fs::MetadataExt},
    },
    path::Path,
};

use rustix::fs::{Dir, OFlags};
use tar::{Builder, EntryType, Header};

use super::{
    Printer, os_text,
    place::{Places, normal, open_in},
};

/// Directories within directories that are packed.
const DEPTH_LIMIT: usize = 128;
/// How much of the archive goes out at a time.
const BUFFER_BYTES: usize = 256 * 1024;

/// Packs `paths`; the result is how many could not be. Fails when the client is gone.
pub fn create(
    places: &Places,
    directory: &str,
    paths: &[String],
    output: Printer,
    errors: &mut Printer,
) -> io::Result<usize> {
    let archive = Builder::new(BufWriter::with_capacity(BUFFER_BYTES, output));
    let mut packer = Packer { archive, errors, failures: 0 };
    let mut told = false;
    for path in paths {
        if path.starts_with('/') && !std::mem::replace(&mut told, true) {
            writeln!(packer.errors, "tar: Removing leading `/' from member names")?;
        }
        let found = places.find(&normal(directory, path)).and_then(|place| place.parent());
        // Looked at once more when it is packed: here for the path as it was given.
        let seen = found.and_then(|(parent, name)| {
            open_in(&parent, &name, OFlags::PATH | OFlags::NOFOLLOW)?;
            Ok((parent, name))
        });
        match seen {
            Ok((parent, name)) => packer.add(&parent, &name, member(path), 0)?,
            Err(error) => packer.fail(path, "Cannot stat", &error)?,
        }
    }
    packer.archive.into_inner()?.flush()?;
    Ok(packer.failures)
}

/// The name of a path in the archive.
fn member(path: &str) -> &str {
    let name = path.trim_start_matches('/').trim_end_matches('/');
    if name.is_empty() { "." } else { name }
}

struct Packer<'e> {
    archive: Builder<BufWriter<Printer>>,
    errors: &'e mut Printer,
    failures: usize,
}

impl Packer<'_> {
    fn fail(&mut self, name: &str, what: &str, error: &io::Error) -> io::Result<()> {
        self.failures += 1;
        writeln!(self.errors, "tar: {name}: {what}: {}", os_text(error))
    }

    fn add(&mut self, parent: &OwnedFd, file: &Path, name: &str, depth: usize) -> io::Result<()> {
        let looked = open_in(parent, file, OFlags::PATH | OFlags::NOFOLLOW).map(File::from);
        let metadata = match looked.and_then(|looked| looked.metadata()) {
            Ok(metadata) => metadata,
            Err(error) => return self.fail(name, "Cannot stat", &error),
        };
        if metadata.is_dir() {
            self.add_directory(parent, file, name, &metadata, depth)
        } else if metadata.is_file() {
            self.add_file(parent, file, name, &metadata)
        } else if metadata.is_symlink() {
            self.add_link(parent, file, name, &metadata)
        } else {
            writeln!(self.errors, "tar: {name}: file of a special kind ignored")
        }
    }

    fn add_directory(
        &mut self,
        parent: &OwnedFd,
        file: &Path,
        name: &str,
        metadata: &Metadata,
        depth: usize,
    ) -> io::Result<()> {
        if depth >= DEPTH_LIMIT {
            return self.fail(name, "Cannot open", &rustix::io::Errno::NAMETOOLONG.into());
        }
        let opened = open_in(parent, file, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW);
        let listed = opened.and_then(|directory| Ok((Dir::read_from(&directory)?, directory)));
        let (entries, directory) = match listed {
            Ok(listed) => listed,
            Err(error) => return self.fail(name, "Cannot open", &error),
        };
        let mut header = header(metadata, EntryType::Directory, 0);
        self.archive.append_data(&mut header, format!("{name}/"), io::empty())?;
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => return self.fail(name, "Cannot read", &error.into()),
            };
            let child = entry.file_name().to_bytes();
            if matches!(child, b"." | b"..") {
                continue;
            }
            let Ok(text) = std::str::from_utf8(child) else {
                self.fail(name, "Cannot read", &rustix::io::Errno::ILSEQ.into())?;
                continue;
            };
            self.add(&directory, Path::new(text), &format!("{name}/{text}"), depth + 1)?;
        }
        Ok(())
    }

    fn add_file(&mut self, parent: impl AsFd, file: &Path, name: &str, metadata: &Metadata) -> io::Result<()> {
        let opened = match open_in(parent, file, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK) {
            Ok(opened) => File::from(opened),
            Err(error) => return self.fail(name, "Cannot open", &error),
        };
        let size = metadata.len();
        let mut header = header(metadata, EntryType::Regular, size);
        // As long as the header says, whatever happens to the file meanwhile.
        let content = opened.take(size).chain(io::repeat(0)).take(size);
        self.archive.append_data(&mut header, name, content)
    }

    fn add_link(&mut self, parent: impl AsFd, file: &Path, name: &str, metadata: &Metadata) -> io::Result<()> {
        let target = match rustix::fs::readlinkat(parent, file, Vec::new()) {
            Ok(target) => target,
            Err(error) => return self.fail(name, "Cannot read link", &error.into()),
        };
        let mut header = header(metadata, EntryType::Symlink, 0);
        self.archive.append_link(&mut header, name, Path::new(std::ffi::OsStr::from_bytes(target.to_bytes())))
    }
}

fn header(metadata: &Metadata, kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(metadata.mode() & 0o7777);
    header.set_mtime(u64::try_from(metadata.mtime()).unwrap_or(0));
    header.set_uid(u64::from(metadata.uid()));
    header.set_gid(u64::from(metadata.gid()));
    header
}
