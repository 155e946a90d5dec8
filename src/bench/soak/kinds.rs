//! The kinds of pods that come and go.

use anyhow::Context;

use crate::bench::node::guests;
use crate::bench::node::target::Target;

/// A kind of pod: what it runs, and what is done with it.
#[derive(Clone, Copy)]
pub struct Kind {
    /// What it is called.
    pub name: &'static str,
    /// The name of its program.
    program: &'static str,
    /// What the program is told.
    pub args: &'static [&'static str],
    /// Whether it has a process of its own.
    pub isolated: bool,
    /// What is done with it.
    pub then: Then,
}

/// What is done with a pod before it is deleted.
#[derive(Clone, Copy)]
pub enum Then {
    /// It is asked by HTTP, also by a forwarded port.
    Ask,
    /// Its program is run once more beside itself.
    Visit,
    /// It ends, and its log of a MiB is read.
    Read,
    /// It ends in one of these phases.
    End(&'static [&'static str]),
}

const fn kind(name: &'static str, program: &'static str, args: &'static [&'static str], then: Then) -> Kind {
    Kind { name, program, args, isolated: false, then }
}

const fn isolated(kind: Kind) -> Kind {
    Kind { isolated: true, ..kind }
}

/// Copies a file of a ConfigMap through both volumes; ends well only if it arrives.
const COPY: &[&str] =
    &["sh", "-c", "cat /config/word > /disk/word && cat /disk/word > /memory/word && cat /memory/word"];

const SUCCESS: Then = Then::End(&["Succeeded"]);

/// One of each is made in every turn of a worker. The sleeper's exit code is the time.
pub const KINDS: &[Kind] = &[
    kind("server", "hello", &[], Then::Ask),
    kind("ends", "sleeper", &["50"], Then::End(&["Failed", "Succeeded"])),
    kind("traps", "faulty", &[], Then::End(&["Failed"])),
    kind("writes", "talker", &["1"], Then::Read),
    kind("waits", "talker", &["0"], Then::Visit),
    kind("counts", "counter", &[], Then::Ask),
    kind("copies", "toolbox", COPY, SUCCESS),
    kind("p3-server", "hello-p3", &[], Then::Ask),
    kind("p3-writes", "toolbox-p3", &["write", "/disk/word", "written"], SUCCESS),
    isolated(kind("isolated-counts", "counter", &[], Then::Ask)),
    isolated(kind("isolated-traps", "faulty", &[], Then::End(&["Failed"]))),
    isolated(kind("isolated-waits", "talker", &["0"], Then::Visit)),
    isolated(kind("isolated-copies", "toolbox", COPY, SUCCESS)),
    isolated(kind("isolated-p3-server", "hello-p3", &[], Then::Ask)),
];

/// A program by its name, and how it is made.
type Own = (&'static str, fn() -> Vec<u8>);

/// The programs of the bench itself.
const OWN: [Own; 3] = [("sleeper", guests::sleeper), ("talker", guests::talker), ("faulty", guests::faulty)];

/// The images of [`KINDS`], in their order.
pub async fn push(target: &Target) -> anyhow::Result<Vec<String>> {
    let mut images = Vec::new();
    for kind in KINDS {
        images.push(target.push(kind.program, program(kind.program)?).await?);
    }
    Ok(images)
}

/// One of the bench's, or a sample.
fn program(name: &str) -> anyhow::Result<Vec<u8>> {
    match OWN.iter().find(|(own, _)| *own == name) {
        Some((_, text)) => Ok(text()),
        None => {
            let file = format!("samples/{name}/{name}.wasm");
            std::fs::read(&file).with_context(|| format!("cannot read {file}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own_and_a_program() {
        let names: BTreeSet<&str> = KINDS.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), KINDS.len());
        for kind in KINDS {
            program(kind.program).unwrap();
        }
        assert_eq!(program("none").unwrap_err().to_string(), "cannot read samples/none/none.wasm");
    }
}
