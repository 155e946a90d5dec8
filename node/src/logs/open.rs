//! Opening log files. Who may write to the node's directory by a `hostPath` could put links there: then the node would
//! write, or show to readers of logs, what lies elsewhere. So no link is followed below the directory of all pods, and
//! nothing but a regular file is opened (a pipe would hold up the thread that writes all logs).

use std::{fs::File, io, path::Path};

use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags},
    io::Errno,
};

/// Components of a log's path that belong to its pod: the pod's directory, the container's, the file.
const OWN_COMPONENTS: usize = 3;

/// Opens a log to read it.
pub fn open_to_read(path: &Path) -> io::Result<File> {
    open(path, OFlags::RDONLY)
}

/// Opens a log to append to it, and makes it if it isn't there.
pub fn open_to_append(path: &Path) -> io::Result<File> {
    open(path, OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE)
}

fn open(path: &Path, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mode = if flags.contains(OFlags::CREATE) { Mode::from_raw_mode(0o644) } else { Mode::empty() };
    let base = path.ancestors().nth(OWN_COMPONENTS).filter(|base| !base.as_os_str().is_empty());
    let opened = match base {
        Some(base) => {
            let below = path.strip_prefix(base).map_err(io::Error::other)?;
            let base =
                rustix::fs::openat(CWD, base, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
            rustix::fs::openat2(base, below, flags, mode, ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH)
        }
        None => rustix::fs::openat(CWD, path, flags, mode),
    };
    // Kernels before 5.6, and some sandboxes, know the last component's flag only.
    let opened = match opened {
        Err(Errno::NOSYS) => rustix::fs::openat(CWD, path, flags, mode),
        opened => opened,
    };
    let file = File::from(opened?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("the log is no regular file")) }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::{Read, Write},
        os::unix::fs::symlink,
        process::Command,
    };

    use super::*;

    /// A log at its place, and a file that nobody may reach through it.
    fn place() -> (tempfile::TempDir, std::path::PathBuf, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("pods/uid/main/0.log");
        fs::create_dir_all(log.parent().unwrap()).unwrap();
        let secret = dir.path().join("secret");
        fs::write(&secret, "secret").unwrap();
        (dir, log, secret)
    }

    #[test]
    fn logs_are_made_appended_to_and_read() {
        let (_dir, log, _) = place();
        assert_eq!(open_to_read(&log).unwrap_err().kind(), io::ErrorKind::NotFound);
        open_to_append(&log).unwrap().write_all(b"one ").unwrap();
        open_to_append(&log).unwrap().write_all(b"two").unwrap();
        let mut text = String::new();
        open_to_read(&log).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "one two");
    }

    #[test]
    fn no_link_is_followed() {
        let (dir, log, secret) = place();
        for target in [secret.clone(), dir.path().join("new")] {
            symlink(&target, &log).unwrap();
            assert!(open_to_append(&log).is_err() && open_to_read(&log).is_err(), "{}", target.display());
            fs::remove_file(&log).unwrap();
        }
        // A link in the place of a directory: the container's, and the pod's.
        let elsewhere = dir.path().join("elsewhere/main");
        fs::create_dir_all(&elsewhere).unwrap();
        fs::write(elsewhere.join("0.log"), "elsewhere").unwrap();
        let container = log.parent().unwrap();
        fs::remove_dir(container).unwrap();
        symlink(&elsewhere, container).unwrap();
        assert!(open_to_append(&log).is_err() && open_to_read(&log).is_err());
        let pod = container.parent().unwrap();
        fs::remove_dir_all(pod).unwrap();
        symlink(elsewhere.parent().unwrap(), pod).unwrap();
        assert!(open_to_append(&log).is_err() && open_to_read(&log).is_err());
        assert_eq!(fs::read_to_string(secret).unwrap(), "secret");
        assert_eq!(fs::read_to_string(elsewhere.join("0.log")).unwrap(), "elsewhere");
        assert!(!dir.path().join("new").exists());
    }

    #[test]
    fn a_pipe_or_a_directory_in_its_place_holds_up_nobody() {
        let (_dir, log, _) = place();
        assert!(Command::new("mkfifo").arg(&log).status().unwrap().success());
        assert!(open_to_append(&log).is_err() && open_to_read(&log).is_err());
        fs::remove_file(&log).unwrap();
        fs::create_dir(&log).unwrap();
        assert!(open_to_append(&log).is_err() && open_to_read(&log).is_err());
    }
}
