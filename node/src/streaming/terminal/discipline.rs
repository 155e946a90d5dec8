//! The line discipline: what POSIX's General Terminal Interface makes of keys in canonical mode, with Linux' defaults
//! (ICRNL; ISIG ICANON IEXTEN; ECHO ECHOE ECHOK ECHOCTL ECHOKE; IUTF8). It does no I/O: keys go in one by one, out come
//! what is to be shown and, now and then, something for the program.
//!
//! START and STOP (Ctrl-Q, Ctrl-S) are taken and do nothing: output that waits for a key would be dropped in the end.

/// What a line has at most, with its end; further keys ring the bell (Linux' `N_TTY_BUF_SIZE`, which is more than
/// POSIX' `MAX_CANON`).
pub const LINE_LIMIT_BYTES: usize = 4096;
/// Where a tab leads, counted from the beginning of the typed line.
const TAB_COLUMNS: usize = 8;

const EOF: u8 = ctrl(b'D');
const BELL: u8 = 0x07;
const BACKSPACE: u8 = 0x08;
const DELETE: u8 = 0x7f;
const INTR: u8 = ctrl(b'C');
const QUIT: u8 = ctrl(b'\\');
const SUSP: u8 = ctrl(b'Z');
const START: u8 = ctrl(b'Q');
const STOP: u8 = ctrl(b'S');
const KILL: u8 = ctrl(b'U');
const LNEXT: u8 = ctrl(b'V');
const REPRINT: u8 = ctrl(b'R');
const WERASE: u8 = ctrl(b'W');

/// The character that a key gives together with Ctrl.
const fn ctrl(key: u8) -> u8 {
    key & 0x1f
}

/// Something for the program.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// It reads this: a line, or the beginning of one.
    Deliver(Vec<u8>),
    /// It reads the end of its input, once.
    End,
    /// It gets a signal; what it has not read yet is thrown away.
    Signal(Key),
}

/// A key that means a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-\.
    Quit,
    /// Ctrl-Z.
    Suspend,
}

/// The line that is being typed.
#[derive(Debug, Default)]
pub struct Discipline {
    line: Vec<u8>,
    /// The next key means itself (LNEXT).
    literal: bool,
}

impl Discipline {
    /// Takes a key. What is to be shown is appended to `echo`, with line ends as programs write them.
    pub fn take(&mut self, key: u8, echo: &mut Vec<u8>) -> Option<Action> {
        if std::mem::take(&mut self.literal) {
            self.insert(key, echo);
            return None;
        }
        match key {
            b'\r' | b'\n' => {
                self.line.push(b'\n');
                echo.push(b'\n');
                return Some(Action::Deliver(std::mem::take(&mut self.line)));
            }
            EOF if self.line.is_empty() => return Some(Action::End),
            EOF => return Some(Action::Deliver(std::mem::take(&mut self.line))),
            INTR => return Some(self.signal(key, Key::Interrupt, echo)),
            QUIT => return Some(self.signal(key, Key::Quit, echo)),
            SUSP => return Some(self.signal(key, Key::Suspend, echo)),
            BACKSPACE | DELETE => self.erase_character(echo),
            WERASE => self.erase_word(echo),
            KILL => self.erase_to(0, echo),
            REPRINT => {
                show(REPRINT, 0, echo);
                echo.push(b'\n');
                let mut column = 0;
                for byte in &self.line {
                    column += show(*byte, column, echo);
                }
            }
            LNEXT => {
                self.literal = true;
                echo.extend_from_slice(&[b'^', BACKSPACE]);
            }
            START | STOP => {}
            _ => self.insert(key, echo),
        }
        None
    }

    fn insert(&mut self, key: u8, echo: &mut Vec<u8>) {
        // The last place is the line end's.
        if self.line.len() + 1 >= LINE_LIMIT_BYTES {
            return echo.push(BELL);
        }
        let column = if key == b'\t' { self.columns() } else { 0 };
        self.line.push(key);
        show(key, column, echo);
    }

    fn signal(&mut self, key: u8, means: Key, echo: &mut Vec<u8>) -> Action {
        self.line.clear();
        show(key, 0, echo);
        Action::Signal(means)
    }

    fn erase_character(&mut self, echo: &mut Vec<u8>) {
        let start = self.line.iter().rposition(|byte| !is_continuation(*byte));
        // A line of nothing but continuation bytes has no beginning of a character.
        self.erase_to(start.unwrap_or(0), echo);
    }

    /// A word is letters, digits and underscores, and what stands between it and the cursor.
    fn erase_word(&mut self, echo: &mut Vec<u8>) {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || !byte.is_ascii();
        let end = self.line.iter().rposition(is_word).map_or(0, |last| last + 1);
        let start = self.line[..end].iter().rposition(|byte| !is_word(byte)).map_or(0, |before| before + 1);
        self.erase_to(start, echo);
    }

    fn erase_to(&mut self, start: usize, echo: &mut Vec<u8>) {
        let before = self.columns();
        self.line.truncate(start);
        for _ in self.columns()..before {
            echo.extend_from_slice(&[BACKSPACE, b' ', BACKSPACE]);
        }
    }

    fn columns(&self) -> usize {
        self.line.iter().fold(0, |column, byte| column + width(*byte, column))
    }
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

fn is_control(byte: u8) -> bool {
    byte < b' ' || byte == DELETE
}

/// How many columns a byte of a line takes. All characters are taken for one column wide, as Linux takes them.
fn width(byte: u8, column: usize) -> usize {
    match byte {
        b'\t' => TAB_COLUMNS - column % TAB_COLUMNS,
        _ if is_control(byte) => 2,
        _ if is_continuation(byte) => 0,
        _ => 1,
    }
}

/// Shows a byte of a line at this column, and says how wide it was. Tabs are shown as spaces: where on the screen the
/// line began is not known, and an erased tab must take back as much as it gave.
fn show(byte: u8, column: usize, echo: &mut Vec<u8>) -> usize {
    let width = width(byte, column);
    match byte {
        b'\t' => echo.resize(echo.len() + width, b' '),
        _ if is_control(byte) => echo.extend_from_slice(&[b'^', byte ^ 0x40]),
        _ => echo.push(byte),
    }
    width
}
