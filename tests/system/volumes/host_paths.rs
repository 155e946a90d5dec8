//! What the `type` of a `hostPath` asks of the host.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;

use serde_json::json;

use crate::harness::boxes::{cluster, output, pod};
use crate::harness::{Cluster, eventually};

/// A pod with each of the paths, of these types, at `/v0`, `/v1` and so on.
fn with_paths(name: &str, command: &str, paths: &[(&Path, &str)]) -> String {
    let numbered = paths.iter().enumerate();
    let (volumes, mounts): (Vec<_>, Vec<_>) = numbered
        .map(|(index, (path, kind))| {
            let volume = json!({"name": format!("v{index}"), "hostPath": {"path": path, "type": kind}});
            (volume, json!({"name": format!("v{index}"), "mountPath": format!("/v{index}")}))
        })
        .unzip();
    pod(name, command, &format!("volumeMounts: {}", json!(mounts)), &format!("volumes: {}", json!(volumes)))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode() & 0o777
}

/// What is to be there is used, what is to be made is made, and the guest's files are the host's.
#[test]
fn directories_and_files_are_found_or_made() {
    let cluster = cluster();
    let at = |name: &str| cluster.scratch().join(name);
    fs::create_dir(at("dir")).expect("the scratch directory can be written");
    fs::write(at("dir/text"), "found ").expect("the directory can be written");
    fs::write(at("file"), "file").expect("the scratch directory can be written");
    let (new_dir, dir, new_file, file) = (at("new/dir"), at("dir"), at("new-file"), at("file"));
    let paths =
        [(&*new_dir, "DirectoryOrCreate"), (&*dir, "Directory"), (&*new_file, "FileOrCreate"), (&*file, "File")];
    let script = "[sh, -c, 'write /v0/made dir; write /v2 made file; cat /v1/text /v3']";
    assert_eq!(output(&cluster, &with_paths("types", script, &paths), "types"), "found file");
    assert_eq!(fs::read_to_string(new_dir.join("made")).expect("what the guest wrote is here"), "dir");
    assert_eq!(fs::read_to_string(&new_file).expect("what the guest wrote is here"), "made file");
    assert_eq!((mode(&new_dir), mode(&new_file)), (0o755, 0o644));

    // The same again, when all is there already.
    let script = "[cat, /v0/made, /v2]";
    assert_eq!(output(&cluster, &with_paths("again", script, &paths), "again"), "dirmade file");
}

/// A pod whose path is something else waits and says so; one that names a socket or a device, and finds it, can't show
/// it to its guest and says that.
#[test]
fn what_does_not_fit_is_told() {
    let cluster = cluster();
    let (file, none, socket) =
        (cluster.scratch().join("file"), cluster.scratch().join("none"), cluster.scratch().join("socket"));
    fs::write(&file, "").expect("the scratch directory can be written");
    let _listener = UnixListener::bind(&socket).expect("the scratch directory can have a socket");
    let (dir, null) = (cluster.scratch(), Path::new("/dev/null"));
    let wrong = [
        ("a", &*file, "Directory", "directory"),
        ("b", &*none, "Directory", "directory"),
        ("c", &*file, "DirectoryOrCreate", "directory"),
        ("d", dir, "File", "file"),
        ("e", dir, "FileOrCreate", "file"),
        ("f", &*file, "Socket", "socket file"),
        ("g", &*file, "CharDevice", "character device"),
        ("h", null, "BlockDevice", "block device"),
    ];
    let special = [("socket", &*socket, "Socket"), ("device", null, "CharDevice")];
    let pods = wrong.iter().map(|(name, path, kind, _)| (*name, *path, *kind)).chain(special);
    let manifests: Vec<String> =
        pods.map(|(name, path, kind)| with_paths(name, "[sleep, '1000']", &[(path, kind)])).collect();
    cluster.apply(&manifests.join("---\n"));
    for (name, path, _, expected) in wrong {
        let problem = format!("hostPath type check failed: {} is not a {expected}", path.display());
        fails_to_mount(&cluster, name, &format!("MountVolume.SetUp failed for volume \"v0\" : {problem}"));
    }
    for (name, ..) in special {
        eventually("the container can't be created", || {
            let path = "{.status.containerStatuses[0].state.waiting.reason}: {.status.containerStatuses[0].state.waiting.message}";
            let found = cluster.kubectl(&format!("get pod {name} -o jsonpath='{path}'")).ok();
            let why =
                "mount \"/v0\" is a socket or a device, and WebAssembly programs are given directories and files only";
            if found == format!("CreateContainerConfigError: {why}") { Ok(()) } else { Err(found) }
        });
    }
    // What was missing is looked for again.
    fs::create_dir(&none).expect("the scratch directory can be written");
    cluster.kubectl("wait --for=condition=Ready pod/b --timeout=60s").ok();
}

fn fails_to_mount(cluster: &Cluster, pod: &str, wanted: &str) {
    eventually(wanted, || {
        let fields = format!("involvedObject.name={pod},reason=FailedMount");
        let messages =
            cluster.kubectl(&format!("get events --field-selector {fields} -o jsonpath={{.items[*].message}}"));
        let messages = messages.ok();
        if messages == wanted { Ok(()) } else { Err(messages) }
    });
}
