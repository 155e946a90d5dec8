//! How a container ended: the code, the reason and the words a user reads.

use serde::{Deserialize, Serialize};
use wasmtime::{PoolConcurrencyLimitError, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::{limits::TRAP_MESSAGE_LIMIT_BYTES, memory::OutOfMemory};

/// The end of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// The exit code, with the numbers a Unix process would have shown (`128 + signal` for a violent end).
    pub code: i32,
    /// Why it ended.
    pub reason: ExitReason,
    /// What to tell the user, if there is more to say than the code: a trap with its backtrace, a limit.
    pub message: Option<String>,
}

/// Why a container ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ExitReason {
    /// The program finished with code 0.
    Completed,
    /// The program finished by itself with a code other than 0.
    Error,
    /// The program trapped; code 134 (128 + SIGABRT). The message holds the trap and the Wasm backtrace.
    Trap,
    /// A memory limit was reached; code 137 (128 + SIGKILL, as from the kernel's OOM killer).
    OutOfMemory,
    /// The grace period of a stop was over and the program was interrupted; code 137 (128 + SIGKILL).
    Killed,
    /// The program's terminal sent it a signal; code 128 + the signal's number.
    Interrupted,
    /// An HTTP server was asked to stop and had answered its last request within its grace; code 0, as from
    /// any server that handles SIGTERM.
    Terminated,
    /// Host code failed while it served this container; code 139 (128 + SIGSEGV). Only this container ends.
    HostPanic,
    /// The process that the pod's containers ran in has ended, and all of them with it: code 128 + the signal that ended
    /// it, 139 without one. Only pods with a process of their own end so.
    SandboxLost,
}

/// What a terminal sends to the program that reads from it. WASI has no handlers, so either ends the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGQUIT: Ctrl-\.
    Quit,
}

impl Exit {
    /// The code of a program that trapped.
    pub const CODE_TRAP: i32 = 134;
    /// The code of a program that was killed, by a memory limit or at the end of its grace.
    pub const CODE_KILLED: i32 = 137;
    /// The code of a program that could not be started.
    pub const CODE_NOT_STARTED: i32 = 128;
    /// The code of a program that ended because of a fault in its host.
    pub const CODE_HOST_PANIC: i32 = 139;

    pub(crate) fn finished(code: i32) -> Exit {
        let reason = if code == 0 { ExitReason::Completed } else { ExitReason::Error };
        Exit { code, reason, message: None }
    }

    pub(crate) fn terminated() -> Exit {
        Exit { code: 0, reason: ExitReason::Terminated, message: None }
    }

    pub(crate) fn killed() -> Exit {
        Exit { code: Exit::CODE_KILLED, reason: ExitReason::Killed, message: None }
    }

    pub(crate) fn interrupted(signal: Signal) -> Exit {
        let number = match signal {
            Signal::Interrupt => 2,
            Signal::Quit => 3,
        };
        Exit { code: 128 + number, reason: ExitReason::Interrupted, message: None }
    }

    pub(crate) fn host_panic(message: String) -> Exit {
        Exit { code: Exit::CODE_HOST_PANIC, reason: ExitReason::HostPanic, message: Some(message) }
    }

    /// The end of a program that could not even begin.
    pub(crate) fn not_started(message: String) -> Exit {
        Exit { code: Exit::CODE_NOT_STARTED, reason: ExitReason::Error, message: Some(message) }
    }

    /// The end of a container whose process has ended.
    pub(crate) fn sandbox_lost(code: i32, message: String) -> Exit {
        Exit { code, reason: ExitReason::SandboxLost, message: Some(message) }
    }

    /// The same exit with a message that is no longer than those of traps.
    pub(crate) fn bounded(mut self) -> Exit {
        if let Some(message) = &mut self.message {
            truncate(message, TRAP_MESSAGE_LIMIT_BYTES);
        }
        self
    }

    /// What an error that ended a guest means: an exit code, a limit, no place in the engine's pool, or a trap.
    pub(crate) fn from_error(error: &wasmtime::Error) -> Exit {
        if let Some(I32Exit(code)) = error.downcast_ref() {
            return Exit::finished(*code);
        }
        if let Some(limit) = error.downcast_ref::<OutOfMemory>() {
            let message = Some(limit.to_string());
            return Exit { code: Exit::CODE_KILLED, reason: ExitReason::OutOfMemory, message };
        }
        if error.is::<PoolConcurrencyLimitError>() {
            return Exit::not_started(format!("no room for another instance: {error}"));
        }
        Exit { code: Exit::CODE_TRAP, reason: ExitReason::Trap, message: Some(trap_message(error)) }
    }
}

/// The trap and its backtrace, innermost frame first, as text of bounded length.
fn trap_message(error: &wasmtime::Error) -> String {
    let backtrace = error.downcast_ref::<WasmBacktrace>();
    let mut message = error.root_cause().to_string();
    // The backtrace is a context of the error; what is said besides names what the host was doing.
    for cause in error.chain() {
        let text = cause.to_string();
        let is_backtrace = backtrace.is_some_and(|backtrace| backtrace.to_string() == text);
        if !is_backtrace && !message.contains(&text) {
            message = format!("{text}: {message}");
        }
    }
    if let Some(backtrace) = backtrace {
        message.push('\n');
        message.push_str(&backtrace.to_string());
    }
    truncate(&mut message, TRAP_MESSAGE_LIMIT_BYTES);
    message
}

pub(crate) fn truncate(text: &mut String, limit_bytes: usize) {
    if text.len() > limit_bytes {
        let end = (0..=limit_bytes).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_become_exits() {
        let exit = Exit::from_error(&wasmtime::Error::from(I32Exit(3)));
        assert_eq!((exit.code, exit.reason), (3, ExitReason::Error));
        let exit = Exit::from_error(&wasmtime::Error::from(I32Exit(0)));
        assert_eq!((exit.code, exit.reason), (0, ExitReason::Completed));
        let exit = Exit::from_error(&wasmtime::Error::from(OutOfMemory { limit_bytes: 7 }).context("grow"));
        assert_eq!((exit.code, exit.reason), (137, ExitReason::OutOfMemory));
        assert_eq!(exit.message.as_deref(), Some("memory limit of 7 bytes exceeded"));
        let exit = Exit::from_error(&wasmtime::Error::from(wasmtime::Trap::IntegerOverflow).context("start"));
        assert_eq!((exit.code, exit.reason), (134, ExitReason::Trap));
        assert_eq!(exit.message.as_deref(), Some("start: wasm trap: integer overflow"));
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let mut text = "aé".repeat(10);
        truncate(&mut text, 5);
        assert_eq!(text, "aéa…");
    }
}
