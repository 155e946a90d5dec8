//! A place on the disk for guests to break out of.

use std::{fs, os::unix::fs::MetadataExt, path::PathBuf};

use coracle_wasi_host::Preopen;

use crate::script::Script;

/// A directory that a guest may write, one that it may read, and what it must not reach beside them.
pub struct Place {
    outer: tempfile::TempDir,
}

/// The descriptor of the directory that may be written, and of the other one.
pub const WRITABLE: u32 = 3;
pub const READABLE: u32 = 4;

impl Place {
    pub fn new() -> Place {
        let outer = tempfile::tempdir().unwrap();
        for dir in ["data/sub", "fixed/sub", "outside/sub"] {
            fs::create_dir_all(outer.path().join(dir)).unwrap();
        }
        for file in ["data/mine", "fixed/file", "fixed/sub/file", "outside/secret"] {
            fs::write(outer.path().join(file), file).unwrap();
        }
        Place { outer }
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.outer.path().join(path)
    }

    pub fn preopens(&self) -> Vec<Preopen> {
        let preopen =
            |name: &str, read_only| Preopen { host_path: self.at(name), guest_path: format!("/{name}"), read_only };
        vec![preopen("data", false), preopen("fixed", true)]
    }

    /// Everything below a directory: names, inodes, links, sizes, times, content.
    pub fn state(&self, dir: &str) -> String {
        let mut found = Vec::new();
        let mut left = vec![self.at(dir)];
        while let Some(path) = left.pop() {
            let meta = fs::symlink_metadata(&path).unwrap();
            let content = if meta.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
            found.push(format!("{path:?} {} {} {} {content:?}", meta.ino(), meta.nlink(), meta.mtime_nsec()));
            if meta.is_dir() {
                left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
        found.sort();
        found.join("\n")
    }

    /// Runs a script of which every call must fail, and nothing outside or read-only may be changed by it.
    pub async fn refuses(&self, script: &Script) {
        let before = (self.state("outside"), self.state("fixed"));
        let results = script.run(self.preopens()).await;
        for (index, errno) in results.iter().enumerate() {
            assert_ne!(*errno, 0, "call {index} of {results:?} succeeded");
        }
        assert_eq!((self.state("outside"), self.state("fixed")), before);
    }
}
