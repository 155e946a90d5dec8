//! Terminals: what a user types at a program, and sees of it. (kubectl wants a terminal of its own; kube-rs does not.)

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{AttachParams, AttachedProcess};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, SimplexStream, WriteHalf};

use super::program::finish;
use crate::client::{client, in_time};
use crate::harness::guests::{TOOLBOX, push_toolbox};
use crate::harness::{Cluster, eventually};

fn terminal() -> AttachParams {
    AttachParams::default().stdin(true).stderr(false).tty(true)
}

/// A cluster with the pod `box`, whose program is `command`; `more` are further lines of its container.
pub(super) fn with_a_box(command: &str, more: &str) -> Cluster {
    let cluster = Cluster::start();
    push_toolbox(&cluster);
    cluster.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: box\nspec:\n  restartPolicy: Never\n  \
         terminationGracePeriodSeconds: 1\n  containers:\n  - name: main\n    image: {TOOLBOX}\n    \
         command: {command}\n    stdin: true\n{more}"
    ));
    cluster.kubectl("wait --for=condition=Ready pod/box --timeout=60s").ok();
    cluster
}

/// Somebody at a keyboard.
struct User {
    process: AttachedProcess,
    keyboard: WriteHalf<SimplexStream>,
    screen: ReadHalf<SimplexStream>,
}

impl User {
    fn of(mut process: AttachedProcess) -> User {
        let (keyboard, screen) = (process.stdin().unwrap(), process.stdout().unwrap());
        User { process, keyboard, screen }
    }

    async fn types(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).await.unwrap();
    }

    /// Reads as much as this, which it must be.
    async fn sees(&mut self, text: &str) {
        let mut seen = vec![0; text.len()];
        let mut filled = 0;
        while filled < seen.len() {
            let read = in_time(text, self.screen.read(&mut seen[filled..])).await.unwrap();
            let so_far = String::from_utf8_lossy(&seen[..filled]);
            assert!(read > 0, "the end after {so_far:?} instead of {text:?}");
            filled += read;
        }
        assert_eq!(String::from_utf8_lossy(&seen), text);
    }

    /// The exit code, once all is over and nothing more has come.
    async fn leaves(mut self) -> String {
        let status = in_time("the end", self.process.take_status().unwrap()).await.unwrap();
        let mut rest = String::new();
        in_time("nothing more", self.screen.read_to_string(&mut rest)).await.unwrap();
        assert_eq!(rest, "");
        let causes = status.details.and_then(|details| details.causes).unwrap_or_default();
        causes.into_iter().find_map(|cause| cause.message).unwrap_or_default()
    }
}

#[tokio::test]
async fn a_command_is_typed_at_and_interrupted() {
    let cluster = with_a_box("[sleep, '1000']", "");
    let pods: Api<Pod> = Api::default_namespaced(client(&cluster).await);
    let exec = async |words: &[&str]| User::of(pods.exec("box", words.to_vec(), &terminal()).await.unwrap());

    let mut user = exec(&["stdin"]).await;
    user.types(b"hel\x7flo\r").await;
    user.sees("hel\x08 \x08lo\r\nhelo\r\n").await;
    // The beginning of a line is handed over, and nothing is its end.
    user.types(b"ab\x04").await;
    user.sees("abab").await;
    user.types(b"\x04").await;
    assert_eq!(user.leaves().await, "");

    for (key, echo, code) in [(b"\x03", "^C", "130"), (b"\x1c", "^\\", "131")] {
        let mut user = exec(&["sleep", "1000"]).await;
        user.types(b"not read").await;
        user.sees("not read").await;
        user.types(key).await;
        user.sees(echo).await;
        assert_eq!(user.leaves().await, code);
    }

    // Without stdin there is a screen only.
    let only_look = AttachParams::default().stdin(false).stderr(false).tty(true);
    let (out, _, _) = finish(pods.exec("box", ["echo", "seen"], &only_look).await.unwrap()).await;
    assert_eq!(out, "seen\r\n");
}

#[tokio::test]
async fn all_who_attach_share_one_terminal() {
    let cluster = with_a_box("[stdin]", "    tty: true\n");
    let pods: Api<Pod> = Api::default_namespaced(client(&cluster).await);
    let attach = async || User::of(pods.attach("box", &terminal()).await.unwrap());

    let mut one = attach().await;
    one.types(b"first\r").await;
    one.sees("first\r\nfirst\r\n").await;
    let mut two = attach().await;
    two.types(b"sec").await;
    two.sees("sec").await;
    one.types(b"ond\r").await;
    two.sees("ond\r\nsecond\r\n").await;
    one.sees("second\r\nsecond\r\n").await;

    // The container's own program is not ended by a key, nor by the end of somebody's session; the line is dropped.
    one.types(b"x\x03").await;
    one.sees("x^C").await;
    two.sees("x^C").await;
    one.process.abort();
    two.types(b"third\r").await;
    two.sees("third\r\nthird\r\n").await;
    two.types(b"\x04").await;
    assert_eq!(two.leaves().await, "");

    // What was typed is in no log, nor are line ends for screens.
    cluster.kubectl("wait --for=jsonpath={.status.phase}=Succeeded pod/box --timeout=60s").ok();
    assert_eq!(cluster.kubectl("logs box").ok(), "first\nsecond\nthird\n");
}

#[tokio::test]
async fn a_program_that_is_there_for_its_visitor_is_interrupted() {
    let cluster = with_a_box("[sleep, '1000']", "    stdinOnce: true\n    tty: true\n");
    let pods: Api<Pod> = Api::default_namespaced(client(&cluster).await);
    let mut first = User::of(pods.attach("box", &terminal()).await.unwrap());
    first.types(b"bye").await;
    first.sees("bye").await;
    first.process.abort();
    drop(first);
    // With a terminal one may come back.
    let mut user = User::of(pods.attach("box", &terminal()).await.unwrap());
    user.types(b"\x03").await;
    user.sees("^C").await;
    assert_eq!(user.leaves().await, "");
    let code = "get pod box -o jsonpath={.status.containerStatuses[0].state.terminated.exitCode}";
    eventually("its exit code", || match cluster.kubectl(code).result()?.as_str() {
        "130" => Ok(()),
        other => Err(other.to_owned()),
    });
}
