//! Views made in a temporary directory, with the volumes of a pod that has one of each kind.

use std::{net::IpAddr, sync::Arc};

use k8s_openapi::api::core::v1::{Pod, PodSpec};
use serde_json::{Value, json};

use super::*;
use crate::{
    fake_api::FakeApi,
    link::Link,
    volumes::{Downward, Setting, VolumeKeeper, fake::Fake},
};

struct World {
    dir: tempfile::TempDir,
    volumes: Volumes,
}

impl World {
    async fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("host-file"), b"of the host").unwrap();
        fs::create_dir_all(dir.path().join("image/etc/ssl")).unwrap();
        for (name, text) in [("etc/conf", "conf"), ("etc/ssl/cert", "cert"), ("etc/hosts", "image"), ("app", "app")] {
            fs::write(dir.path().join("image").join(name), text).unwrap();
        }
        let host = dir.path().join("host-file");
        let pod = json!({"metadata": {"name": "p", "namespace": "ns", "uid": "u"}, "spec": {"containers": [], "volumes": [
            {"name": "own", "emptyDir": {}},
            {"name": "map", "configMap": {"name": "m", "items": [
                {"key": "k", "path": "file"}, {"key": "k", "path": "deep/er/file"}]}},
            {"name": "host", "hostPath": {"path": host}},
        ]}});
        let mut objects = Fake::default();
        objects.config_maps.insert("m".into(), serde_json::from_value(json!({"data": {"k": "mapped"}})).unwrap());
        let volumes = set_up(dir.path(), pod, &objects).await;
        World { dir, volumes }
    }

    async fn view(&self, container: Value, image: bool, is_command: bool) -> Result<View, ViewError> {
        self.view_of(container, image, is_command, false).await
    }

    async fn view_of(
        &self,
        container: Value,
        image: bool,
        is_command: bool,
        only_declared: bool,
    ) -> Result<View, ViewError> {
        let mut container = container;
        container["name"] = "c".into();
        let spec = PodSpec::default();
        let (container, rootfs) = (serde_json::from_value(container).unwrap(), self.dir.path().join("image"));
        let address = "127.64.0.2".parse().unwrap();
        let etc = EtcFiles {
            spec: &spec,
            namespace: "ns",
            hostname: "p",
            domain: None,
            called: "p",
            address,
            cluster_domain: "cluster.local",
        };
        let request = ViewRequest {
            container: &container,
            volumes: &self.volumes,
            env: &[("POD".to_owned(), "p".to_owned()), ("NONE".to_owned(), String::new())],
            rootfs: image.then_some(&*rootfs),
            is_command,
            only_declared,
            dir: &self.dir.path().join("c"),
            etc_dir: &self.dir.path().join("etc"),
            etc,
        };
        request.make().await
    }
}

async fn set_up(dir: &Path, pod: Value, objects: &Fake) -> Volumes {
    let pod: Arc<Pod> = Arc::new(serde_json::from_value(pod).unwrap());
    let client = FakeApi::default().client();
    let (events, _) = crate::events::recorder(client.clone(), "n");
    let host_ip: IpAddr = "127.0.0.1".parse().unwrap();
    let keeper = VolumeKeeper::new(
        Arc::new(client.clone()),
        client,
        Link::steady(),
        host_ip,
        Default::default(),
        Arc::new(events),
    );
    let about = Downward { pod: &pod, pod_ip: host_ip, host_ip, allocatable: &Default::default() };
    let setting = Setting { pod: &pod, about, objects, keeper: &keeper, dir: &dir.join("volumes") };
    Volumes::set_up(&setting).await.unwrap()
}

/// What the guest finds at `path`: the directory with the longest prefix, as in WASI's libc.
fn find(view: &View, path: &str) -> Option<(PathBuf, bool)> {
    let fits = view.preopens.iter().filter(|preopen| Path::new(path).starts_with(&preopen.guest_path));
    let preopen = fits.max_by_key(|preopen| preopen.guest_path.len())?;
    let below = Path::new(path).strip_prefix(&preopen.guest_path).ok()?;
    Some((preopen.host_path.join(below), preopen.read_only))
}

fn text(view: &View, path: &str) -> String {
    find(view, path).and_then(|(path, _)| fs::read_to_string(path).ok()).unwrap_or_else(|| "(none)".to_owned())
}

fn guests(view: &View) -> Vec<&str> {
    view.preopens.iter().map(|preopen| &*preopen.guest_path).collect()
}

