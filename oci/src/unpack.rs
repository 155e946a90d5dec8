//! Unpacks the layers of a compat image into a directory (image-spec, layer.md), as hostile as they may be.
//!
//! Invariant: nothing is written outside the directory, no more bytes and entries than allowed are read from
//! the archives whatever their compression, and no device, set-id bit or owner comes out of them. Symbolic
//! links are kept for the guest, whose file system is confined; the host resolves paths by `scoped` only.

use std::collections::HashSet;
use std::fs::{self, File, Permissions};
use std::io::{self, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use tar::EntryType;

use crate::blobs::Metered;
use crate::digest::{Digest, Hasher};
use crate::media_type::Compression;
use crate::scoped;

/// Names in extension headers: beyond PATH_MAX nothing can be created anyway.
const EXTENSION_BYTES: u64 = 64 << 10;
const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";

/// Why a layer could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnpackError {
    /// The layers are larger than allowed
    #[error("decompressed layers")]
    TooLarge,
    /// The layers have more entries than allowed
    #[error("archive entries")]
    TooMany,
    /// The archive's content is not what the configuration promises
    #[error("wrong diff id calculated on extraction {actual}, expected {expected}")]
    DiffId { expected: Digest, actual: Digest },
    /// An entry would land outside of the image
    #[error("archive entry {path:?} leads outside of the image")]
    Escapes { path: PathBuf },
    /// An extension header is malformed, too large or asks for more than the format needs
    #[error("archive has an unsupported extension header ({0})")]
    Extension(&'static str),
    /// The archive is malformed, or the disk failed
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// One layer on disk.
pub(crate) struct LayerFile {
    pub(crate) path: PathBuf,
    pub(crate) compression: Compression,
    /// Digest of the archive once decompressed, where the configuration gives it.
    pub(crate) diff_id: Option<Digest>,
}

/// What layers may still take; shared by all layers of an image.
pub(crate) struct Budget {
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
}

/// Unpacks one layer over what earlier layers left in `root`.
pub(crate) fn unpack(layer: &LayerFile, root: &Path, budget: &mut Budget) -> Result<(), UnpackError> {
    let file = BufReader::new(File::open(&layer.path)?);
    let inner: Box<dyn Read> = match layer.compression {
        Compression::None => Box::new(file),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(file)?),
    };
    let mut reader = Metered { inner, hasher: Hasher::default(), left_bytes: budget.bytes, spent: false };
    let mut unpacker = Unpacker { root, written: HashSet::new(), names: Names::default() };
    let result = unpacker.archive(&mut reader, &mut budget.entries);
    // Padding after the end mark belongs to the digest.
    let result = result.and_then(|()| Ok(io::copy(&mut reader, &mut io::sink()).map(drop)?));
    budget.bytes = reader.left_bytes;
    match result {
        Err(_) if reader.spent => return Err(UnpackError::TooLarge),
        other => other?,
    }
    let actual = reader.hasher.finish();
    match &layer.diff_id {
        Some(expected) if *expected != actual => Err(UnpackError::DiffId { expected: expected.clone(), actual }),
        _ => Ok(()),
    }
}

/// Puts a blob into `root` as a file of this name: a link to it, or a copy where there can be none.
pub(crate) fn place(blob: &Path, root: &Path, name: &Path) -> Result<(), UnpackError> {
    let name = inside(name)?;
    let (Some(file), Some(parent)) = (name.file_name(), name.parent()) else {
        return Err(UnpackError::Escapes { path: name });
    };
    let target = scoped::resolve(root, parent, true)?.join(file);
    make_way(&target, false)?;
    if fs::hard_link(blob, &target).is_err() {
        fs::copy(blob, &target)?;
        File::open(&target)?.sync_all()?;
    }
    Ok(())
}

/// Names that extension headers give to the entry after them.
#[derive(Default)]
struct Names {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

struct Unpacker<'a> {
    root: &'a Path,
    /// What this layer has written: an opaque whiteout hides earlier layers, not this one.
    written: HashSet<PathBuf>,
    names: Names,
}

impl Unpacker<'_> {
    fn archive<R: Read>(&mut self, reader: R, entries_left: &mut u64) -> Result<(), UnpackError> {
        let mut archive = tar::Archive::new(reader);
        // Raw: the crate would gather extension headers in memory without a bound.
        for entry in archive.entries()?.raw(true) {
            *entries_left = entries_left.checked_sub(1).ok_or(UnpackError::TooMany)?;
            let mut entry = entry?;
            match entry.header().entry_type() {
                EntryType::GNULongName => self.names.path = Some(name_extension(&mut entry)?),
                EntryType::GNULongLink => self.names.link = Some(name_extension(&mut entry)?),
                EntryType::XHeader => self.pax(&extension(&mut entry)?)?,
                EntryType::XGlobalHeader => {}
                EntryType::GNUSparse => return Err(UnpackError::Extension("sparse file")),
                kind => self.entry(&mut entry, kind)?,
            }
        }
        Ok(())
    }

    fn pax(&mut self, bytes: &[u8]) -> Result<(), UnpackError> {
        for pair in tar::PaxExtensions::new(bytes) {
            let pair = pair?;
            match pair.key_bytes() {
                b"path" => self.names.path = Some(pair.value_bytes().to_owned()),
                b"linkpath" => self.names.link = Some(pair.value_bytes().to_owned()),
                // Only files over 8 GiB need it; a size that differs from the header's desynchronises readers.
                b"size" => return Err(UnpackError::Extension("size")),
                _ => {}
            }
        }
        Ok(())
    }

    fn entry<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>, kind: EntryType) -> Result<(), UnpackError> {
        let path = self.names.path.take().unwrap_or_else(|| entry.path_bytes().into_owned());
        let link = self.names.link.take().or_else(|| Some(entry.link_name_bytes()?.into_owned()));
        let path = inside(&as_path(&path))?;
        let (Some(name), Some(parent)) = (path.file_name(), path.parent()) else { return Ok(()) };
        let parent = scoped::resolve(self.root, parent, true)?;
        if let Some(hidden) = name.as_bytes().strip_prefix(WHITEOUT.as_bytes()) {
            return self.whiteout(&parent, &as_path(hidden), name == OPAQUE);
        }
        let target = parent.join(name);
        make_way(&target, kind == EntryType::Directory)?;
        let mode = entry.header().mode().unwrap_or(0o644) & 0o777;
        match kind {
            EntryType::Regular | EntryType::Continuous => write_file(&target, entry, mode)?,
            EntryType::Directory => make_dir(&target, mode)?,
            EntryType::Symlink => self.symlink(&parent, &target, &as_path(&link.unwrap_or_default()))?,
            EntryType::Link => self.hard_link(&target, &as_path(&link.unwrap_or_default()))?,
            other => tracing::debug!(?other, path = %path.display(), "skipping a special file"),
        }
        self.written.insert(target);
        Ok(())
    }

    fn whiteout(&self, parent: &Path, hidden: &Path, opaque: bool) -> Result<(), UnpackError> {
        if !opaque {
            return match hidden.components().next() {
                Some(Component::Normal(name)) => Ok(remove(&parent.join(name))?),
                _ => Err(UnpackError::Escapes { path: hidden.to_owned() }),
            };
        }
        for child in fs::read_dir(parent)? {
            let child = child?.path();
            if !self.written.iter().any(|path| path.starts_with(&child)) {
                remove(&child)?;
            }
        }
        Ok(())
    }

    fn symlink(&self, parent: &Path, target: &Path, to: &Path) -> Result<(), UnpackError> {
        let depth = parent.strip_prefix(self.root).map_or(0, |inner| inner.components().count());
        let to = match to.is_absolute() {
            false => to.to_owned(),
            // The guest's root is this directory: an absolute link is written relative to it.
            true => std::iter::repeat_n("..", depth).collect::<PathBuf>().join(inside(to)?),
        };
        let mut level = depth;
        for component in to.components() {
            match component {
                Component::ParentDir if level == 0 => return Err(UnpackError::Escapes { path: to }),
                Component::ParentDir => level -= 1,
                Component::Normal(_) => level += 1,
                _ => {}
            }
        }
        Ok(symlink(if to.as_os_str().is_empty() { Path::new(".") } else { &to }, target)?)
    }

    fn hard_link(&self, target: &Path, to: &Path) -> Result<(), UnpackError> {
        let source = scoped::resolve(self.root, &inside(to)?, false)?;
        match fs::symlink_metadata(&source)?.is_file() {
            true => Ok(fs::hard_link(source, target)?),
            false => Err(UnpackError::Escapes { path: to.to_owned() }),
        }
    }
}

