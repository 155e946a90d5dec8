//! Reads `messages.txt`.
//!
//! A line in brackets opens a package: its name, then the API version whose kinds its messages are. Each further line is a
//! message: its name, then its fields as `NUMBER:member:TYPE`, where `NUMBER:(…)` is an embedded message.
//!
//! Types: `s` text, `i` a whole number, `b` a flag (each with `!` where the zero value counts), `f` a float, `bytes`, `time`,
//! `micro`, `intstr`, `quantity`, `raw` (JSON), `orArray`, `orBool` and `orStrings` (schemas or what stands for one),
//! otherwise another message, with its package when that is another. `[…]` is a list, `{…}` a map from strings.

use std::collections::HashMap;

use super::table::{Content, Field, Message, Shape, Table, Type};

const TEXT: &str = include_str!("messages.txt");

/// A package and a name in it.
type Name = (&'static str, &'static str);

/// The table in `messages.txt`. A line that does not parse is left out; a test holds that there is none.
pub(super) fn parse() -> Table {
    let mut names: HashMap<Name, usize> = HashMap::new();
    let mut kinds = HashMap::new();
    let mut bodies = Vec::new();
    for (package, version, name, fields) in lines() {
        names.insert((package, name), bodies.len());
        kinds.insert((version, name), bodies.len());
        bodies.push((package, fields));
    }
    let messages =
        bodies.into_iter().map(|(package, fields)| Parser { names: &names, package, rest: fields }.message());
    Table::new(messages.collect(), kinds)
}

/// Every message: its package, API version, name and fields.
fn lines() -> impl Iterator<Item = (&'static str, &'static str, &'static str, &'static str)> {
    let (mut package, mut version) = ("", "");
    TEXT.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).filter_map(move |line| {
        if let Some(header) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            (package, version) = header.split_once(' ')?;
            return None;
        }
        let (name, fields) = line.split_once(' ').unwrap_or((line, ""));
        Some((package, version, name, fields))
    })
}

struct Parser<'a> {
    names: &'a HashMap<Name, usize>,
    package: &'static str,
    rest: &'static str,
}

impl Parser<'_> {
    /// Fields up to the end, or to the bracket that closes an embedded message.
    fn message(&mut self) -> Message {
        let mut fields = Vec::new();
        loop {
            self.rest = self.rest.trim_start();
            if let Some(rest) = self.rest.strip_prefix(')') {
                self.rest = rest;
                break;
            }
            match self.field() {
                Some(field) => fields.push(field),
                None => break,
            }
        }
        Message(fields)
    }

    fn field(&mut self) -> Option<Field> {
        let (number, rest) = self.rest.split_once(':')?;
        let number = number.parse().ok()?;
        if let Some(rest) = rest.strip_prefix('(') {
            self.rest = rest;
            return Some(Field { number, content: Content::Inline(self.message()) });
        }
        let end = rest.find([' ', ')']).unwrap_or(rest.len());
        let (field, rest) = rest.split_at(end);
        self.rest = rest;
        let (name, of) = field.split_once(':')?;
        let (shape, of) = shape(of);
        Some(Field { number, content: Content::Member { name, shape, of: self.scalar(of)? } })
    }

    fn scalar(&self, of: &'static str) -> Option<Type> {
        let (keeps_zero, scalar) = (of.ends_with('!'), of.trim_end_matches('!'));
        Some(match scalar {
            "s" => Type::Text { keeps_zero },
            "i" => Type::Number { keeps_zero },
            "b" => Type::Flag { keeps_zero },
            "f" => Type::Float,
            "bytes" => Type::Bytes,
            "time" => Type::Time,
            "micro" => Type::MicroTime,
            "intstr" => Type::IntOrString,
            "quantity" => Type::Quantity,
            "raw" => Type::Raw,
            "[s]" => Type::Texts,
            "orArray" => Type::SchemaOrList,
            "orBool" => Type::SchemaOrFlag,
            "orStrings" => Type::SchemaOrTexts,
            name => Type::Message(*self.names.get(&self.qualified(name))?),
        })
    }

    fn qualified(&self, name: &'static str) -> Name {
        name.rsplit_once('.').unwrap_or((self.package, name))
    }
}

fn shape(of: &'static str) -> (Shape, &'static str) {
    let inside = |open, close| of.strip_prefix(open).and_then(|o: &'static str| o.strip_suffix(close));
    match (inside('[', ']'), inside('{', '}')) {
        (Some(inner), _) => (Shape::List, inner),
        (_, Some(inner)) => (Shape::Map, inner),
        _ => (Shape::Once, of),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_parses() {
        let written: usize = TEXT.lines().filter(|l| !l.starts_with(['#', '['])).map(|l| l.matches(':').count()).sum();
        fn colons(message: &Message) -> usize {
            let of = |field: &Field| match &field.content {
                Content::Member { .. } => 2,
                Content::Inline(message) => 1 + colons(message),
            };
            message.0.iter().map(of).sum()
        }
        let names: HashMap<Name, usize> =
            lines().enumerate().map(|(at, (package, _, name, _))| ((package, name), at)).collect();
        let parsed: usize = lines()
            .map(|(package, _, name, fields)| {
                let message = Parser { names: &names, package, rest: fields }.message();
                let mut numbers: Vec<u32> = message.0.iter().map(|f| f.number).collect();
                numbers.dedup();
                assert_eq!(numbers.len(), message.0.len(), "{package}.{name} has a number twice");
                colons(&message)
            })
            .sum();
        assert_eq!(parsed, written);
    }
}
