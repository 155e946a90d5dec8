//! A box of small tools in one program, for pods that look around and for `kubectl debug`: what it does is decided by
//! the name it is called by (`argv[0]`), as with busybox, or else by its first argument.

mod files;
mod http;
mod net;
mod shell;

use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::time::Duration;

/// What a tool is given, and where it writes.
pub struct Call<'a> {
    /// Its arguments, without its name.
    pub args: &'a [String],
    /// Its output.
    pub out: &'a mut dyn Write,
}

/// How a tool ends: an exit code, or why it failed (exit code 1).
pub type Outcome = Result<u8, String>;

type Tool = fn(&mut Call<'_>) -> Outcome;

const TOOLS: &[(&str, Tool)] = &[
    ("args", args),
    ("cat", files::cat),
    ("dial", net::dial),
    ("echo", echo),
    ("env", env),
    ("exit", exit),
    ("false", |_| Ok(1)),
    ("fetch", http::fetch),
    ("get", net::get),
    ("hostname", hostname),
    ("listen", net::listen),
    ("ls", files::ls),
    ("mkdir", files::mkdir),
    ("mounttest", files::mounttest),
    ("resolve", net::resolve),
    ("rm", files::rm),
    ("serve", net::serve),
    ("sh", shell::sh),
    ("sleep", sleep),
    ("stdin", stdin),
    ("tick", tick),
    ("touch", files::touch),
    ("true", |_| Ok(0)),
    ("write", files::write),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let called = words.first().map_or("", |name| name.rsplit('/').next().unwrap_or(name));
    let (name, args) = match words.get(1) {
        Some(first) if find(called).is_none() => (first.as_str(), &words[2..]),
        _ => (called, words.get(1..).unwrap_or_default()),
    };
    match run(name, args, &mut io::stdout()) {
        Ok(code) => ExitCode::from(code),
        Err(why) => {
            eprintln!("{name}: {why}");
            ExitCode::FAILURE
        }
    }
}

fn find(name: &str) -> Option<Tool> {
    TOOLS.iter().find(|(known, _)| *known == name).map(|(_, tool)| *tool)
}

/// Runs a tool by its name.
pub fn run(name: &str, args: &[String], out: &mut dyn Write) -> Outcome {
    let Some(tool) = find(name) else {
        let names: Vec<&str> = TOOLS.iter().map(|(name, _)| *name).collect();
        return Err(format!("there is no such tool; there are {}", names.join(", ")));
    };
    let outcome = tool(&mut Call { args, out });
    out.flush().map_err(failed)?;
    outcome
}

/// An error as text.
pub fn failed(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Call<'_> {
    /// Writes a line.
    pub fn line(&mut self, text: impl std::fmt::Display) -> Result<(), String> {
        writeln!(self.out, "{text}").map_err(failed)
    }

    /// The argument at `index`, which has a name for whoever forgot it.
    pub fn arg(&self, index: usize, name: &str) -> Result<&str, String> {
        self.args.get(index).map(String::as_str).ok_or_else(|| format!("{name} is missing"))
    }

    /// A number.
    pub fn number<T: std::str::FromStr>(&self, index: usize, name: &str) -> Result<T, String> {
        let text = self.arg(index, name)?;
        text.parse().map_err(|_| format!("{name} is no number: {text:?}"))
    }
}

fn args(call: &mut Call<'_>) -> Outcome {
    let all: Vec<String> = std::env::args().collect();
    call.line(format!("{all:?}"))?;
    Ok(0)
}

fn echo(call: &mut Call<'_>) -> Outcome {
    call.line(call.args.join(" "))?;
    Ok(0)
}

fn env(call: &mut Call<'_>) -> Outcome {
    for (name, value) in std::env::vars() {
        call.line(format!("{name}={value}"))?;
    }
    Ok(0)
}

fn exit(call: &mut Call<'_>) -> Outcome {
    call.number(0, "the exit code")
}

fn hostname(call: &mut Call<'_>) -> Outcome {
    call.line(std::env::var("HOSTNAME").unwrap_or_default())?;
    Ok(0)
}

fn sleep(call: &mut Call<'_>) -> Outcome {
    let seconds: f64 = call.number(0, "how many seconds")?;
    std::thread::sleep(Duration::try_from_secs_f64(seconds).map_err(failed)?);
    Ok(0)
}

/// Copies its input to its output, and ends with it.
fn stdin(call: &mut Call<'_>) -> Outcome {
    let (mut stdin, mut buffer) = (io::stdin().lock(), vec![0; 64 * 1024]);
    loop {
        match stdin.read(&mut buffer).map_err(failed)? {
            0 => return Ok(0),
            read => call.out.write_all(&buffer[..read]).and_then(|()| call.out.flush()).map_err(failed)?,
        }
    }
}

/// Says a word again and again: the word, and the pause in milliseconds.
fn tick(call: &mut Call<'_>) -> Outcome {
    let word = call.args.first().map_or("tick", String::as_str).to_owned();
    let pause = if call.args.len() > 1 { call.number(1, "the pause")? } else { 1000 };
    loop {
        call.line(&word)?;
        call.out.flush().map_err(failed)?;
        std::thread::sleep(Duration::from_millis(pause));
    }
}
