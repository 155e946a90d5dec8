//! Ways out of a directory, and ways to change one that may only be read.

use std::{fs, os::unix::fs::symlink, path::Path};

use crate::{
    places::{Place, READABLE, WRITABLE},
    script::{CREAT, DIRECTORY, IOVEC, READ, Script, TRUNC, WRITE, i32, i64},
};

/// Paths that lead out of `data`, whatever is opened through them.
fn ways_out(place: &Place) -> Vec<String> {
    let secret = place.at("outside/secret");
    for (link, target) in [
        ("relative", Path::new("../outside/secret")),
        ("absolute", &*secret),
        ("dir", Path::new("../outside")),
        ("chain-1", Path::new("chain-2")),
        ("chain-2", Path::new("sub/chain-3")),
        ("sub/chain-3", Path::new("../../outside/secret")),
        ("proc", Path::new("/proc/self/root")),
        ("fd", Path::new("/proc/self/fd/3")),
        ("cwd", Path::new("/proc/self/cwd")),
        ("loop", Path::new("loop")),
        ("up", Path::new("..")),
    ] {
        symlink(target, place.at("data").join(link)).unwrap();
    }
    let long = format!("{}../outside/secret", "sub/../".repeat(50));
    let texts = [
        "relative",
        "absolute",
        "chain-1",
        "dir/secret",
        "loop",
        "up/outside/secret",
        "proc/etc/passwd",
        "fd",
        "cwd",
        "../outside/secret",
        "sub/../../outside/secret",
        "./../outside/secret",
        "dir/../outside/secret",
        "/etc/passwd",
        "..",
        "../",
        &long,
        "mine/../../outside/secret",
    ];
    let mut paths: Vec<String> = texts.iter().map(ToString::to_string).collect();
    paths.push(secret.display().to_string());
    paths
}

#[tokio::test]
async fn no_path_leads_out() {
    let place = Place::new();
    for path in ways_out(&place) {
        let mut script = Script::default();
        script.open(WRITABLE, &path, 0, READ);
        script.open(WRITABLE, &path, 0, WRITE);
        script.open(WRITABLE, &path, CREAT | TRUNC, READ | WRITE);
        script.open(WRITABLE, &path, DIRECTORY, READ);
        let buffer = format!("{} {}", i32(IOVEC + 100), i32(100));
        let operand = script.text(&path);
        script.call("path_filestat_get", &format!("{} {} {operand} {}", i32(WRITABLE), i32(1), i32(IOVEC + 100)));
        let operand = script.text(&path);
        script.call(
            "path_filestat_set_times",
            &format!("{} {} {operand} {} {} {}", i32(WRITABLE), i32(1), i64(1), i64(1), i32(5)),
        );
        place.refuses(&script).await;
        // What follows no link at the end may find the link itself, so only the way through it is tried.
        let mut script = Script::default();
        let through = format!("{path}/x");
        for function in ["path_create_directory", "path_unlink_file", "path_remove_directory"] {
            script.at(function, WRITABLE, &through);
        }
        let operand = script.text(&through);
        script.call("path_readlink", &format!("{} {operand} {buffer} {}", i32(WRITABLE), i32(IOVEC + 8)));
        place.refuses(&script).await;
    }
}

#[tokio::test]
async fn nothing_is_moved_or_linked_across_the_border() {
    let place = Place::new();
    symlink("../outside", place.at("data/dir")).unwrap();
    symlink("../outside/secret", place.at("data/link")).unwrap();
    let mut script = Script::default();
    for (from, to) in [
        ("mine", "../outside/stolen"),
        ("mine", "dir/stolen"),
        ("mine", "sub/../../outside/stolen"),
        ("../outside/secret", "stolen"),
        ("dir/secret", "stolen"),
        ("sub", "../outside/sub/x"),
        ("mine", "/tmp/stolen"),
    ] {
        let (from, to) = (script.text(from), script.text(to));
        script.call("path_rename", &format!("{} {from} {} {to}", i32(WRITABLE), i32(WRITABLE)));
        // A hard link, also one that follows a link to its end.
        for flags in [0, 1] {
            script.call("path_link", &format!("{} {} {from} {} {to}", i32(WRITABLE), i32(flags), i32(WRITABLE)));
        }
    }
    let (link, stolen) = (script.text("link"), script.text("stolen"));
    script.call("path_link", &format!("{} {} {link} {} {stolen}", i32(WRITABLE), i32(1), i32(WRITABLE)));
    // A link that a guest makes may not even name an absolute path.
    let (target, name) = (script.text("/etc/passwd"), script.text("passwd"));
    script.call("path_symlink", &format!("{target} {} {name}", i32(WRITABLE)));
    place.refuses(&script).await;
    assert!(!place.at("data/stolen").exists() && place.at("data/mine").exists());
}

