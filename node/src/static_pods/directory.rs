//! The directory of manifests: read again and again, only what has changed.

use std::{
    collections::{BTreeMap, HashSet},
    fs, io,
    io::Read,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;

use super::file::read_pod;

/// Files that are read; a node's own pods are a handful.
const FILES_LIMIT: usize = 500;
/// Bytes of a file; what the API takes is not larger either.
const FILE_BYTES: u64 = 1 << 20;
/// Endings of manifests.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// What tells that a file has changed: its place, size and time.
type Stamp = (u64, u64, i64, i64);

/// The directory as it was last read.
pub struct Directory {
    path: PathBuf,
    node: String,
    files: BTreeMap<PathBuf, (Stamp, Result<Arc<Pod>, String>)>,
    /// What was wrong with the directory itself.
    trouble: Option<String>,
    /// It has been read once: that there are no pods is news too.
    known: bool,
}

/// What a reading has brought.
pub struct Reading {
    /// All pods, each name once.
    pub pods: Vec<Arc<Pod>>,
    /// What is wrong and was not wrong before: with the file's path.
    pub complaints: Vec<String>,
}

impl Directory {
    /// A directory, or a single file, that nobody has read yet.
    pub fn new(path: PathBuf, node: String) -> Directory {
        Directory { path, node, files: BTreeMap::new(), trouble: None, known: false }
    }

    /// Reads what has changed; None if nothing has since the first time. Blocks on the disk.
    pub fn read(&mut self, now: Timestamp) -> Option<Reading> {
        let (found, trouble) = match list(&self.path) {
            Ok(found) => (found, None),
            // It may come; until then there are no pods.
            Err(error) if error.kind() == io::ErrorKind::NotFound => (Vec::new(), Some(error.to_string())),
            // What was read stays: a disk that fails is no reason to stop anything.
            Err(error) => {
                let text = format!("{}: {error}", self.path.display());
                let news = self.trouble.as_ref() != Some(&text);
                self.trouble = Some(text.clone());
                return news.then(|| Reading { pods: self.pods().0, complaints: vec![text] });
            }
        };
        let trouble = trouble.map(|error| format!("{}: {error}", self.path.display()));
        let mut complaints: Vec<String> = trouble.iter().filter(|_| self.trouble != trouble).cloned().collect();
        let mut changed = !std::mem::replace(&mut self.known, true) || self.trouble != trouble;
        self.trouble = trouble;
        if found.len() > FILES_LIMIT {
            complaints.push(format!("{}: only {FILES_LIMIT} files are read", self.path.display()));
        }
        let found: Vec<_> = found.into_iter().take(FILES_LIMIT).collect();
        let here: HashSet<&PathBuf> = found.iter().map(|(path, _)| path).collect();
        let before = self.files.len();
        self.files.retain(|path, _| here.contains(path));
        changed |= self.files.len() != before;
        for (path, stamp) in &found {
            if self.files.get(path).is_some_and(|(known, _)| known == stamp) {
                continue;
            }
            changed = true;
            let pod = read_file(path, &self.node, now).map(Arc::new);
            if let Err(why) = &pod {
                complaints.push(format!("{}: {why}", path.display()));
            }
            self.files.insert(path.clone(), (*stamp, pod));
        }
        let (pods, twice) = self.pods();
        if changed {
            complaints.extend(twice);
        }
        changed.then_some(Reading { pods, complaints })
    }

    /// The pods, and files that name one again.
    fn pods(&self) -> (Vec<Arc<Pod>>, Vec<String>) {
        let (mut names, mut twice) = (HashSet::new(), Vec::new());
        let mut pods = Vec::new();
        for (path, (_, pod)) in &self.files {
            let Ok(pod) = pod else { continue };
            if names.insert((&pod.metadata.namespace, &pod.metadata.name)) {
                pods.push(Arc::clone(pod));
            } else {
                twice.push(format!("{}: another file has a pod of the same name", path.display()));
            }
        }
        (pods, twice)
    }
}

/// Manifests below a path, by name. Hidden files are somebody's drafts.
fn list(path: &Path) -> io::Result<Vec<(PathBuf, Stamp)>> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_dir() {
        return Ok(vec![(path.to_owned(), stamp(&metadata))]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        let ending = path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known));
        // Links are followed: configuration tools place them.
        let Ok(metadata) = fs::metadata(&path) else { continue };
        if !hidden && ending && metadata.is_file() {
            found.push((path, stamp(&metadata)));
        }
    }
    found.sort();
    Ok(found)
}

fn stamp(metadata: &fs::Metadata) -> Stamp {
    (metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec())
}

fn read_file(path: &Path, node: &str, now: Timestamp) -> Result<Pod, String> {
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(FILE_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|error| error.to_string())?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(format!("it is larger than {FILE_BYTES} bytes"));
    }
    read_pod(&bytes, path, node, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(name: &str, image: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec: {{containers: [{{name: c, image: {image}}}]}}"
        )
    }

    fn names(reading: &Reading) -> Vec<&str> {
        reading.pods.iter().filter_map(|pod| pod.metadata.name.as_deref()).collect()
    }

    #[test]
    fn files_come_change_break_and_go() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write("b.yaml", &manifest("web", "i:1"));
        write("a.json", "{");
        write(".hidden.yaml", &manifest("hidden", "i"));
        write("notes.txt", &manifest("notes", "i"));
        fs::create_dir(dir.path().join("dir.yaml")).unwrap();
        let mut directory = Directory::new(dir.path().to_owned(), "n".into());
        let now = Timestamp::UNIX_EPOCH;
        let first = directory.read(now).unwrap();
        assert_eq!(names(&first), ["web-n"]);
        assert!(first.complaints.len() == 1 && first.complaints[0].contains("a.json: couldn't parse as pod"));
        assert!(directory.read(now).is_none());
        write("b.yaml", &manifest("web", "image:22"));
        write("c.yml", &manifest("web", "i:3"));
        let second = directory.read(now).unwrap();
        assert_ne!(second.pods[0].metadata.uid, first.pods[0].metadata.uid);
        assert_eq!((second.pods.len(), second.complaints.len()), (1, 1));
        assert!(second.complaints[0].ends_with("c.yml: another file has a pod of the same name"));
        fs::remove_file(dir.path().join("b.yaml")).unwrap();
        let third = directory.read(now).unwrap();
        assert_eq!((names(&third), third.complaints.len()), (vec!["web-n"], 0));
    }

    #[test]
    fn that_there_are_no_pods_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut directory = Directory::new(dir.path().to_owned(), "n".into());
        let now = Timestamp::UNIX_EPOCH;
        let first = directory.read(now).unwrap();
        assert!(first.pods.is_empty() && first.complaints.is_empty());
        assert!(directory.read(now).is_none());
    }

    #[test]
    fn a_directory_may_come_later_and_a_file_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pods");
        let mut directory = Directory::new(path.clone(), "n".into());
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(directory.read(now).unwrap().complaints.len(), 1);
        assert!(directory.read(now).is_none());
        fs::create_dir(&path).unwrap();
        assert!(directory.read(now).unwrap().complaints.is_empty());
        fs::write(path.join("big.yaml"), vec![b' '; 1 + FILE_BYTES as usize]).unwrap();
        assert!(directory.read(now).unwrap().complaints[0].ends_with("it is larger than 1048576 bytes"));
    }
}
