//! Archives that nobody packs by accident.

use super::*;

/// One entry with a raw header: name, kind and size field as an attacker wants them, then `data`.
fn raw(kind: EntryType, name: &[u8], size_field: &[u8; 12], data: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    let old = header.as_old_mut();
    old.name[..name.len()].copy_from_slice(name);
    old.size = *size_field;
    header.set_cksum();
    let mut bytes = [header.as_bytes().as_slice(), data].concat();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn octal(size: usize) -> [u8; 12] {
    let mut field = [0; 12];
    field[..11].copy_from_slice(format!("{size:011o}").as_bytes());
    field
}

/// A PAX extension header of these records.
fn pax(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        let length = (1..10).map(|digits| rest + digits).find(|all| all.to_string().len() + rest == *all).unwrap();
        bytes.extend(format!("{length} {key}=").as_bytes());
        bytes.extend(*value);
        bytes.push(b'\n');
    }
    raw(EntryType::XHeader, b"pax", &octal(bytes.len()), &bytes)
}

/// An archive of these entries, with the mark of its end.
fn whole(entries: &[Vec<u8>]) -> Vec<u8> {
    [entries.concat(), vec![0; 1024]].concat()
}

/// Unpacks, and asserts that nothing but the layer and the root is in the fixture's directory afterwards.
fn contained(fixture: &mut Fixture, bytes: &[u8]) -> Result<(), UnpackError> {
    let result = fixture.unpack(bytes, Compression::None);
    assert_eq!(fs::read_dir(fixture.dir.path()).unwrap().count(), 2, "only root and layer");
    result
}

#[test]
fn names_of_extension_headers_are_checked_like_others() {
    let file = raw(EntryType::Regular, b"harmless", &octal(1), b"x");
    for path in [&b"../evil"[..], b"a/../../evil", b"..", b"./../evil"] {
        let mut fixture = Fixture::new();
        let error = contained(&mut fixture, &whole(&[pax(&[("path", path)]), file.clone()])).unwrap_err();
        assert!(matches!(error, UnpackError::Escapes { .. }), "{error}");
        let long = raw(EntryType::GNULongName, b"././@LongLink", &octal(path.len()), path);
        let error = contained(&mut fixture, &whole(&[long, file.clone()])).unwrap_err();
        assert!(matches!(error, UnpackError::Escapes { .. }), "{error}");
    }
    let link = raw(EntryType::Symlink, b"link", &octal(0), b"");
    let error = contained(&mut Fixture::new(), &whole(&[pax(&[("linkpath", b"../../etc")]), link])).unwrap_err();
    assert!(matches!(error, UnpackError::Escapes { .. }), "{error}");
}

#[test]
fn names_that_no_system_has_are_errors_and_odd_ones_stay_inside() {
    let file = raw(EntryType::Regular, b"x", &octal(1), b"x");
    let long = b"n".repeat(300);
    let deep = b"d/".repeat(3_000);
    for path in [&b"a\0../../evil"[..], b"\0", &long, &deep] {
        assert!(contained(&mut Fixture::new(), &whole(&[pax(&[("path", path)]), file.clone()])).is_err(), "{path:?}");
    }
    contained(&mut Fixture::new(), &whole(&[raw(EntryType::Regular, b"a\nb", &octal(1), b"x")])).unwrap();
    for path in [&b" "[..], b"-rf", b"\xff\xfe", b"C:\\x", b"~", b"$HOME", b"...", b"/abs//olute"] {
        contained(&mut Fixture::new(), &whole(&[pax(&[("path", path)]), file.clone()])).unwrap();
    }
}

#[test]
fn sizes_that_lie_are_errors() {
    let mut binary = [0; 12];
    binary[0] = 0x80;
    binary[4..].fill(0xff);
    for size in [octal(1 << 30), binary, *b"77777777777\0", *b"99999999999\0", *b"-1234567890\0", [0xff; 12]] {
        let error = contained(&mut Fixture::new(), &raw(EntryType::Regular, b"big", &size, b"short"));
        assert!(error.is_err(), "{size:?}");
    }
    // A file over 8 GiB by extension header, and the three kinds of sparse files.
    let file = raw(EntryType::Regular, b"x", &octal(1), b"x");
    let error = contained(&mut Fixture::new(), &whole(&[pax(&[("size", b"99999999999999")]), file])).unwrap_err();
    assert!(matches!(error, UnpackError::Extension("size")), "{error}");
    let sparse = raw(EntryType::GNUSparse, b"sparse", &octal(0), b"");
    assert!(matches!(contained(&mut Fixture::new(), &whole(&[sparse])), Err(UnpackError::Extension("sparse file"))));
}

#[test]
fn extension_headers_without_end_are_bounded() {
    // Each takes a place among the entries, and all of them bytes of the budget.
    let many: Vec<Vec<u8>> = (0..200).map(|_| pax(&[("comment", &b"c".repeat(1_000))])).collect();
    assert!(matches!(contained(&mut Fixture::new(), &whole(&many)), Err(UnpackError::TooMany)));
    let large: Vec<Vec<u8>> = (0..50).map(|_| pax(&[("comment", &b"c".repeat(60_000))])).collect();
    assert!(matches!(contained(&mut Fixture::new(), &whole(&large)), Err(UnpackError::TooLarge)));
    for malformed in [&b"99999 path=x\n"[..], b"0 path=x\n", b"5 path", b"\xff\xff\xff", b"18446744073709551616 a=b\n"]
    {
        let header = raw(EntryType::XHeader, b"pax", &octal(malformed.len()), malformed);
        let file = raw(EntryType::Regular, b"x", &octal(1), b"x");
        // Whatever a reader makes of it, it stays inside.
        let _ = contained(&mut Fixture::new(), &whole(&[header, file]));
    }
}

