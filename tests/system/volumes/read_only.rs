//! Mounts that may only be read, of volumes that may be written.

use std::fs;

use serde_json::json;

use crate::harness::boxes::{cluster, pod, ready};

/// What WASI's `not-permitted` is called by the guest's library.
const REFUSED: &str = "Operation not permitted";

/// The same volume may be written at one place and only read at others, however `recursiveReadOnly` is asked for: what
/// would change it is refused, nothing is changed, and the status says how it is mounted.
#[test]
fn what_may_only_be_read_can_not_be_changed() {
    let cluster = cluster();
    let dir = cluster.scratch().join("host");
    fs::create_dir(&dir).expect("the scratch directory can be written");
    fs::write(dir.join("there"), "hosts").expect("the host's directory can be written");
    let mounts = "volumeMounts:
- { name: d, mountPath: /w }
- { name: d, mountPath: /r, readOnly: true }
- { name: d, mountPath: /e, readOnly: true, recursiveReadOnly: Enabled }
- { name: d, mountPath: /i, readOnly: true, recursiveReadOnly: IfPossible }
- { name: d, mountPath: /n, readOnly: true, recursiveReadOnly: Disabled }
- { name: h, mountPath: /h, readOnly: true }
- { name: h, mountPath: /one/file, subPath: there, readOnly: true }";
    let volumes = json!([{"name": "d", "emptyDir": {}}, {"name": "h", "hostPath": {"path": dir}}]);
    cluster.apply(&pod("box", "[sleep, '1000']", mounts, &format!("volumes: {volumes}")));
    ready(&cluster, "box");
    cluster.kubectl("exec box -- write /w/there own").ok();
    for (place, content) in [("/r", "own"), ("/e", "own"), ("/i", "own"), ("/n", "own"), ("/h", "hosts")] {
        assert_eq!(cluster.kubectl(&format!("exec box -- cat {place}/there")).ok(), content);
        let script = format!("write {place}/there x; touch {place}/new; rm {place}/there; mkdir {place}/dir");
        let refused = cluster.kubectl(&format!("exec box -- sh -c '{script}'")).failed();
        assert_eq!(refused.matches(REFUSED).count(), 4, "{place}: {refused}");
    }
    assert_eq!(cluster.kubectl("exec box -- cat /one/file").ok(), "hosts");
    let refused = cluster.kubectl("exec box -- write /one/file x").failed();
    assert!(refused.contains(REFUSED), "{refused}");
    assert_eq!(cluster.kubectl("exec box -- ls /w").ok(), "file 3 there\n");
    assert_eq!(fs::read_to_string(dir.join("there")).expect("the host's file is there"), "hosts");
    assert_eq!(fs::read_dir(&dir).expect("the host's directory is there").count(), 1);

    let range =
        "{range .status.containerStatuses[0].volumeMounts[*]}{.mountPath}={.readOnly}{.recursiveReadOnly} {end}";
    let shown = cluster.kubectl(&format!("get pod box -o jsonpath='{range}'")).ok();
    let wanted =
        "/w= /r=trueDisabled /e=trueEnabled /i=trueEnabled /n=trueDisabled /h=trueDisabled /one/file=trueDisabled ";
    assert!(shown.starts_with(wanted), "{shown}");
}
