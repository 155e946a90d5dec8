//! The walls, as the kernel tells of them.

use std::fs;

use super::{cluster, pod, process_of, ready};
use crate::harness::skip;

#[test]
fn the_process_has_nothing_but_what_it_was_given() {
    let cluster = cluster();
    let (more, spec) = ("volumeMounts: [{ name: d, mountPath: /d }]", "volumes: [{ name: d, emptyDir: {} }]");
    cluster.apply(&pod("walled", "[sleep, '1000']", more, spec));
    ready(&cluster, "walled");
    let dir = process_of(&cluster, "walled").unwrap();
    let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
    // Of every thread, since each has its own.
    for task in fs::read_dir(dir.join("task")).unwrap() {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        for line in [
            "Seccomp:\t2",
            "NoNewPrivs:\t1",
            "CapInh:\t0000000000000000",
            "CapPrm:\t0000000000000000",
            "CapEff:\t0000000000000000",
            "CapBnd:\t0000000000000000",
            "CapAmb:\t0000000000000000",
        ] {
            assert!(status.lines().any(|found| found == line), "{line} is not in\n{status}");
        }
    }
    assert!(read("limits").lines().any(|line| line.starts_with("Max core file size") && line.contains(" 0 ")));
    let Ok(environ) = fs::read(dir.join("environ")) else { return skip("looking into processes needs root") };
    let environ = String::from_utf8_lossy(&environ);
    assert!(environ.split('\0').all(|variable| variable.is_empty() || variable.starts_with("SSL_CERT_FILE=")));
    assert_eq!(fs::read_dir(dir.join("root")).unwrap().count(), 0, "the root is empty");
    let mounts = read("mounts");
    assert_eq!(mounts.lines().count(), 1, "{mounts}");
    assert!(mounts.starts_with("none / tmpfs ro,"), "{mounts}");
    for namespace in ["mnt", "ipc", "uts"] {
        let of = |dir: &std::path::Path| fs::read_link(dir.join("ns").join(namespace)).unwrap();
        assert_ne!(of(&dir), of(std::path::Path::new("/proc/self")), "{namespace}");
    }
    // Nothing of the node's is open in it: sockets, pipes, what the kernel has for waiting, and its volume.
    for open in fs::read_dir(dir.join("fd")).unwrap() {
        let target = fs::read_link(open.unwrap().path()).unwrap();
        let name = target.to_string_lossy();
        let own = ["socket:", "pipe:", "anon_inode:", "/memfd:", "/dev/null"].iter().any(|kind| name.starts_with(kind));
        let given = name.ends_with(".crt") || name.ends_with(".pem") || name == "/";
        assert!(own || given, "{name} is open");
    }
}