/// A relative path without dots. An entry that climbs up is refused, not corrected: no tool writes it.
fn inside(path: &Path) -> Result<PathBuf, UnpackError> {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => clean.push(part),
            Component::ParentDir => return Err(UnpackError::Escapes { path: path.to_owned() }),
            _ => {}
        }
    }
    Ok(clean)
}

fn as_path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

fn extension<R: Read>(entry: &mut tar::Entry<'_, R>) -> Result<Vec<u8>, UnpackError> {
    if entry.size() > EXTENSION_BYTES {
        return Err(UnpackError::Extension("too long"));
    }
    let mut bytes = Vec::new();
    entry.take(EXTENSION_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn name_extension<R: Read>(entry: &mut tar::Entry<'_, R>) -> Result<Vec<u8>, UnpackError> {
    let mut bytes = extension(entry)?;
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    Ok(bytes)
}

/// Removes what an entry replaces. A directory over a directory keeps its content.
fn make_way(target: &Path, for_directory: bool) -> io::Result<()> {
    match fs::symlink_metadata(target) {
        Ok(meta) if meta.is_dir() && for_directory => Ok(()),
        Ok(_) => remove(target),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// The owner can always read what he unpacked, so that it can be served and deleted.
fn write_file<R: Read>(target: &Path, from: &mut R, mode: u32) -> io::Result<()> {
    let mut file = File::create_new(target)?;
    io::copy(from, &mut file)?;
    file.set_permissions(Permissions::from_mode(mode | 0o400))?;
    file.sync_all()
}

fn make_dir(target: &Path, mode: u32) -> io::Result<()> {
    if !target.is_dir() {
        fs::create_dir(target)?;
    }
    fs::set_permissions(target, Permissions::from_mode(mode | 0o700))
}

#[cfg(test)]
mod tests;
