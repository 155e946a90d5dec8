mod hostile;

use std::io::Write;

use super::*;

enum Make<'a> {
    File(&'a str, &'a [u8]),
    Dir(&'a str),
    Symlink(&'a str, &'a str),
    Hard(&'a str, &'a str),
    Device(&'a str),
}
use Make::{Device, Dir, File as F, Hard, Symlink};

/// An archive with exactly these names: the crate's own builder refuses the ones an attacker would use.
fn archive(entries: &[Make<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for entry in entries {
        let (path, link, kind, data): (&str, &str, EntryType, &[u8]) = match entry {
            F(path, data) => (path, "", EntryType::Regular, data),
            Dir(path) => (path, "", EntryType::Directory, &[]),
            Symlink(path, to) => (path, to, EntryType::Symlink, &[]),
            Hard(path, to) => (path, to, EntryType::Link, &[]),
            Device(path) => (path, "", EntryType::Char, &[]),
        };
        let mut header = tar::Header::new_gnu();
        let old = header.as_old_mut();
        old.name[..path.len()].copy_from_slice(path.as_bytes());
        old.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_size(data.len() as u64);
        header.set_mode(0o4755);
        header.set_cksum();
        builder.append(&header, data).unwrap();
    }
    builder.into_inner().unwrap()
}

struct Fixture {
    dir: tempfile::TempDir,
    budget: Budget,
}

impl Fixture {
    fn new() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("root")).unwrap();
        Fixture { dir, budget: Budget { bytes: 1 << 20, entries: 100 } }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    fn unpack(&mut self, bytes: &[u8], compression: Compression) -> Result<(), UnpackError> {
        let path = self.dir.path().join("layer");
        fs::write(&path, bytes).unwrap();
        let layer = LayerFile { path, compression, diff_id: None };
        unpack(&layer, &self.root(), &mut self.budget)
    }

    fn entries(&mut self, entries: &[Make<'_>]) -> Result<(), UnpackError> {
        self.unpack(&archive(entries), Compression::None)
    }

    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root().join(path)).ok()
    }
}

#[test]
fn files_directories_and_links_come_out() {
    let mut fixture = Fixture::new();
    fixture
        .entries(&[
            Dir("./"),
            F("./app.wasm", b"wasm"),
            F("/etc/conf", b"conf"),
            Symlink("etc/deep/absolute", "/etc/conf"),
            Hard("twin", "etc/conf"),
            Device("dev/null"),
        ])
        .unwrap();
    assert_eq!(fixture.read("app.wasm").unwrap(), "wasm");
    assert_eq!(fixture.read("twin").unwrap(), "conf");
    assert_eq!(fixture.read("etc/deep/absolute").unwrap(), "conf");
    assert!(!fixture.root().join("dev/null").exists());
    let mode = fs::metadata(fixture.root().join("app.wasm")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o755, "no set-id bit");
}

#[test]
fn paths_that_leave_the_image_are_refused() {
    for entries in [
        &[F("../evil", b"x")][..],
        &[F("a/../../evil", b"x")],
        &[Symlink("out", "../..")],
        &[Symlink("a/out", "../../etc")],
        &[Hard("passwd", "../../../../etc/passwd")],
        &[F(".wh...", b"")],
        &[Symlink("l", "/"), Hard("dir", "l")],
    ] {
        let mut fixture = Fixture::new();
        let error = fixture.entries(entries).unwrap_err();
        assert!(matches!(error, UnpackError::Escapes { .. }), "{error}");
        assert_eq!(fs::read_dir(fixture.dir.path()).unwrap().count(), 2, "only root and layer");
    }
}

#[test]
fn writing_through_a_link_stays_inside() {
    let mut fixture = Fixture::new();
    fixture
        .entries(&[
            Dir("run"),
            Symlink("var", "/run"),
            F("var/pid", b"1"),
            Symlink("app", "run/pid"),
            F("app", b"replaces the link, not what it leads to"),
        ])
        .unwrap();
    assert_eq!(fixture.read("run/pid").unwrap(), "1");
    assert!(!fixture.root().join("app").is_symlink());
}

#[test]
fn whiteouts_hide_earlier_layers_only() {
    let mut fixture = Fixture::new();
    fixture.entries(&[F("gone", b"1"), F("d/old", b"1"), F("d/sub/old", b"1"), F("kept", b"1")]).unwrap();
    fixture.entries(&[F(".wh.gone", b""), F("d/new", b"2"), F("d/.wh..wh..opq", b""), F("kept", b"2")]).unwrap();
    assert_eq!(fixture.read("gone"), None);
    assert_eq!((fixture.read("d/old"), fixture.read("d/sub/old")), (None, None));
    assert_eq!(fixture.read("d/new").unwrap(), "2");
    assert_eq!(fixture.read("kept").unwrap(), "2");
}

#[test]
fn bombs_stop_at_the_budget() {
    let zeros = vec![0; 8 << 20];
    let bomb = archive(&[F("bomb", &zeros)]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&bomb).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::encode_all(bomb.as_slice(), 3).unwrap();
    assert!(gzip.len() < 64 << 10 && zstd.len() < 64 << 10);
    for (bytes, compression) in [(gzip, Compression::Gzip), (zstd, Compression::Zstd)] {
        let error = Fixture::new().unpack(&bytes, compression).unwrap_err();
        assert!(matches!(error, UnpackError::TooLarge), "{error}");
    }
    let many: Vec<String> = (0..200).map(|i| format!("f{i}")).collect();
    let many: Vec<Make<'_>> = many.iter().map(|name| F(name, b"")).collect();
    assert!(matches!(Fixture::new().entries(&many), Err(UnpackError::TooMany)));
}

#[test]
fn long_names_work_and_huge_ones_are_refused() {
    let long = format!("{}/file", "d".repeat(120));
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(1);
    header.set_mode(0o644);
    builder.append_data(&mut header, &long, &b"x"[..]).unwrap();
    let mut fixture = Fixture::new();
    fixture.unpack(&builder.into_inner().unwrap(), Compression::None).unwrap();
    assert_eq!(fixture.read(&long).unwrap(), "x");

    let mut builder = tar::Builder::new(Vec::new());
    for kind in [EntryType::GNULongName, EntryType::XHeader] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(EXTENSION_BYTES + 1);
        header.set_cksum();
        builder.append(&header, io::repeat(b'a').take(EXTENSION_BYTES + 1)).unwrap();
    }
    let error = Fixture::new().unpack(&builder.into_inner().unwrap(), Compression::None).unwrap_err();
    assert!(matches!(error, UnpackError::Extension("too long")), "{error}");
}

#[test]
fn truncated_and_forged_archives_are_errors() {
    let whole = archive(&[F("a", &[7; 4096])]);
    let mut fixture = Fixture::new();
    assert!(fixture.unpack(&whole[..2000], Compression::None).is_err());
    assert!(fixture.unpack(b"no gzip", Compression::Gzip).is_err());
    assert!(fixture.unpack(b"no zstd", Compression::Zstd).is_err());

    let path = fixture.dir.path().join("layer");
    fs::write(&path, &whole).unwrap();
    let diff_id = Some(Digest::of(b"something else"));
    let layer = LayerFile { path, compression: Compression::None, diff_id };
    let error = unpack(&layer, &fixture.root(), &mut fixture.budget).unwrap_err();
    assert!(matches!(error, UnpackError::DiffId { .. }), "{error}");
}
