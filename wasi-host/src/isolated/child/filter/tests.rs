//! Calls behind the filter. Each is made by a process of its own: the test program, started again for this one test.

use std::{
    env, fs, io,
    net::{TcpListener, TcpStream, UdpSocket},
    os::unix::{
        net::UnixDatagram,
        process::{CommandExt, ExitStatusExt},
    },
    path::Path,
    process::{Command, exit},
    thread,
};

use rustix::process::{DumpableBehavior, Resource, Rlimit};

use super::install;

/// Says to the program which deed it is to do.
const DEED: &str = "CORACLE_TEST_DEED_BEHIND_THE_FILTER";
/// What a deed leads to that fails for another reason than the filter's, or that this program does not know.
const ODD: i32 = 99;

/// What becomes of who makes a call.
#[derive(Debug, PartialEq)]
enum Fate {
    /// It works.
    Served,
    /// It fails with `EPERM`.
    Refused,
    /// The process ends with `SIGSYS`.
    Killed,
}

type Deed = (&'static str, Fate, fn() -> io::Result<()>);

/// Each of them would work without the filter, for root at least.
const DEEDS: &[Deed] = &[
    ("memory", Fate::Served, || vec![1_u8; 64 << 20].pop().map(drop).ok_or_else(odd)),
    ("thread", Fate::Served, || thread::spawn(|| ()).join().map_err(|_| odd())),
    ("tcp", Fate::Served, || TcpStream::connect(TcpListener::bind("127.0.0.1:0")?.local_addr()?).map(drop)),
    ("udp", Fate::Served, || UdpSocket::bind("127.0.0.1:0")?.send_to(b"x", "127.0.0.1:9").map(drop)),
    ("file", Fate::Served, || fs::read("/proc/self/status").map(drop)),
    ("limit read", Fate::Served, || rustix::process::getrlimit(Resource::Nofile).current.map(drop).ok_or_else(odd)),
    ("limit set", Fate::Refused, || Ok(rustix::process::setrlimit(Resource::Core, NO_CORE)?)),
    ("socket of the host", Fate::Refused, || UnixDatagram::unbound().map(drop)),
    ("raw socket", Fate::Refused, || Ok(raw_socket().map(drop)?)),
    ("dumpable", Fate::Refused, || Ok(rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?)),
    ("mode", Fate::Refused, || fs::set_permissions(env::temp_dir(), fs::metadata(env::temp_dir())?.permissions())),
    ("another process", Fate::Refused, || Command::new("/bin/true").status().map(drop)),
    ("another program", Fate::Killed, || Err(Command::new("/bin/true").exec())),
    ("signal", Fate::Killed, || Ok(rustix::process::test_kill_process(rustix::process::getpid())?)),
    ("root", Fate::Killed, || Ok(rustix::process::chroot("/")?)),
    ("mount", Fate::Killed, || Ok(rustix::mount::unmount("/nowhere", rustix::mount::UnmountFlags::empty())?)),
    ("namespace", Fate::Killed, || Ok(nix::sched::unshare(nix::sched::CloneFlags::empty())?)),
    ("user", Fate::Killed, || Ok(rustix::thread::set_thread_uid(rustix::process::getuid())?)),
];

fn odd() -> io::Error {
    io::Error::from_raw_os_error(ODD)
}

const NO_CORE: Rlimit = Rlimit { current: Some(0), maximum: Some(0) };

fn raw_socket() -> rustix::io::Result<std::os::fd::OwnedFd> {
    rustix::net::socket(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::RAW,
        Some(rustix::net::ipproto::ICMP),
    )
}

/// In the process that does the deed: its answer is the exit code.
fn do_it(name: &str) -> ! {
    let deed = DEEDS.iter().find(|(known, ..)| *known == name);
    // A process that is killed so would leave its memory in a file.
    let prepared =
        rustix::process::setrlimit(Resource::Core, NO_CORE).map_err(io::Error::from).and_then(|()| install());
    let (Some((.., deed)), Ok(())) = (deed, prepared) else { exit(ODD) };
    match deed() {
        Ok(()) => exit(0),
        Err(error) => exit(error.raw_os_error().unwrap_or(ODD)),
    }
}

/// What becomes of a process that does the deed.
fn fate(program: &Path, test: &str, name: &str) -> Result<Fate, String> {
    let mut command = Command::new(program);
    command.args(["--exact", test, "--test-threads=1"]).env(DEED, name);
    let output = command.output().map_err(|error| error.to_string())?;
    match (output.status.code(), output.status.signal()) {
        (Some(0), None) => Ok(Fate::Served),
        (Some(libc::EPERM), None) => Ok(Fate::Refused),
        (None, Some(libc::SIGSYS)) => Ok(Fate::Killed),
        _ => Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr))),
    }
}

/// What a child needs works, what it does not need is refused, and what only an intruder asks for ends it.
#[test]
fn every_call_has_the_fate_that_it_should() {
    if let Ok(name) = env::var(DEED) {
        do_it(&name);
    }
    let program = env::current_exe().unwrap();
    let (_, module) = module_path!().split_once("::").unwrap();
    let test = format!("{module}::every_call_has_the_fate_that_it_should");
    for (name, expected, _) in DEEDS {
        assert_eq!(fate(&program, &test, name).as_ref(), Ok(expected), "{name}");
    }
    // An unknown deed is none: the process says so, rather than that all is well.
    assert!(fate(&program, &test, "none").is_err());
}