#[tokio::test]
async fn a_command_has_the_nodes_files_and_sees_its_mount_points() {
    let world = World::new().await;
    let mounts = json!({"volumeMounts": [{"name": "own", "mountPath": "/data/deep/"}]});
    let view = world.view(mounts.clone(), false, true).await.unwrap();
    assert_eq!(guests(&view), ["/", "/data/deep", "/dev", "/etc"]);
    assert!(text(&view, "/etc/hosts").starts_with("# Kubernetes-managed hosts file.\n"));
    assert_eq!(text(&view, "/etc/hostname"), "p\n");
    let root = &view.preopens[0];
    assert!(root.read_only && root.host_path.join("data/deep").is_dir() && root.host_path.join("etc").is_dir());
    let (log, read_only) = find(&view, "/dev/termination-log").unwrap();
    assert!(!read_only);
    fs::write(&log, b"the end").unwrap();
    assert_eq!(fs::read(view.termination_file.as_ref().unwrap()).unwrap(), b"the end");
    let again = world.view(mounts, false, true).await.unwrap();
    assert_eq!(text(&again, "/dev/termination-log"), "", "each run has its own");
}

#[tokio::test]
async fn a_server_has_only_what_it_mounts() {
    let world = World::new().await;
    let view = world.view(json!({}), false, false).await.unwrap();
    assert!(view.preopens.is_empty() && view.termination_file.is_none());
    let token = json!({"volumeMounts": [{"name": "map", "mountPath": TOKEN_MOUNT, "readOnly": true}]});
    assert_eq!(guests(&world.view(token, false, false).await.unwrap()), [TOKEN_MOUNT]);
    let mounts = json!({"volumeMounts": [{"name": "own", "mountPath": "/data"}], "terminationMessagePath": "/out/msg"});
    let view = world.view(mounts, false, false).await.unwrap();
    assert_eq!(guests(&view), ["/data", "/etc", "/out"]);
}

#[tokio::test]
async fn a_volume_at_the_root_is_all_there_is() {
    let world = World::new().await;
    let mounts = json!({"volumeMounts": [{"name": "own", "mountPath": "/"}]});
    let view = world.view(mounts.clone(), false, true).await.unwrap();
    assert_eq!(guests(&view), ["/"]);
    assert_eq!(fs::read_dir(&view.preopens[0].host_path).unwrap().count(), 0, "the volume has nothing of the node's");
    assert!(view.termination_file.is_none());
    let asked = json!({"volumeMounts": mounts["volumeMounts"], "terminationMessagePath": "/words"});
    let view = world.view(asked, false, true).await.unwrap();
    assert!(view.termination_file.is_some() && view.preopens[0].host_path.join("words").exists());
}

#[tokio::test]
async fn what_is_only_declared_has_nothing_of_the_nodes() {
    let world = World::new().await;
    let view = world.view_of(json!({}), false, true, true).await.unwrap();
    assert!(view.preopens.is_empty() && view.termination_file.is_none());
    let mounts = json!({"volumeMounts": [{"name": "own", "mountPath": "/data"}], "terminationMessagePath": "/out/msg"});
    let view = world.view_of(mounts, false, true, true).await.unwrap();
    assert_eq!(guests(&view), ["/data", "/out"], "a termination message that is asked for is declared");
}

#[tokio::test]
async fn single_files_stand_beside_what_the_image_has_there() {
    let world = World::new().await;
    let container = json!({"volumeMounts": [
        {"name": "map", "mountPath": "/etc/file", "subPath": "file"},
        {"name": "host", "mountPath": "/srv/host"},
    ]});
    let view = world.view(container, true, true).await.unwrap();
    assert_eq!(guests(&view), ["/", "/dev", "/etc", "/etc/ssl", "/srv"]);
    for (path, wanted) in [
        ("/etc/file", "mapped"),
        ("/etc/conf", "conf"),
        ("/etc/ssl/cert", "cert"),
        ("/app", "app"),
        ("/srv/host", "of the host"),
    ] {
        assert_eq!(text(&view, path), wanted, "{path}");
    }
    assert!(text(&view, "/etc/hosts").starts_with("# Kubernetes"), "the node's file hides the image's");
    assert!(find(&view, "/etc/file").unwrap().1, "read-only like everything there");
    let (path, read_only) = find(&view, "/srv/host").unwrap();
    assert!(!read_only);
    fs::write(path, b"written").unwrap();
    assert_eq!(fs::read(world.dir.path().join("host-file")).unwrap(), b"written", "it is the same file");
}

#[tokio::test]
async fn what_can_only_be_read_is_not_written_through_a_neighbour() {
    let world = World::new().await;
    let container = json!({"volumeMounts": [
        {"name": "map", "mountPath": "/d/map", "subPath": "file"}, {"name": "host", "mountPath": "/d/host"}]});
    let view = world.view(container, false, true).await.unwrap();
    fs::write(find(&view, "/d/map").unwrap().0, b"forged").unwrap();
    assert_eq!(fs::read(world.dir.path().join("volumes/map/file")).unwrap(), b"mapped");
}

