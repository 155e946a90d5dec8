//! Calls by their numbers alone.

use std::collections::BTreeSet;

use libc::*;

use super::{Call, OTHER_ARCH, REFUSED, SHORT_POINTERS, Verdict, of, verdict};
use crate::isolated::child::filter::calls;

/// More than there are.
const NUMBERS: c_long = 1024;

/// What an intruder would do ends the process, with whatever arguments.
#[test]
fn what_only_an_intruder_asks_for_ends_the_process() {
    for number in [
        SYS_execve,
        SYS_execveat,
        SYS_ptrace,
        SYS_process_vm_readv,
        SYS_process_vm_writev,
        SYS_pidfd_getfd,
        SYS_kill,
        SYS_tkill,
        SYS_mount,
        SYS_umount2,
        SYS_pivot_root,
        SYS_chroot,
        SYS_open_tree,
        SYS_move_mount,
        SYS_fsopen,
        SYS_open_by_handle_at,
        SYS_unshare,
        SYS_setns,
        SYS_setuid,
        SYS_setresgid,
        SYS_setgroups,
        SYS_capset,
        SYS_add_key,
        SYS_keyctl,
        SYS_bpf,
        SYS_perf_event_open,
        SYS_io_uring_setup,
        SYS_io_uring_enter,
        SYS_userfaultfd,
        SYS_init_module,
        SYS_finit_module,
        SYS_kexec_load,
        SYS_reboot,
        SYS_syslog,
    ] {
        for argument in [0, 1, u64::MAX] {
            assert_eq!(of(number, &[argument; 6]), Verdict::Killed, "{number}");
        }
    }
}

/// What is neither needed nor feared fails, with whatever arguments.
#[test]
fn what_nobody_needs_is_refused() {
    for number in [
        SYS_personality,
        SYS_seccomp,
        SYS_setsid,
        SYS_setpgid,
        SYS_getcwd,
        SYS_statfs,
        SYS_sync,
        SYS_truncate,
        SYS_fchmod,
        SYS_fchmodat,
        SYS_fchown,
        SYS_fchownat,
        SYS_mknodat,
        SYS_setxattr,
        SYS_fsetxattr,
        SYS_umask,
        SYS_inotify_init1,
        SYS_timerfd_create,
        SYS_signalfd4,
        SYS_memfd_secret,
        SYS_shmget,
        SYS_msgget,
        SYS_semget,
        SYS_mq_open,
        SYS_sched_setaffinity,
        SYS_sched_setscheduler,
        SYS_setpriority,
        SYS_clock_settime,
        SYS_sethostname,
        SYS_setrlimit,
        SYS_mlock,
        SYS_mlockall,
        SYS_mbind,
        SYS_pkey_alloc,
        SYS_landlock_add_rule,
        SYS_sendfile,
        SYS_splice,
        SYS_copy_file_range,
        SYS_wait4,
        SYS_waitid,
        SYS_getppid,
        SYS_setitimer,
        SYS_capget,
    ] {
        for argument in [0, 1, u64::MAX] {
            assert_eq!(of(number, &[argument; 6]), REFUSED, "{number}");
        }
    }
    // Of this one it is said that it is not there, so that the C library takes another.
    assert_eq!(of(SYS_clone3, &[0, 88]), Verdict::Fails(ENOSYS));
}

/// A number that no list names, of a kernel to come or none, is refused; no number is in two lists; each list is what it says.
#[test]
fn every_number_has_the_fate_of_its_list() {
    let partly =
        [SYS_clone, SYS_tgkill, SYS_socketpair, SYS_socket, SYS_prlimit64, SYS_prctl, SYS_ioctl, SYS_fcntl, SYS_clone3];
    let needed = calls::NEEDED.iter().filter(|number| !partly.contains(number));
    let lists = [needed.copied().collect(), BTreeSet::from(partly), BTreeSet::from_iter(calls::DEADLY.iter().copied())];
    let all: BTreeSet<c_long> = lists.iter().flatten().copied().collect();
    assert_eq!(all.len(), lists.iter().map(BTreeSet::len).sum::<usize>(), "lists overlap");
    let [needed, partly, deadly] = lists;
    for number in (0..NUMBERS).filter(|number| !partly.contains(number)) {
        let expected = match number {
            number if needed.contains(&number) => Verdict::Allowed,
            number if deadly.contains(&number) => Verdict::Killed,
            _ => REFUSED,
        };
        assert_eq!(of(number, &[7; 6]), expected, "{number}");
    }
    for number in [-1, NUMBERS, c_long::from(i32::MAX), c_long::from(i32::MIN)] {
        assert_eq!(of(number, &[]), REFUSED, "{number}");
    }
}

/// The machine's other instruction sets, whose numbers mean other calls, lead round no wall.
#[test]
fn calls_by_another_architecture_are_none() {
    for number in 0..NUMBERS {
        let call = Call { number, arch: OTHER_ARCH, arguments: [0; 6] };
        assert_eq!(verdict(call), Verdict::Killed, "{number}");
        assert_eq!(of(number | SHORT_POINTERS, &[]), REFUSED, "{number}");
    }
}
