//! Calls that depend on their arguments.

use libc::*;

use super::{REFUSED, Verdict, flag, of};
use crate::isolated::child::filter::calls;

/// TCP and UDP of either family, and a pair of sockets between threads. No other family and kind whatever.
#[test]
fn sockets_are_those_of_tcp_and_udp() {
    for family in 0..64 {
        for kind in 0..16 {
            let is_internet = [AF_INET, AF_INET6].contains(&family) && [SOCK_STREAM, SOCK_DGRAM].contains(&kind);
            let expected = || if is_internet { Verdict::Allowed } else { REFUSED };
            for flags in [0, SOCK_CLOEXEC | SOCK_NONBLOCK] {
                assert_eq!(of(SYS_socket, &[flag(family), flag(kind | flags)]), expected(), "{family} {kind}");
            }
            // The kernel does not look at the upper halves.
            assert_eq!(of(SYS_socket, &[1 << 32 | flag(family), 1 << 32 | flag(kind)]), expected(), "{family} {kind}");
        }
        let expected = if family == AF_UNIX { Verdict::Allowed } else { REFUSED };
        assert_eq!(of(SYS_socketpair, &[flag(family), flag(SOCK_STREAM)]), expected, "{family}");
    }
}

/// Threads may be made, and no processes; signals go to threads of one's own; limits may be read.
#[test]
fn of_processes_there_is_only_this_one() {
    let thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
    assert_eq!(of(SYS_clone, &[flag(thread)]), Verdict::Allowed);
    for process in [0, SIGCHLD, CLONE_VM | CLONE_VFORK | SIGCHLD, CLONE_NEWUSER | SIGCHLD, thread & !CLONE_THREAD] {
        assert_eq!(of(SYS_clone, &[flag(process)]), REFUSED, "{process:#x}");
    }
    let own = u64::from(std::process::id());
    assert_eq!(of(SYS_tgkill, &[own, 1, 9]), Verdict::Allowed);
    for other in [0, 1, own - 1, own + 1, u64::from(u32::MAX)] {
        assert_eq!(of(SYS_tgkill, &[other, 1, 9]), REFUSED, "{other}");
    }
    assert_eq!(of(SYS_prlimit64, &[0, 7, 0, 4096]), Verdict::Allowed);
    // A pointer whose lower half is zero is one.
    for new in [1, 4096, 1 << 32, 1 << 63] {
        assert_eq!(of(SYS_prlimit64, &[0, 7, new, 4096]), REFUSED, "{new:#x}");
    }
}

/// The calls that are many in one do what their lists say and nothing else.
#[test]
fn of_many_in_one_there_are_those_of_the_lists() {
    let known = |list: &[u64], value: u64| if list.contains(&value) { Verdict::Allowed } else { REFUSED };
    let far = [PR_SET_PTRACER as u64, PR_SET_VMA as u64, TIOCSTI, TIOCLINUX, FIOASYNC, FICLONE];
    for value in (0..2048).chain(0x5400..0x5480).chain(far) {
        assert_eq!(of(SYS_prctl, &[value]), known(calls::PRCTL, value), "prctl {value:#x}");
        assert_eq!(of(SYS_ioctl, &[0, value]), known(calls::IOCTL, value), "ioctl {value:#x}");
        assert_eq!(of(SYS_fcntl, &[0, value]), known(calls::FCNTL, value), "fcntl {value:#x}");
    }
    for value in [PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_MM, PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP] {
        assert_eq!(of(SYS_prctl, &[flag(value)]), REFUSED, "{value}");
    }
    assert_eq!((of(SYS_ioctl, &[0, TIOCSTI]), of(SYS_fcntl, &[0, flag(F_SETOWN)])), (REFUSED, REFUSED));
}
