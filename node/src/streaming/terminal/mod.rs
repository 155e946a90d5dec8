//! The terminal of a container or a command with `tty: true`: no kernel has one for a guest, so the node is it.
//!
//! Keys go through a [`Discipline`] to the program's stdin, and are echoed among what the program prints. All clients
//! attached to a container type at its one terminal.

mod discipline;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use coracle_wasi_host::{Container, Signal, StdinPipe};
use parking_lot::Mutex;

use discipline::{Action, Discipline, Key};

/// How many keys are taken at a time: so many lines and ends may come upon a stdin that had room when they came.
const PIECE_BYTES: usize = 1024;
/// From how much echo on it is shown, if nothing else shows it.
const ECHO_BYTES: usize = 4096;

/// Where a terminal shows what is typed. It must not wait, and what it has no room for is lost.
pub trait Screen: Send + Sync {
    /// Shows a piece, with line ends as programs write them.
    fn show(&self, bytes: &[u8]);
}

/// A terminal.
pub struct Terminal {
    discipline: Mutex<Discipline>,
    stdin: StdinPipe,
    screen: Arc<dyn Screen>,
    program: Container,
}

impl Terminal {
    /// The terminal of a program, if it has one that can be typed at.
    pub fn of(program: &Container, screen: Arc<dyn Screen>) -> Option<Arc<Terminal>> {
        let stdin = program.stdin().filter(|_| program.has_terminal())?.clone();
        Some(Arc::new(Terminal { discipline: Mutex::default(), stdin, screen, program: program.clone() }))
    }

    /// Takes keys, waiting while the program has too much to read already. Without `signals`, those of the keyboard are
    /// ignored by the program.
    pub async fn type_in(&self, keys: &[u8], signals: bool) {
        for piece in keys.chunks(PIECE_BYTES) {
            // A program that closed its stdin may still be interrupted.
            let _ = self.stdin.room().await;
            self.take(piece, signals);
        }
    }

    fn take(&self, keys: &[u8], signals: bool) {
        let mut discipline = self.discipline.lock();
        let mut echo = Vec::new();
        for key in keys {
            let action = discipline.take(*key, &mut echo);
            // What is typed is seen before what the program says to it.
            if action.is_some() || echo.len() >= ECHO_BYTES {
                self.show(&mut echo);
            }
            match action {
                Some(Action::Deliver(line)) => self.stdin.put(&line),
                Some(Action::End) => self.stdin.end_once(),
                Some(Action::Signal(key)) => self.signal(key, signals),
                None => {}
            }
        }
        self.show(&mut echo);
    }

    fn show(&self, echo: &mut Vec<u8>) {
        if !echo.is_empty() {
            self.screen.show(echo);
            echo.clear();
        }
    }

    fn signal(&self, key: Key, obeyed: bool) {
        self.stdin.discard();
        match key {
            Key::Interrupt if obeyed => self.program.interrupt(Signal::Interrupt),
            Key::Quit if obeyed => self.program.interrupt(Signal::Quit),
            // Nobody could wake a program that was suspended: on Linux, too, it would not be.
            Key::Suspend | Key::Interrupt | Key::Quit => {}
        }
    }

    /// Nobody types here any more.
    pub fn close(&self) {
        self.stdin.close();
    }
}
