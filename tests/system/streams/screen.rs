//! kubectl in a terminal, which it insists on for `-t`: the one of `script` (util-linux).

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use super::TRANSPORTS;
use super::keys::with_a_box;
use crate::harness::{Cluster, eventually, skip};

/// A kubectl that believes somebody sits before it.
struct Session {
    process: Child,
    keyboard: ChildStdin,
    screen: Arc<Mutex<Vec<u8>>>,
    reader: std::thread::JoinHandle<()>,
}

impl Session {
    /// Starts it. The line must need no quoting but its own.
    fn start(cluster: &Cluster, websockets: &str, line: &str) -> Session {
        let mut command = Command::new("script");
        command.args(["-q", "-e", "-c", &format!("kubectl {line}"), "/dev/null"]);
        command.env("KUBECONFIG", cluster.kubeconfig()).env("HOME", cluster.scratch()).env("LC_ALL", "C");
        command.env("SHELL", "/bin/sh").env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", websockets);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut process = command.spawn().expect("script starts");
        let (keyboard, mut output) = (process.stdin.take().expect("a pipe"), process.stdout.take().expect("a pipe"));
        let screen = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&screen);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut buffer) {
                seen.lock().expect("no panic").extend(&buffer[..read]);
            }
        });
        Session { process, keyboard, screen, reader }
    }

    fn types(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).and_then(|()| self.keyboard.flush()).expect("kubectl reads what is typed");
    }

    fn shows(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().expect("no panic")).into_owned()
    }

    /// Waits until the screen ends with this.
    fn sees(&self, end: &str) {
        eventually(&format!("{end:?} on the screen"), || {
            let shown = self.shows();
            if shown.ends_with(end) { Ok(()) } else { Err(format!("{shown:?}")) }
        });
    }

    /// Its exit code and all that was on the screen, once it has ended.
    fn leaves(mut self) -> (i32, String) {
        let status = eventually("the end of kubectl", || {
            self.process.try_wait().map_err(|error| error.to_string())?.ok_or_else(|| self.shows())
        });
        self.reader.join().expect("no panic");
        let shown = String::from_utf8_lossy(&self.screen.lock().expect("no panic")).into_owned();
        (status.code().unwrap_or(-1), shown)
    }
}

#[test]
fn kubectl_hands_its_terminal_to_a_command() {
    if Command::new("script").arg("--version").output().is_err() {
        return skip("there is no program `script`, which gives kubectl a terminal");
    }
    let cluster = with_a_box("[sleep, '1000']", "");
    for (transport, websockets) in TRANSPORTS {
        // What is typed before kubectl has made the terminal raw would be echoed twice.
        let line = "exec -it box -- sh -c 'echo ready && stdin'";
        let mut session = Session::start(&cluster, websockets, line);
        session.sees("ready\r\n");
        session.types(b"hel\x7flo\r");
        session.sees("hel\x08 \x08lo\r\nhelo\r\n");
        session.types(b"\x04");
        let (code, shown) = session.leaves();
        assert_eq!((code, shown.as_str()), (0, "ready\r\nhel\x08 \x08lo\r\nhelo\r\n"), "{transport}");

        let mut session = Session::start(&cluster, websockets, "exec -it box -- sh -c 'echo ready && sleep 1000'");
        session.sees("ready\r\n");
        session.types(b"\x03");
        let (code, shown) = session.leaves();
        assert_eq!(code, 130, "{transport}: {shown:?}");
        assert!(
            shown.contains("^C") && shown.contains("command terminated with exit code 130"),
            "{transport}: {shown:?}"
        );
    }
}