#[tokio::test]
async fn a_root_of_its_own_is_writable_and_gone_with_the_run() {
    let world = World::new().await;
    let container = json!({"securityContext": {"readOnlyRootFilesystem": false}, "terminationMessagePath": "/var/end",
        "volumeMounts": [{"name": "own", "mountPath": "/data"}]});
    for _ in 0..2 {
        let view = world.view(container.clone(), true, true).await.unwrap();
        assert_eq!(guests(&view), ["/", "/data"]);
        assert_eq!(text(&view, "/app"), "app");
        fs::write(find(&view, "/app").unwrap().0, b"changed").unwrap();
        fs::write(find(&view, "/var/end").unwrap().0, b"bye").unwrap();
        assert_eq!(fs::read(view.termination_file.as_ref().unwrap()).unwrap(), b"bye");
        assert!(view.preopens[0].host_path.join("data").is_dir() && !view.preopens[0].read_only);
    }
    assert_eq!(fs::read(world.dir.path().join("image/app")).unwrap(), b"app");
}

#[tokio::test]
async fn a_volume_covers_what_is_below_it() {
    let world = World::new().await;
    let container = json!({"terminationMessagePath": "/etc/end", "volumeMounts": [
        {"name": "own", "mountPath": "/etc"}, {"name": "map", "mountPath": "/etc/own/file", "subPath": "file"}]});
    let view = world.view(container, true, true).await.unwrap();
    assert_eq!(text(&view, "/etc/hosts"), "(none)");
    assert_eq!(text(&view, "/etc/own/file"), "mapped");
    fs::write(find(&view, "/etc/end").unwrap().0, b"bye").unwrap();
    assert_eq!(fs::read(view.termination_file.unwrap()).unwrap(), b"bye");
    let container = json!({"terminationMessagePath": "/m/end", "volumeMounts": [{"name": "map", "mountPath": "/m"}]});
    let view = world.view(container, false, true).await.unwrap();
    assert_eq!(text(&view, "/m/file"), "mapped");
    fs::write(find(&view, "/m/end").unwrap().0, b"bye").unwrap();
    assert_eq!(fs::read(view.termination_file.unwrap()).unwrap(), b"bye");
}

#[tokio::test]
async fn sub_paths_are_resolved_made_and_checked() {
    let world = World::new().await;
    let own = world.dir.path().join("volumes/own");
    fs::write(own.join("kept"), b"1").unwrap();
    std::os::unix::fs::symlink("../..", own.join("link")).unwrap();
    let one = |extra: Value| {
        let mut mount = json!({"name": "own", "mountPath": "/d"});
        mount.as_object_mut().unwrap().extend(extra.as_object().cloned().unwrap());
        json!({"volumeMounts": [mount]})
    };
    let view = world.view(one(json!({"subPathExpr": "pods/$(POD)"})), false, true).await.unwrap();
    assert!(find(&view, "/d").unwrap().0.ends_with("own/pods/p"));
    let view = world.view(one(json!({"subPath": "kept", "readOnly": true})), false, true).await.unwrap();
    assert_eq!(text(&view, "/d"), "1");
    let dir = json!({"volumeMounts": [{"name": "map", "mountPath": "/m", "subPath": "deep"}]});
    let view = world.view(dir, false, true).await.unwrap();
    assert_eq!(text(&view, "/m/er/file"), "mapped");
    assert!(find(&view, "/m").unwrap().0.starts_with(world.dir.path().join("c")), "it stays when the files change");
    for (extra, wanted) in [
        (json!({"subPath": "../x"}), "unable to provision SubPath `../x`: must not contain '..'"),
        (json!({"subPathExpr": "/$(POD)"}), "error SubPath `/p` must not be an absolute path"),
        (json!({"subPathExpr": "$(NONE)"}), "missing value for \"NONE\""),
        (
            json!({"subPath": "link/new"}),
            "failed to create subPath directory for volumeMount \"own\" of container \"c\"",
        ),
        (json!({"subPath": "link"}), "failed to prepare subPath for volumeMount \"own\" of container \"c\""),
        (json!({"name": "none"}), "cannot find volume \"none\" to mount into container \"c\""),
    ] {
        assert_eq!(world.view(one(extra), false, true).await.unwrap_err().to_string(), wanted);
    }
}

#[tokio::test]
async fn directories_that_last_are_buckets() {
    let world = World::new().await;
    let container = json!({"volumeMounts": [
        {"name": "own", "mountPath": "/data", "subPath": "deep", "readOnly": true},
        {"name": "own", "mountPath": "/all"},
        {"name": "map", "mountPath": "/map"},
        {"name": "host", "mountPath": "/srv/host"},
    ]});
    let view = world.view(container, true, false).await.unwrap();
    let own = world.dir.path().canonicalize().unwrap().join("volumes/own");
    let bucket = |host_path, read_only| Bucket { name: "own".to_owned(), host_path, read_only };
    assert_eq!(view.buckets, [bucket(own.join("deep"), true), bucket(own, false)]);
}
