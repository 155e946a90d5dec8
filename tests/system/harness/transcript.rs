//! Golden transcripts: what a person sees when they type commands, with what differs each time put out of the way.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;
use std::sync::mpsc;

use regex::Regex;

use super::DEADLINE;
use super::cluster::Cluster;
use super::kubectl::words;
use super::process::Finished;

/// Commands and their output, to be compared with a file in tests/system/golden.
pub struct Transcript<'a> {
    cluster: &'a Cluster,
    text: String,
}

impl<'a> Transcript<'a> {
    /// Nothing typed yet.
    pub fn new(cluster: &'a Cluster) -> Self {
        Self { cluster, text: String::new() }
    }

    /// Types a kubectl command line.
    pub fn kubectl(&mut self, line: &str) -> &mut Self {
        let finished = self.cluster.kubectl(line);
        self.record(line, finished)
    }

    /// Types a kubectl command line whose lines come in any order; they are sorted.
    pub fn kubectl_in_any_order(&mut self, line: &str) -> &mut Self {
        let mut finished = self.cluster.kubectl(line);
        let mut lines: Vec<&str> = finished.stdout.split_inclusive('\n').collect();
        lines.sort_unstable();
        finished.stdout = lines.concat();
        self.record(line, finished)
    }

    /// Types a kubectl command line that reads `input`.
    pub fn kubectl_with_input(&mut self, line: &str, input: &str) -> &mut Self {
        let finished = self.cluster.kubectl_with_input(line, input);
        self.record(line, finished)
    }

    /// Types a kubectl command line that goes on by itself. Once it has printed a line, `meanwhile` is told that line;
    /// it is ended when it has printed `lines` of them, unless it ends before.
    pub fn kubectl_for_lines(&mut self, line: &str, lines: usize, meanwhile: impl FnOnce(&str)) -> &mut Self {
        let mut command = self.cluster.kubectl_command();
        command.args(words(line)).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("kubectl starts");
        let (mut stderr, stdout) = (child.stderr.take().expect("it is piped"), child.stdout.take());
        let (sender, printed) = mpsc::sync_channel(lines);
        std::thread::spawn(move || {
            let stdout = BufReader::new(stdout.expect("it is piped"));
            // Fails once nobody wants to know any more.
            stdout.lines().map_while(Result::ok).take_while(|line| sender.send(line.clone()).is_ok()).count()
        });
        let mut finished = Finished { code: 0, stdout: String::new(), stderr: String::new() };
        let (mut meanwhile, mut ended) = (Some(meanwhile), false);
        for _ in 0..lines {
            match printed.recv_timeout(DEADLINE) {
                Ok(line) => {
                    let _ = writeln!(finished.stdout, "{line}");
                    meanwhile.take().into_iter().for_each(|meanwhile| meanwhile(&line));
                }
                Err(error) => {
                    ended = error == mpsc::RecvTimeoutError::Disconnected;
                    break;
                }
            }
        }
        if !ended {
            child.kill().expect("it can be killed");
        }
        // One that was killed has no exit code.
        finished.code = child.wait().expect("it can be waited for").code().unwrap_or_default();
        stderr.read_to_string(&mut finished.stderr).expect("kubectl writes text");
        self.record(line, finished)
    }

    fn record(&mut self, line: &str, finished: Finished) -> &mut Self {
        assert!(!words(line).is_empty());
        let _ = writeln!(self.text, "$ kubectl {line}");
        self.text.push_str(&finished.stdout);
        self.text.push_str(&finished.stderr);
        if finished.code != 0 {
            let _ = writeln!(self.text, "(exit code {})", finished.code);
        }
        self
    }

    /// The transcript with names, addresses, times and padding normalised.
    pub fn normalised(&self) -> String {
        normalise(&self.text)
    }
}

/// Puts placeholders in the place of what differs from run to run.
pub fn normalise(text: &str) -> String {
    const RULES: &[(&str, &str)] = &[
        // The files that `kubectl diff` compares.
        (r"\S*/(LIVE|MERGED)-\d+/", "$1/"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ [+-]\d{4}", "TIME"),
        (r#"("?resourceVersion"?: ?)"\d+""#, "$1\"N\""),
        (r"Resource Version: +\d+", "Resource Version: N"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
        (r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", "TIME"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UID"),
        (r"(sha256:|SHA256=)[0-9a-f]{64}", "${1}DIGEST"),
        // A container's ID, or the version in a node's status.
        (r"wasmtime://[0-9a-z.-]+", "wasmtime://ID"),
        // The machine: OS image and kernel stand before the runtime in a wide list of nodes.
        (r"(\d+\.\d+\.\d+\.\d+ +<none>) {2,}.*? {2,}\S+ +wasmtime://ID", "$1   OS   KERNEL   wasmtime://ID"),
        // The API server's port in its EndpointSlice.
        (r"(?m)^(\S*kubernetes +IPv4) +\d+", "$1  PORT"),
        (r"-[bcdfghjklmnpqrstvwxz2456789]{8,10}-[bcdfghjklmnpqrstvwxz2456789]{5}\b", "-HASH-POD"),
        (r"-[bcdfghjklmnpqrstvwxz2456789]{8,10}\b", "-HASH"),
        (r"pod-template-hash=[bcdfghjklmnpqrstvwxz2456789]+", "pod-template-hash=HASH"),
        (r"\b(127|10)\.\d+\.\d+\.\d+\b", "IP"),
        (r"IP:\d{2,5}\b", "IP:PORT"),
        (r"\b3[0-2]\d{3}/TCP", "NODEPORT/TCP"),
        (r"\b(\d+d)?(\d+h)?(\d+m)?\d+(\.\d+)?m?s\b", "AGE"),
        // What the library of kubectl says by itself: where, and in which process.
        (r"[EWI]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ (\w+\.go):\d+\]", "LOG $1]"),
        (r"(Handling connection for|error occurred forwarding) \d+", "$1 PORT"),
        (r"Image size: \d+ bytes", "Image size: N bytes"),
        (r#"-([bcdfghjklmnpqrstvwxz2456789]{5})(\s|$|[.:/"])"#, "-POD$2"),
        // Padding depends on the longest cell, which may be an address or an age.
        (r" {2,}", "  "),
        (r"(?m)[ \t]+$", ""),
    ];
    let mut text = text.to_string();
    for (pattern, replacement) in RULES {
        text = Regex::new(pattern)
            .expect("the rules are regular expressions")
            .replace_all(&text, *replacement)
            .into_owned();
    }
    text
}

#[test]
fn names_addresses_and_ages_are_replaced() {
    let text = "hello-7f6d4b9c58-x2vqz   1/1   Running   0   12s   127.44.0.9\n";
    assert_eq!(normalise(text), "hello-HASH-POD  1/1  Running  0  AGE  IP\n");
}
