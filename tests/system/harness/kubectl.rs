//! The real kubectl against a cluster.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::cluster::Cluster;
use super::process::{Finished, run};

impl Cluster {
    /// kubectl with this cluster's kubeconfig, and a cache of its own so that tests don't share discovery.
    pub fn kubectl_command(&self) -> Command {
        let mut command = Command::new("kubectl");
        command.env("KUBECONFIG", self.kubeconfig()).env("HOME", self.scratch());
        command.env_remove("KUBECTL_EXTERNAL_DIFF").env("LC_ALL", "C");
        command
    }

    /// Runs a kubectl command line; words are separated by spaces, single quotes keep spaces.
    pub fn kubectl(&self, line: &str) -> Finished {
        run(self.kubectl_command().args(words(line)))
    }

    /// `kubectl apply -f -` (or another verb that reads a manifest from stdin).
    pub fn kubectl_with_input(&self, line: &str, input: &str) -> Finished {
        let mut command = self.kubectl_command();
        command.args(words(line)).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("kubectl starts");
        child.stdin.take().expect("stdin is piped").write_all(input.as_bytes()).expect("kubectl reads its input");
        child.wait_with_output().expect("kubectl ends").into()
    }

    /// Applies a manifest that must be accepted.
    pub fn apply(&self, manifest: &str) -> String {
        self.kubectl_with_input("apply -f -", manifest).ok()
    }
}

/// Splits like a shell that knows only spaces and single quotes.
pub fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quoted, mut begun) = (String::new(), false, false);
    for c in line.chars() {
        match c {
            '\'' => {
                quoted = !quoted;
                begun = true;
            }
            ' ' | '\n' if !quoted => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            _ => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}

#[test]
fn quotes_keep_spaces() {
    assert_eq!(words("get 'a b' -o  name"), ["get", "a b", "-o", "name"]);
}
