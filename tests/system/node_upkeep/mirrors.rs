//! Registries that are asked elsewhere: mirrors in the order of their file, and those of all registries without one.

use std::fs;
use std::net::TcpListener;

use super::{pod, ready, waits};
use crate::harness::guests::{self, push};
use crate::harness::{Cluster, Options, answering, eventually};

/// An address where nobody listens.
fn nobody() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// Mirrors are asked in the order of their file, past those that are away and those that have nothing, until one
/// answers. The file of `_default` is for registries that have none.
#[test]
fn mirrors_are_asked_one_after_the_other() {
    let mut cluster = Cluster::unstarted(Options::default());
    let hosts = cluster.scratch().join("hosts");
    fs::create_dir(&hosts).unwrap();
    cluster.options.flags = vec!["--registry-config-dir".into(), hosts.display().to_string()];
    cluster.boot();
    push(&cluster, "ticker", guests::TICKER);
    let (own, (empty, asked)) = (cluster.line("registry"), answering("404 Not Found", ""));
    let write = |registry: &str, server: &str, mirrors: &[&str]| {
        let tables: String = mirrors.iter().map(|host| format!("[host.\"http://{host}\"]\n")).collect();
        let dir = hosts.join(registry);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("hosts.toml"), format!("server = \"http://{server}\"\n{tables}")).unwrap();
    };
    let last = nobody();
    write("shop.example", &last, &[&nobody(), &empty, &own]);
    cluster.apply(&pod("bought", "shop.example/guest/ticker:1", "", ""));
    ready(&cluster, "bought");
    let requests = std::mem::take(&mut *asked.lock().unwrap());
    let wanted = "/v2/guest/ticker/manifests/1?ns=shop.example HTTP/1.1";
    assert!(!requests.is_empty() && requests.iter().all(|line| line.ends_with(wanted)), "{requests:?}");
    let id = super::field(&cluster, "pod bought", ".status.containerStatuses[0].imageID");
    assert!(id.starts_with("shop.example/guest/ticker@sha256:"), "the image keeps the registry's name: {id}");

    // Who answers first is enough.
    write("shop.example", &last, &[&own, &empty]);
    cluster.apply(&pod("more", "shop.example/guest/ticker:1", "imagePullPolicy: Always", ""));
    ready(&cluster, "more");
    assert!(asked.lock().unwrap().is_empty(), "{asked:?}");

    // Nobody has it: the registry itself is asked last.
    cluster.apply(&pod("none", "shop.example/guest/other:1", "", ""));
    eventually("the registry itself is named", || {
        let message = waits(&cluster, "none", "ImagePullBackOff");
        if message.contains(&format!("http://{last}/v2/guest/other/manifests/1")) { Ok(()) } else { Err(message) }
    });
    assert!(asked.lock().unwrap().iter().all(|line| line.contains("/v2/guest/other/manifests/1")));

    write("_default", &nobody(), &[&own]);
    cluster.apply(&pod("elsewhere", "other.example/guest/ticker:1", "", ""));
    ready(&cluster, "elsewhere");
}
