//! Behind all walls at once: in a process of its own, which is the test program, started again for this one test.

use std::{
    env,
    fs::{self, File},
    io::{self, ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    process::Command,
    thread,
};

use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags, mkdirat, openat, renameat, unlinkat},
    process::geteuid,
};

use super::*;

/// Says to the program that it is the process behind the walls, and which directory it is given.
const GIVEN: &str = "CORACLE_TEST_GIVEN_BEHIND_THE_WALLS";

/// What is the host's is out of reach, and what the process was given works.
#[test]
fn behind_the_walls_there_is_only_what_was_given() {
    if let Some(given) = env::var_os(GIVEN) {
        return live_behind(&File::open(given).unwrap());
    }
    // The test program has threads, so that it can't have a user namespace.
    if !geteuid().is_root() {
        eprintln!("SKIPPED: walls are raised by root here");
        assert!(env::var_os("CORACLE_REQUIRE_ALL").is_none(), "root is required here");
        return;
    }
    let given = tempfile::tempdir().unwrap();
    fs::write(given.path().join("file"), "given").unwrap();
    let (_, module) = module_path!().split_once("::").unwrap();
    let test = format!("{module}::behind_the_walls_there_is_only_what_was_given");
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", &test, "--test-threads=1"]).env(GIVEN, given.path());
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    // Not "0 passed", with which a program ends that knows no such test.
    assert!(output.status.success() && said.contains("1 passed"), "{}: {said}", output.status);
    assert_eq!(fs::read_to_string(given.path().join("renamed")).unwrap(), "made behind the walls");
    assert_eq!(fs::read_dir(given.path()).unwrap().count(), 1, "and nothing else is there");
}

fn live_behind(given: &File) {
    let program = env::current_exe().unwrap();
    let files = raise().unwrap();
    nothing_is_found_by_a_path(&program);
    the_limits_are(files);
    a_directory_works(given);
    threads_and_sockets_work();
    // They stand as they are.
    assert!(matches!(raise(), Err(WallError::Limits(_))));
}

fn nothing_is_found_by_a_path(program: &std::path::Path) {
    assert_eq!(fs::read_dir("/").unwrap().count(), 0);
    for path in ["/etc/passwd", "/proc/self/status", "/dev/null", "../../proc/1/root", program.to_str().unwrap()] {
        assert_eq!(File::open(path).unwrap_err().kind(), ErrorKind::NotFound, "{path}");
    }
    assert_eq!(File::create("/made").unwrap_err().kind(), ErrorKind::ReadOnlyFilesystem);
    assert_eq!(mkdirat(CWD, "/made", Mode::RWXU), Err(Errno::ROFS));
}

/// There is no file of memory, and there are so many descriptors and none more.
fn the_limits_are(files: usize) {
    let core = getrlimit(Resource::Core);
    assert_eq!((core.current, core.maximum), (Some(0), Some(0)));
    assert!(files <= usize::try_from(ISOLATED_OPEN_FILES).unwrap(), "{files}");
    let root = File::open("/").unwrap();
    let mut open = Vec::new();
    let error = loop {
        match root.try_clone() {
            Ok(another) => open.push(another),
            Err(error) => break error,
        }
    };
    assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
    assert!(open.len() < files && open.len() + 64 > files, "{} of {files}", open.len());
}

/// It is read, written, changed, and left by no way.
fn a_directory_works(given: &File) {
    let open = |path: &str, how: OFlags| openat(given, path, how | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR);
    let read = |path: &str| -> io::Result<String> {
        let mut text = String::new();
        File::from(open(path, OFlags::RDONLY)?).read_to_string(&mut text)?;
        Ok(text)
    };
    assert_eq!(read("file").unwrap(), "given");
    let mut made = File::from(open("made", OFlags::CREATE | OFlags::WRONLY).unwrap());
    made.write_all(b"made behind the walls").unwrap();
    made.sync_all().unwrap();
    renameat(given, "made", given, "renamed").unwrap();
    unlinkat(given, "file", AtFlags::empty()).unwrap();
    assert_eq!(read("renamed").unwrap(), "made behind the walls");
}

fn threads_and_sockets_work() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = thread::spawn(move || TcpStream::connect(address).unwrap().write_all(b"hello").unwrap());
    let mut text = String::new();
    listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello");
    client.join().unwrap();
}
