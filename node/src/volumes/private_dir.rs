//! A directory of one container's own that stands in for another one, so that single files can be shown in it.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    mount::Binding,
    tree::{How, bring_file, bring_tree},
};

/// Files of the directory it stands in for; who has more should mount directories.
const FILES_LIMIT: usize = 10_000;
/// Directories that are shown as they are, each a directory the guest is given. Those beyond are brought along.
const WINDOWS_LIMIT: usize = 32;

/// See the module.
#[derive(Debug)]
pub struct PrivateDir {
    /// Where the guest finds it.
    pub guest: PathBuf,
    /// The directory.
    pub host: PathBuf,
    /// One of its files is there to be written, and WASI's permissions are those of a directory.
    pub writable: bool,
    /// Directories of the other one: where the guest finds them, and where they are. They can only be read.
    pub windows: Vec<(PathBuf, PathBuf)>,
}

/// The directory that is stood in for.
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    /// The directory.
    pub dir: &'a Path,
    /// Its links may lead anywhere below this.
    pub root: &'a Path,
}

impl PrivateDir {
    /// Makes the directory at `host`, with the content of another one, if there is one, and `files` over it.
    pub fn make(
        guest: &Path,
        host: PathBuf,
        content: Option<Content<'_>>,
        files: &[Binding],
    ) -> io::Result<PrivateDir> {
        fs::create_dir_all(&host)?;
        let writable = files.iter().any(|file| !file.read_only);
        let mut dir = PrivateDir { guest: guest.to_owned(), host, writable, windows: Vec::new() };
        if let Some(content) = content {
            dir.bring_content(content, files)?;
        }
        for file in files {
            let Some(name) = file.guest.file_name() else { continue };
            bring_file(&file.host, &dir.host.join(name), dir.how(file.read_only))?;
        }
        Ok(dir)
    }

    /// A file that may only be read is not written through a directory that can be.
    fn how(&self, read_only: bool) -> How {
        how(self.writable, read_only)
    }

    fn bring_content(&mut self, content: Content<'_>, files: &[Binding]) -> io::Result<()> {
        let root = content.root.canonicalize()?;
        let mut seen = 0;
        for entry in fs::read_dir(content.dir)? {
            let entry = entry?;
            seen += 1;
            if seen > FILES_LIMIT {
                let text = format!("{} has more than {FILES_LIMIT} entries", content.dir.display());
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
            }
            let name = entry.file_name();
            if files.iter().any(|file| file.guest.file_name() == Some(&name)) {
                continue;
            }
            // Links are followed here: seen from another directory they would lead elsewhere.
            let Ok(source) = entry.path().canonicalize() else { continue };
            if source.starts_with(&root) {
                self.bring(&source, &name)?;
            }
        }
        Ok(())
    }

    fn bring(&mut self, source: &Path, name: &OsStr) -> io::Result<()> {
        let kind = fs::symlink_metadata(source)?.file_type();
        let target = self.host.join(name);
        if kind.is_file() {
            return bring_file(source, &target, self.how(true));
        }
        if !kind.is_dir() {
            return Ok(());
        }
        if self.windows.len() >= WINDOWS_LIMIT {
            return bring_tree(source, &target, self.how(true));
        }
        self.windows.push((self.guest.join(name), source.to_owned()));
        fs::create_dir_all(&target)
    }
}

/// How a file is shown in a directory.
pub fn how(writable_dir: bool, read_only: bool) -> How {
    if writable_dir && read_only { How::Copy } else { How::Link }
}
