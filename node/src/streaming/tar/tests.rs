//! Archives against real directories, by the crate's own reader and writer, and by ones that mean harm.

use std::{fs, os::unix::fs::symlink, path::Path};

use coracle_wasi_host::Preopen;
use tar::{Archive, Builder, EntryType, Header};

use super::*;

/// `/` read-only and `/data` to write, as a container with a root filesystem and a volume has them.
fn places(root: &Path) -> Places {
    for directory in ["image", "volume"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    let preopen = |host: &str, guest: &str, read_only| Preopen {
        host_path: root.join(host),
        guest_path: guest.to_owned(),
        read_only,
    };
    Places::new(&[preopen("image", "/", true), preopen("volume", "/data", false)])
}

/// A command on its thread, which has so much patience, and both of its ends.
fn started(
    root: &Path,
    line: &str,
    patience: Duration,
) -> (tokio::task::JoinHandle<i32>, mpsc::Sender<Bytes>, Arc<OutputPipe>) {
    let places = places(root);
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let task = OwnCommand::of(&words).unwrap().task;
    let (output, runtime) = (OutputPipe::new(Shape::Two), Handle::current());
    let (sender, pieces) = mpsc::channel(QUEUE);
    let pieces = Pieces::new(pieces, runtime.clone(), patience);
    let printer = Printer { pipe: Arc::clone(&output), stream: Stream::Stdout, runtime, patience };
    (tokio::task::spawn_blocking(move || run(task, &places, pieces, printer)), sender, output)
}

/// Runs a command with an archive for stdin: exit code, stdout, stderr.
async fn tar(root: &Path, line: &str, input: Vec<u8>) -> (i32, Vec<u8>, String) {
    let (running, sender, output) = started(root, line, PATIENCE);
    let feeding = tokio::spawn(async move {
        for piece in input.chunks(1000) {
            if sender.send(Bytes::copy_from_slice(piece)).await.is_err() {
                return;
            }
        }
    });
    let closing = tokio::spawn({
        let output = Arc::clone(&output);
        async move {
            let code = running.await.unwrap();
            output.close();
            code
        }
    });
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    while let Some((stream, bytes)) = output.next().await {
        match stream {
            Stream::Stdout => stdout.extend_from_slice(&bytes),
            Stream::Stderr => stderr.extend_from_slice(&bytes),
        }
    }
    feeding.await.unwrap();
    (closing.await.unwrap(), stdout, String::from_utf8(stderr).unwrap())
}

fn archive(members: &[(&str, EntryType, &str)]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, kind, content) in members {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        // Names as they are: the crate's own setters refuse what is tested here.
        let field = &mut header.as_old_mut().name;
        field[..name.len()].copy_from_slice(name.as_bytes());
        if *kind == EntryType::Regular {
            header.set_size(content.len() as u64);
        } else if !content.is_empty() {
            header.as_old_mut().linkname[..content.len()].copy_from_slice(content.as_bytes());
            header.set_size(0);
        } else {
            header.set_size(0);
        }
        header.set_cksum();
        let content = if *kind == EntryType::Regular { content.as_bytes() } else { b"" };
        builder.append(&header, content).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn only_two_commands_are_the_nodes() {
    let is_own = |line: &str| OwnCommand::of(&line.split(' ').map(str::to_owned).collect::<Vec<_>>()).is_some();
    for own in ["tar cf - /a", "tar nonsense", "test -d /a"] {
        assert!(is_own(own), "{own}");
    }
    for other in ["/bin/tar cf - /a", "test -f /a", "test -d /a -o -d /b", "sh -c tar", "tars"] {
        assert!(!is_own(other), "{other}");
    }
}

#[tokio::test]
async fn what_is_packed_can_be_unpacked() {
    let dir = tempfile::tempdir().unwrap();
    places(dir.path());
    let volume = dir.path().join("volume");
    let long = "n".repeat(120);
    fs::create_dir_all(volume.join("tree/deep")).unwrap();
    fs::write(volume.join("tree/deep").join(&long), "far down").unwrap();
    fs::write(volume.join("tree/big"), vec![b'x'; 3 << 20]).unwrap();
    symlink("big", volume.join("tree/link")).unwrap();
    let (code, packed, said) = tar(dir.path(), "tar cf - /data/tree", Vec::new()).await;
    assert_eq!((code, said.as_str()), (0, "tar: Removing leading `/' from member names\n"));
    let mut names: Vec<String> = Archive::new(packed.as_slice())
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let deep = format!("data/tree/deep/{long}");
    assert_eq!(names, ["data/tree/", "data/tree/big", "data/tree/deep/", deep.as_str(), "data/tree/link"]);

    fs::create_dir(volume.join("copy")).unwrap();
    let (code, _, said) = tar(dir.path(), "tar -xmf - -C /data/copy", packed).await;
    assert_eq!((code, said.as_str()), (0, ""));
    let copy = volume.join("copy/data/tree");
    assert_eq!(fs::read_to_string(copy.join("deep").join(&long)).unwrap(), "far down");
    assert_eq!(fs::metadata(copy.join("link")).unwrap().len(), 3 << 20);
}

#[tokio::test]
async fn nothing_is_written_outside_or_where_the_container_may_not() {
    let dir = tempfile::tempdir().unwrap();
    places(dir.path());
    let outside = dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    symlink(&outside, dir.path().join("volume/way-out")).unwrap();
    symlink("../outside", dir.path().join("volume/way-up")).unwrap();
    let hostile = archive(&[
        ("../escaped", EntryType::Regular, "x"),
        ("way-out/escaped", EntryType::Regular, "x"),
        ("way-up/escaped", EntryType::Regular, "x"),
        ("absolute-link", EntryType::Symlink, "/etc"),
        ("upward-link", EntryType::Symlink, "a/../../outside"),
        ("hard", EntryType::Link, "way-out"),
        ("device", EntryType::Char, ""),
        ("good", EntryType::Regular, "fine"),
        ("good-link", EntryType::Symlink, "good"),
    ]);
    let (code, _, said) = tar(dir.path(), "tar xf - -C /data", hostile).await;
    assert_eq!((code, said.lines().count()), (FATAL, 8), "{said}");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert!(!dir.path().join("escaped").exists());
    assert_eq!(fs::read_to_string(dir.path().join("volume/good-link")).unwrap(), "fine");

    let (code, _, said) = tar(dir.path(), "tar xf - -C /", archive(&[("a", EntryType::Regular, "x")])).await;
    assert_eq!(code, FATAL);
    assert!(said.starts_with("tar: a: Cannot open: Read-only file system"), "{said}");

    let (code, _, said) = tar(dir.path(), "tar xf - -C /nowhere", archive(&[("a", EntryType::Regular, "x")])).await;
    let wanted = "tar: /nowhere: Cannot open: No such file or directory\ntar: Error is not recoverable: exiting now\n";
    assert_eq!((code, said.as_str()), (FATAL, wanted));
}

#[tokio::test]
async fn nothing_outside_is_read() {
    let dir = tempfile::tempdir().unwrap();
    places(dir.path());
    fs::write(dir.path().join("secret"), "x").unwrap();
    symlink("../secret", dir.path().join("volume/link")).unwrap();
    symlink("..", dir.path().join("volume/up")).unwrap();
    let (code, _, said) = tar(dir.path(), "tar cf - /data/up/secret", Vec::new()).await;
    assert_eq!(code, FATAL);
    assert!(said.contains("tar: /data/up/secret: Cannot stat: "), "{said}");
    // A link is packed as a link.
    let (code, packed, _) = tar(dir.path(), "tar cf - /data/link", Vec::new()).await;
    assert_eq!(code, 0);
    assert!(Archive::new(packed.as_slice()).entries().unwrap().all(|entry| entry.unwrap().size() == 0));
    let (code, _, said) = tar(dir.path(), "tar cf - /nothing", Vec::new()).await;
    assert_eq!(code, FATAL);
    assert!(said.contains("tar: /nothing: Cannot stat: No such file or directory\n"), "{said}");
}

#[tokio::test]
async fn directories_are_told_from_files_and_from_nothing() {
    let dir = tempfile::tempdir().unwrap();
    places(dir.path());
    fs::write(dir.path().join("volume/file"), "x").unwrap();
    for (path, code) in [("/data", 0), ("/", 0), ("/data/file", FAILURE), ("/data/nothing", FAILURE)] {
        assert_eq!(tar(dir.path(), &format!("test -d {path}"), Vec::new()).await.0, code, "{path}");
    }
}

#[tokio::test]
async fn rubbish_is_no_archive() {
    let dir = tempfile::tempdir().unwrap();
    let (code, _, said) = tar(dir.path(), "tar xf - -C /data", vec![b'x'; 4000]).await;
    assert_eq!(code, FATAL);
    assert!(said.ends_with("tar: Error is not recoverable: exiting now\n"), "{said}");
}

#[tokio::test]
async fn a_client_that_sends_no_more_and_does_not_end_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let whole = archive(&[("file", EntryType::Regular, &"x".repeat(2000))]);
    // In the middle of a head, and in the middle of a file.
    for sent in [100, 1000] {
        let (running, sender, output) = started(dir.path(), "tar xf - -C /data", Duration::from_millis(50));
        sender.send(Bytes::copy_from_slice(&whole[..sent])).await.unwrap();
        assert_eq!(timeout(PATIENCE, running).await.expect("it ends").unwrap(), FATAL);
        let (_, said) = output.next().await.unwrap();
        let wanted = "tar: The client has sent nothing for 0 seconds\ntar: Error is not recoverable: exiting now\n";
        assert_eq!(String::from_utf8_lossy(&said), wanted);
        drop(sender);
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    places(dir.path());
    fs::write(dir.path().join("volume/big"), vec![b'x'; 3 << 20]).unwrap();
    let (running, _sender, output) = started(dir.path(), "tar cf - /data/big", Duration::from_millis(50));
    assert_eq!(timeout(PATIENCE, running).await.expect("it ends").unwrap(), FATAL);
    assert!(output.is_overrun());
}
