//! Which system calls a child may make: what Wasmtime, tokio and WASI need. What else there is, is refused (`EPERM`); what
//! nobody calls by mistake ends the process.

mod calls;

use std::{collections::BTreeMap, io};

use libc::{AF_INET, AF_INET6, AF_UNIX, SOCK_DGRAM, SOCK_STREAM};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// The bits of a socket's type that are no flags.
const SOCKET_TYPE_MASK: u64 = 0xf;

/// Installs the filters, of which each call must pass all. They hold for every thread that is made from now on.
pub(super) fn install() -> io::Result<()> {
    programs()?.iter().try_for_each(|program| apply_filter(program).map_err(io::Error::other))
}

/// The filters, in the order in which they are installed.
fn programs() -> io::Result<[BpfProgram; 3]> {
    // Its flags are behind a pointer, where no filter sees them; the C library does without it.
    let flags_unseen = with_any_arguments(&[libc::SYS_clone3]);
    let errno = |number: i32| SeccompAction::Errno(number.unsigned_abs());
    Ok([
        program(flags_unseen, SeccompAction::Allow, errno(libc::ENOSYS))?,
        program(with_any_arguments(calls::DEADLY), SeccompAction::Allow, SeccompAction::KillProcess)?,
        // The last one: it does not let another one be installed.
        program(needed()?, errno(libc::EPERM), SeccompAction::Allow)?,
    ])
}

fn program(rules: Rules, otherwise: SeccompAction, matched: SeccompAction) -> io::Result<BpfProgram> {
    let arch = std::env::consts::ARCH.try_into().map_err(io::Error::other)?;
    let filter = SeccompFilter::new(rules, otherwise, matched, arch).map_err(io::Error::other)?;
    filter.try_into().map_err(io::Error::other)
}

/// Calls with whatever arguments.
fn with_any_arguments(calls: &[i64]) -> Rules {
    calls.iter().map(|call| (*call, Vec::new())).collect()
}

/// What a child needs, as far as it needs it.
fn needed() -> io::Result<Rules> {
    let mut rules = with_any_arguments(calls::NEEDED);
    let own_pid = u64::from(std::process::id());
    for (call, ways) in [
        (libc::SYS_clone, vec![vec![bits(0, flag(libc::CLONE_THREAD), flag(libc::CLONE_THREAD))]]),
        (libc::SYS_tgkill, vec![vec![is(0, own_pid)]]),
        (libc::SYS_socketpair, vec![vec![is(0, flag(AF_UNIX))]]),
        (libc::SYS_socket, internet_sockets()),
        // Asking for a limit, not setting it.
        (libc::SYS_prlimit64, vec![vec![null(2)]]),
        (libc::SYS_prctl, one_of(0, calls::PRCTL)),
        (libc::SYS_ioctl, one_of(1, calls::IOCTL)),
        (libc::SYS_fcntl, one_of(1, calls::FCNTL)),
    ] {
        rules.insert(call, ways.into_iter().map(rule).collect::<io::Result<_>>()?);
    }
    Ok(rules)
}

/// TCP and UDP, of either family.
fn internet_sockets() -> Vec<Vec<Argument>> {
    let families = [AF_INET, AF_INET6].into_iter();
    let kinds = |family| [SOCK_STREAM, SOCK_DGRAM].into_iter().map(move |kind| (family, kind));
    let wanted = families.flat_map(kinds);
    wanted.map(|(family, kind)| vec![is(0, flag(family)), bits(1, SOCKET_TYPE_MASK, flag(kind))]).collect()
}

/// What an argument must be: its number, how much of it counts, how, and the value.
type Argument = (u8, SeccompCmpArgLen, SeccompCmpOp, u64);

fn is(argument: u8, value: u64) -> Argument {
    (argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

fn bits(argument: u8, mask: u64, value: u64) -> Argument {
    (argument, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(mask), value)
}

fn null(argument: u8) -> Argument {
    (argument, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)
}

fn one_of(argument: u8, values: &[u64]) -> Vec<Vec<Argument>> {
    values.iter().map(|value| vec![is(argument, *value)]).collect()
}

fn flag(value: i32) -> u64 {
    u64::from(value.unsigned_abs())
}

fn rule(arguments: Vec<Argument>) -> io::Result<SeccompRule> {
    let condition = |(argument, length, how, value)| SeccompCondition::new(argument, length, how, value);
    let conditions: Result<Vec<_>, _> = arguments.into_iter().map(condition).collect();
    conditions.and_then(SeccompRule::new).map_err(io::Error::other)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod verdicts;
