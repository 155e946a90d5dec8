//! Buckets in a temporary directory, and what guests may do to them from outside.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, fs::symlink},
    path::PathBuf,
    process::Command,
    thread,
};

use super::{
    super::listing::{Page, page},
    *,
};
use crate::Bucket;

struct Volume {
    outer: tempfile::TempDir,
    place: Place,
}

impl Volume {
    fn new() -> Volume {
        Volume::within(tempfile::tempdir().unwrap())
    }

    fn within(outer: tempfile::TempDir) -> Volume {
        let host_path = outer.path().canonicalize().unwrap().join("volume");
        fs::create_dir(&host_path).unwrap();
        Volume { outer, place: Place::of(Bucket { name: "v".into(), host_path, read_only: false }) }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.place.bucket.host_path.join(DIRECTORY).join(name)
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<(), Error> {
        let file = KeyFile::of(key)?;
        Directory::change(&self.place, |directory| directory.write(&file, value))
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        Directory::find(&self.place)?.map_or(Ok(None), |directory| directory.read(&KeyFile::of(key)?))
    }

    fn delete(&self, key: &str) -> Result<(), Error> {
        let file = KeyFile::of(key)?;
        Directory::change(&self.place, |directory| directory.remove(&file.name))
    }

    fn page(&self, cursor: Option<u64>, most: usize) -> Result<Page, Error> {
        page(&Directory::find(&self.place).unwrap().unwrap(), cursor, most)
    }

    fn is_foreign<T: std::fmt::Debug>(&self, result: Result<T, Error>) {
        let told = result.unwrap_err().to_string();
        assert!(told.ends_with("in the volume was not written by wasi:keyvalue"), "{told}");
        assert!(!told.contains("volume/"), "no path of the host: {told}");
    }
}

#[test]
fn values_are_found_again_and_deleted() {
    let volume = Volume::new();
    assert_eq!(volume.get("k").unwrap(), None);
    assert!(!volume.at("").exists(), "reading makes nothing");
    let long = "long/".repeat(100);
    for key in ["k", "", "../k", &long] {
        volume.set(key, b"first").unwrap();
        volume.set(key, key.as_bytes()).unwrap();
        assert_eq!(volume.get(key).unwrap().unwrap(), key.as_bytes());
    }
    assert_eq!(fs::read(volume.at("=k")).unwrap(), b"k", "who looks into the volume can read it");
    assert_eq!(fs::metadata(volume.at("=k")).unwrap().permissions().mode() & 0o777, 0o600);
    let mut keys = volume.page(None, 10).unwrap().keys;
    keys.sort();
    assert_eq!(keys, ["", "../k", "k", &long]);
    for key in ["k", "k", &long] {
        volume.delete(key).unwrap();
        assert_eq!(volume.get(key).unwrap(), None);
    }
    assert_eq!(fs::read_dir(volume.at("")).unwrap().count(), 2);
    assert_eq!(fs::read_dir(volume.outer.path()).unwrap().count(), 1);
}

#[test]
fn a_bucket_that_may_be_read_cannot_be_changed() {
    let mut volume = Volume::new();
    volume.set("k", b"v").unwrap();
    volume.place.bucket.read_only = true;
    assert!(matches!(volume.set("k", b"w"), Err(Error::AccessDenied)));
    assert!(matches!(volume.delete("k"), Err(Error::AccessDenied)));
    assert_eq!(volume.get("k").unwrap().unwrap(), b"v");
}

#[test]
fn pages_hold_every_key_once_while_others_come_and_go() {
    let volume = Volume::new();
    let kept: Vec<String> = (0..20).map(|number| format!("kept-{number:02}")).collect();
    kept.iter().for_each(|key| volume.set(key, b"").unwrap());
    let (mut seen, mut cursor, mut pages) = (Vec::new(), None, 0);
    loop {
        volume.set(&format!("new-{pages}"), b"").unwrap();
        volume.delete(&format!("new-{}", pages - 1)).unwrap();
        let page = volume.page(cursor, 3).unwrap();
        assert!(page.keys.len() <= 3);
        seen.extend(page.keys.into_iter().filter(|key| key.starts_with("kept")));
        pages += 1;
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    seen.sort();
    assert_eq!(seen, kept);
    assert!((7..=14).contains(&pages), "{pages}");
    assert_eq!(volume.page(Some(u64::MAX), 3).unwrap(), Page::default());
}

/// As many keys as there may be are listed, also beside a value that is being written; one more is too many.
#[test]
fn a_bucket_is_listed_up_to_its_limit() {
    // In memory: so many files take a disk a while.
    let volume = Volume::within(tempfile::tempdir_in("/dev/shm").unwrap());
    volume.set("k", b"v").unwrap();
    File::create(volume.at(UNFINISHED)).unwrap();
    for number in 1..limits::KEYS_PER_BUCKET {
        File::create(volume.at(&format!("={number}"))).unwrap();
    }
    assert_eq!(volume.page(None, 3).unwrap().keys.len(), 3);
    File::create(volume.at("=one-more")).unwrap();
    let told = volume.page(None, 3).unwrap_err().to_string();
    assert_eq!(told, "the bucket has more than 100000 keys: too many to be listed");
}

#[test]
fn nothing_is_read_or_written_through_a_link() {
    let volume = Volume::new();
    let secret = volume.outer.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    volume.set("k", b"v").unwrap();
    symlink(&secret, volume.at("=link")).unwrap();
    symlink(&secret, volume.at(UNFINISHED)).unwrap();
    volume.is_foreign(volume.get("link"));
    assert_eq!(volume.page(None, 10).unwrap().keys, ["k"]);
    volume.set("link", b"mine").unwrap();
    assert_eq!(volume.get("link").unwrap().unwrap(), b"mine");
    assert_eq!(fs::read_to_string(&secret).unwrap(), "secret");

    // In the place of the directory, and of the volume.
    let elsewhere = volume.outer.path().join("elsewhere");
    fs::rename(volume.at(""), &elsewhere).unwrap();
    symlink(&elsewhere, volume.place.bucket.host_path.join(DIRECTORY)).unwrap();
    volume.is_foreign(volume.get("k"));
    volume.is_foreign(volume.set("k", b"w"));
    let moved = volume.outer.path().join("moved");
    fs::rename(&volume.place.bucket.host_path, &moved).unwrap();
    symlink(&moved, &volume.place.bucket.host_path).unwrap();
    assert!(matches!(volume.get("k"), Err(Error::AccessDenied)));
    assert_eq!(fs::read(elsewhere.join("=k")).unwrap(), b"v");
}

#[test]
fn what_is_no_value_is_an_error() {
    let volume = Volume::new();
    let long = KeyFile::of(&"long".repeat(200)).unwrap();
    volume.set("k", b"v").unwrap();
    fs::create_dir(volume.at("=dir")).unwrap();
    assert!(Command::new("mkfifo").arg(volume.at("=pipe")).status().unwrap().success());
    for key in ["dir", "pipe"] {
        volume.is_foreign(volume.get(key));
    }
    volume.is_foreign(volume.set("dir", b"v"));
    volume.is_foreign(volume.delete("dir"));
    assert!(!volume.at(UNFINISHED).exists(), "what can't be put into its place is removed");
    File::create(volume.at("=huge")).unwrap().set_len(limits::VALUE_LIMIT_BYTES as u64 + 1).unwrap();
    volume.is_foreign(volume.get("huge"));
    assert_eq!(volume.page(None, 10).unwrap().keys.len(), 2, "k and huge");
    for content in [&b""[..], b"\0", b"\xff\xffshort", b"\0\x01k", b"\0\x01\xff"] {
        fs::write(volume.at(&long.name), content).unwrap();
        volume.is_foreign(volume.get(&"long".repeat(200)));
        volume.is_foreign(volume.page(None, 10));
    }
    fs::remove_dir_all(volume.at("")).unwrap();
    fs::write(volume.at("").to_str().unwrap().trim_end_matches('/'), "a file").unwrap();
    volume.is_foreign(volume.get("k"));
    volume.is_foreign(volume.set("k", b"v"));
}

#[test]
fn what_a_crash_left_is_in_nobodys_way() {
    let volume = Volume::new();
    volume.set("k", b"old").unwrap();
    fs::write(volume.at(UNFINISHED), "half of a val").unwrap();
    assert_eq!(volume.page(None, 10).unwrap().keys, ["k"]);
    assert_eq!(volume.get("k").unwrap().unwrap(), b"old");
    volume.set("k", b"new").unwrap();
    assert_eq!(volume.get("k").unwrap().unwrap(), b"new");
    assert!(!volume.at(UNFINISHED).exists());
}

#[test]
fn writers_take_turns() {
    let volume = Volume::new();
    let count = || {
        for _ in 0..50 {
            let file = KeyFile::of("count").unwrap();
            let add = |directory: &Directory| {
                let before = directory.read(&file)?.map_or(0, |text| str::from_utf8(&text).unwrap().parse().unwrap());
                directory.write(&file, (before + 1).to_string().as_bytes())
            };
            Directory::change(&volume.place, add).unwrap();
        }
    };
    thread::scope(|threads| (0..4).for_each(|_| drop(threads.spawn(count))));
    assert_eq!(volume.get("count").unwrap().unwrap(), b"200");
}