#[test]
fn entries_that_come_twice_replace_and_never_lead_on() {
    let mut fixture = Fixture::new();
    fs::write(fixture.dir.path().join("layer-neighbour"), "kept").unwrap();
    fixture
        .entries(&[
            Dir("d"),
            F("d/file", b"1"),
            Symlink("d", "/"),
            F("d/file", b"2"),
            F("x", b"1"),
            Symlink("x", "nowhere"),
            F("x", b"2"),
            Dir("x"),
            F("x/y", b"3"),
            Hard("h", "file"),
            F("h", b"4"),
        ])
        .unwrap();
    // The directory was replaced by a link to the image's root, through which the file was written.
    assert_eq!(fixture.read("file").unwrap(), "2");
    assert_eq!(fixture.read("x/y").unwrap(), "3");
    assert_eq!(fixture.read("h").unwrap(), "4", "a hard link that is replaced leaves the other name alone");
    assert_eq!(fs::read_to_string(fixture.dir.path().join("layer-neighbour")).unwrap(), "kept");
}

#[test]
fn links_in_links_never_leave_the_image() {
    let mut fixture = Fixture::new();
    let outside = fixture.dir.path().join("outside");
    fs::write(&outside, "kept").unwrap();
    // Each link is allowed by itself; what they lead to together is resolved inside.
    let result = fixture.entries(&[
        Symlink("a", "b/c"),
        Dir("b"),
        Symlink("b/c", "/"),
        Symlink("b/up", ".."),
        F("a/b/up/b/up/new", b"new"),
        Symlink("loop", "loop"),
    ]);
    result.unwrap();
    assert_eq!(fixture.read("new").unwrap(), "new");
    assert!(fixture.entries(&[F("loop/x", b"")]).is_err());
    // `..` through a link climbs from where the link is, not from where it leads: refused as a path already.
    assert!(fixture.entries(&[Symlink("b/out", "../../outside")]).is_err());
    // One that climbs by another link would lead out for the kernel; whoever follows it here stops at the root.
    fixture.entries(&[Symlink("up2", "b/up/../../outside"), F("up2/x", b"inside")]).unwrap();
    assert_eq!(fixture.read("outside/x").unwrap(), "inside");
    assert!(fixture.entries(&[Hard("stolen", "../outside")]).is_err());
    assert_eq!(fs::read_to_string(outside).unwrap(), "kept");
}

#[test]
fn whiteouts_remove_nothing_outside() {
    let mut fixture = Fixture::new();
    let outside = fixture.dir.path().join("outside");
    fs::write(&outside, "kept").unwrap();
    fixture.entries(&[Symlink("link", "/"), F("file", b"1")]).unwrap();
    for name in [".wh...", ".wh..", ".wh.", "../.wh.outside", "a/../../.wh.outside", ".wh.../outside"] {
        let _ = fixture.entries(&[F(name, b"")]);
        assert_eq!(fs::read_to_string(&outside).unwrap(), "kept", "{name}");
        assert!(fixture.root().is_dir(), "{name}");
    }
    // One that goes through a link hides what the image has there; an opaque one empties the image at most.
    fixture.entries(&[F("link/.wh.file", b"")]).unwrap();
    assert_eq!(fixture.read("file"), None);
    fixture.entries(&[F("link/.wh..wh..opq", b"")]).unwrap();
    assert_eq!(fs::read_to_string(&outside).unwrap(), "kept");
}

#[test]
fn special_files_and_their_like_are_left_out() {
    let mut fixture = Fixture::new();
    let kinds = [EntryType::Char, EntryType::Block, EntryType::Fifo, EntryType::new(b'Z'), EntryType::new(0xff)];
    for kind in kinds {
        let _ = contained(&mut fixture, &whole(&[raw(kind, b"special", &octal(0), b"")]));
        assert!(!fixture.root().join("special").exists(), "{kind:?}");
    }
}

#[test]
fn a_window_that_would_take_the_nodes_memory_is_refused() {
    // A frame of zstd whose window is 2^41 bytes, and one of 3.75 TiB with a mantissa.
    for window in [31 << 3, (31 << 3) | 7] {
        let frame = [&[0x28, 0xb5, 0x2f, 0xfd, 0x00, window][..], &[0x01, 0x00, 0x00]].concat();
        assert!(Fixture::new().unpack(&frame, Compression::Zstd).is_err());
    }
}

#[test]
fn bombs_of_many_members_stop_at_the_budget_too() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&[0; 512 << 10]).unwrap();
    let member = gzip.finish().unwrap();
    let frame = zstd::encode_all(&[0; 512 << 10][..], 3).unwrap();
    for (member, compression) in [(member, Compression::Gzip), (frame, Compression::Zstd)] {
        // What follows the end of the archive is read for its digest, and counted.
        let error = Fixture::new().unpack(&member.repeat(10), compression).unwrap_err();
        assert!(matches!(error, UnpackError::TooLarge), "{error}");
    }
}

/// What a path can name can also be removed again by the store, on a thread's stack.
#[test]
fn the_deepest_image_can_be_removed() {
    let mut fixture = Fixture::new();
    fixture.budget = Budget { bytes: 64 << 20, entries: 10_000 };
    let depth = (4_000 - fixture.root().as_os_str().len()) / 2;
    let path = "d/".repeat(depth);
    let file = raw(EntryType::Regular, b"x", &octal(1), b"x");
    fixture
        .unpack(&whole(&[pax(&[("path", [path.as_bytes(), b"f"].concat().as_slice())]), file]), Compression::None)
        .unwrap();
    let root = fixture.root();
    std::thread::Builder::new().stack_size(1 << 20).spawn(move || remove(&root)).unwrap().join().unwrap().unwrap();
    assert!(!fixture.root().exists());
}
