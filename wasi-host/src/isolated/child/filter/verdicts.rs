//! What becomes of any call whatever, of those too that no test can make: the filters' programs, run as the kernel runs them.

mod arguments;
mod numbers;

use std::sync::LazyLock;

use libc::*;
use seccompiler::{BpfProgram, sock_filter};

use super::programs;

static PROGRAMS: LazyLock<[BpfProgram; 3]> = LazyLock::new(|| programs().unwrap());

/// A call as the filters see it (`struct seccomp_data`).
#[derive(Clone, Copy)]
struct Call {
    number: c_long,
    arch: u32,
    arguments: [u64; 6],
}

/// What becomes of it.
#[derive(Debug, PartialEq)]
enum Verdict {
    Allowed,
    Fails(i32),
    Killed,
}

/// A number of this machine's architecture as the kernel knows it (`linux/audit.h`).
const OWN_ARCH: u32 = if cfg!(target_arch = "x86_64") { 0xc000_003e } else { 0xc000_00b7 };
/// The other instruction set of the same machine: i386, or ARM.
const OTHER_ARCH: u32 = if cfg!(target_arch = "x86_64") { 0x4000_0003 } else { 0x4000_0028 };
/// On x86-64, the bit of calls whose pointers are short.
const SHORT_POINTERS: c_long = 1 << 30;

impl Call {
    /// The word at an offset, as its loads name it.
    fn word(&self, offset: u32) -> u32 {
        let (low, high) = (|value: u64| value as u32, |value: u64| (value >> 32) as u32);
        match offset {
            0 => self.number as u32,
            4 => self.arch,
            8 | 12 => panic!("where a call comes from is nobody's concern"),
            at if at % 8 == 0 => low(self.arguments[(at as usize - 16) / 8]),
            at => high(self.arguments[(at as usize - 16) / 8]),
        }
    }
}

const LOAD: u32 = BPF_LD | BPF_W | BPF_ABS;
const MASK: u32 = BPF_ALU | BPF_AND | BPF_K;
const GO: u32 = BPF_JMP | BPF_JA;
const IF_EQUAL: u32 = BPF_JMP | BPF_JEQ | BPF_K;
const IF_GREATER: u32 = BPF_JMP | BPF_JGT | BPF_K;
const IF_NOT_LESS: u32 = BPF_JMP | BPF_JGE | BPF_K;
const RETURN: u32 = BPF_RET | BPF_K;

/// What one program returns.
fn run(program: &[sock_filter], call: &Call) -> u32 {
    let (mut at, mut value) = (0, 0);
    loop {
        let step = &program[at];
        at += 1;
        let is_so = match u32::from(step.code) {
            RETURN => return step.k,
            LOAD => {
                value = call.word(step.k);
                continue;
            }
            MASK => {
                value &= step.k;
                continue;
            }
            GO => {
                at += step.k as usize;
                continue;
            }
            IF_EQUAL => value == step.k,
            IF_GREATER => value > step.k,
            IF_NOT_LESS => value >= step.k,
            code => panic!("an instruction {code:#x}"),
        };
        at += usize::from(if is_so { step.jt } else { step.jf });
    }
}

/// What all of them come to: the strictest, whose action is the least number that has a sign.
fn verdict(call: Call) -> Verdict {
    let returned = PROGRAMS.iter().map(|program| run(program, &call));
    let strictest = returned.min_by_key(|value| (value & SECCOMP_RET_ACTION_FULL) as i32).unwrap();
    match strictest & SECCOMP_RET_ACTION_FULL {
        SECCOMP_RET_ALLOW => Verdict::Allowed,
        SECCOMP_RET_ERRNO => Verdict::Fails((strictest & SECCOMP_RET_DATA) as i32),
        SECCOMP_RET_KILL_PROCESS => Verdict::Killed,
        other => panic!("an action {other:#x}"),
    }
}

fn of(number: c_long, arguments: &[u64]) -> Verdict {
    let mut all = [0; 6];
    all[..arguments.len()].copy_from_slice(arguments);
    verdict(Call { number, arch: OWN_ARCH, arguments: all })
}

const REFUSED: Verdict = Verdict::Fails(EPERM);

fn flag(value: c_int) -> u64 {
    value as u64
}
