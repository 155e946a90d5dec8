//! `sh -c SCRIPT` for scripts of one line: the tools of this box with `;`, `&&`, `||`, `>` and `>>`. No variables, no
//! pipes, no loops: who needs those needs a shell.

use std::fs;
use std::io::Write;

use crate::{Call, Outcome, failed, run};

/// Runs a script.
pub fn sh(call: &mut Call<'_>) -> Outcome {
    if call.arg(0, "-c")? != "-c" {
        return Err("only `sh -c SCRIPT` is understood".to_owned());
    }
    let words = words(call.arg(1, "the script")?)?;
    let mut done = Done { code: 0, exits: false };
    for list in words.split(|word| *word == Word::Control(";")).filter(|list| !list.is_empty()) {
        done = and_or(list, call.out)?;
        if done.exits {
            break;
        }
    }
    Ok(done.code)
}

/// How a command ended, and whether the script ends with it.
#[derive(Clone, Copy)]
struct Done {
    code: u8,
    exits: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Plain(String),
    Control(&'static str),
}

/// Cuts a script into words; quotes keep what is between them together.
fn words(script: &str) -> Result<Vec<Word>, String> {
    let (mut words, mut rest) = (Vec::new(), script.trim_start());
    while !rest.is_empty() {
        let control = ["&&", "||", ">>", ">", ";", "\n"].into_iter().find(|control| rest.starts_with(control));
        if let Some(control) = control {
            words.push(Word::Control(if control == "\n" { ";" } else { control }));
            rest = &rest[control.len()..];
        } else {
            let (word, after) = plain(rest)?;
            words.push(Word::Plain(word));
            rest = after;
        }
        rest = rest.trim_start_matches([' ', '\t']);
    }
    Ok(words)
}

fn plain(text: &str) -> Result<(String, &str), String> {
    let (mut word, mut rest) = (String::new(), text);
    while let Some(first) = rest.chars().next() {
        match first {
            ' ' | '\t' | '\n' | ';' | '>' | '&' | '|' => break,
            '\'' | '"' => {
                let (quoted, after) = rest[1..].split_once(first).ok_or("a quote is not closed")?;
                word.push_str(quoted);
                rest = after;
            }
            _ => {
                word.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    if word.is_empty() && rest.len() == text.len() {
        return Err(format!("`{text}` is more than this shell understands"));
    }
    Ok((word, rest))
}

fn and_or(list: &[Word], out: &mut dyn Write) -> Result<Done, String> {
    let (mut done, mut wanted, mut start) = (Done { code: 0, exits: false }, true, 0);
    for end in 0..=list.len() {
        let control = match list.get(end) {
            Some(Word::Control(control @ ("&&" | "||"))) => Some(*control),
            Some(_) => continue,
            None => None,
        };
        if wanted {
            done = command(&list[start..end], out)?;
            if done.exits {
                break;
            }
        }
        wanted = match control {
            Some("&&") => done.code == 0,
            Some(_) => done.code != 0,
            None => false,
        };
        start = end + 1;
    }
    Ok(done)
}

fn command(words: &[Word], out: &mut dyn Write) -> Result<Done, String> {
    let at = words.iter().position(|word| matches!(word, Word::Control(">" | ">>")));
    let text = |word: &Word| match word {
        Word::Plain(text) => Ok(text.clone()),
        Word::Control(control) => Err(format!("{control} stands where a word should")),
    };
    let plain: Vec<String> = words[..at.unwrap_or(words.len())].iter().map(text).collect::<Result<_, _>>()?;
    let [name, args @ ..] = plain.as_slice() else { return Ok(Done { code: 0, exits: false }) };
    let exits = name == "exit";
    // A failing tool does not end the script.
    let told = |outcome: Outcome| {
        let code = outcome.unwrap_or_else(|why| {
            eprintln!("{name}: {why}");
            1
        });
        Ok(Done { code, exits })
    };
    let Some(at) = at else { return told(run(name, args, out)) };
    let [target] = &words[at + 1..] else { return Err("> needs one file".to_owned()) };
    let append = words[at] == Word::Control(">>");
    let mut options = fs::OpenOptions::new();
    options.create(true).write(true).append(append).truncate(!append);
    let path = text(target)?;
    let mut file = options.open(&path).map_err(|error| format!("{path}: {}", failed(error)))?;
    told(run(name, args, &mut file))
}