#[tokio::test]
async fn links_that_a_guest_makes_lead_it_nowhere() {
    let place = Place::new();
    let mut script = Script::default();
    for (target, name) in [("../outside", "a"), ("a/secret", "b"), ("../../outside/secret", "sub/c")] {
        let (target, name) = (script.text(target), script.text(name));
        script.call("path_symlink", &format!("{target} {} {name}", i32(WRITABLE)));
    }
    let made = 3;
    for path in ["a/secret", "b", "sub/c", "a/../outside/secret"] {
        script.open(WRITABLE, path, 0, READ);
        script.open(WRITABLE, path, CREAT, WRITE);
    }
    let before = place.state("outside");
    let results = script.run(place.preopens()).await;
    assert!(results[made..].iter().all(|errno| *errno != 0), "{results:?}");
    assert_eq!(place.state("outside"), before);
}

#[tokio::test]
async fn a_directory_that_may_be_read_cannot_be_changed() {
    let place = Place::new();
    let mut script = Script::default();
    script.open(READABLE, "file", 0, WRITE);
    script.open(READABLE, "file", 0, READ | WRITE);
    script.open(READABLE, "file", TRUNC, READ);
    script.open(READABLE, "new", CREAT, READ);
    script.open(READABLE, "file", CREAT, READ);
    script.open(READABLE, "sub/new", CREAT | TRUNC, READ | WRITE);
    for (function, path) in [
        ("path_unlink_file", "file"),
        ("path_unlink_file", "sub/file"),
        ("path_remove_directory", "sub"),
        ("path_create_directory", "new"),
    ] {
        script.at(function, READABLE, path);
    }
    let [file, mine, new] = ["file", "mine", "new"].map(|name| script.text(name));
    let (own, fixed) = (i32(WRITABLE), i32(READABLE));
    script.call("path_filestat_set_times", &format!("{fixed} {} {file} {} {} {}", i32(1), i64(1), i64(1), i32(5)));
    script.call("path_symlink", &format!("{file} {fixed} {new}"));
    // Within, in and out: a hard link outside would make the content writable.
    for (from, from_name, to, to_name) in
        [(&fixed, &file, &fixed, &new), (&own, &mine, &fixed, &new), (&fixed, &file, &own, &new)]
    {
        script.call("path_rename", &format!("{from} {from_name} {to} {to_name}"));
        script.call("path_link", &format!("{from} {} {from_name} {to} {to_name}", i32(0)));
    }
    place.refuses(&script).await;
}

#[tokio::test]
async fn a_descriptor_from_a_readable_directory_cannot_write() {
    let place = Place::new();
    let mut script = Script::default();
    let file = script.open(READABLE, "file", 0, READ);
    let dir = script.open(READABLE, "sub", DIRECTORY, READ);
    let opened = 2;
    script.write(&file);
    script.call("fd_pwrite", &format!("{file} {} {} {} {}", i32(IOVEC), i32(1), i64(0), i32(IOVEC + 8)));
    script.call("fd_filestat_set_size", &format!("{file} {}", i64(0)));
    script.call("fd_allocate", &format!("{file} {} {}", i64(0), i64(1 << 20)));
    script.call("fd_filestat_set_times", &format!("{file} {} {} {}", i64(1), i64(1), i32(5)));
    script.call("fd_filestat_set_times", &format!("{dir} {} {} {}", i64(1), i64(1), i32(5)));
    let new = script.text("new");
    script.call("path_create_directory", &format!("{dir} {new}"));
    let name = script.text("file");
    script.call("path_unlink_file", &format!("{dir} {name}"));
    // The descriptor in the place of one that could write.
    script.call("fd_renumber", &format!("{file} {}", i32(WRITABLE)));
    script.write(&i32(WRITABLE));
    let before = place.state("fixed");
    let results = script.run(place.preopens()).await;
    assert_eq!(results[..opened], [0, 0], "reading is allowed");
    let renumbered = results.len() - 2;
    assert!(results[opened..renumbered].iter().all(|errno| *errno != 0), "{results:?}");
    assert_ne!(results[renumbered + 1], 0, "{results:?}");
    assert_eq!(place.state("fixed"), before);
}

#[tokio::test]
async fn names_that_no_system_has_are_errors() {
    let place = Place::new();
    let mut script = Script::default();
    let long = "n".repeat(5_000);
    let deep = "d/".repeat(3_000);
    for path in [&b"mi\0ne"[..], b"mine\0", b"\0", b"", b"\xff\xfe", long.as_bytes(), deep.as_bytes()] {
        script.open(WRITABLE, path, 0, READ);
        script.open(WRITABLE, path, CREAT, WRITE);
        script.at("path_create_directory", WRITABLE, path);
        script.at("path_unlink_file", WRITABLE, path);
    }
    place.refuses(&script).await;
    assert_eq!(fs::read_dir(place.at("data")).unwrap().count(), 2, "nothing was made");
}
