//! Volumes made in a temporary directory out of fake objects.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::{super::objects::fake::Fake, *};

async fn set_up(dir: &Path, volume: Value) -> Result<Volumes, (String, VolumeError)> {
    let mut fake = Fake::default();
    let map = json!({"data": {"app.conf": "x=1", "other": "y"}, "binaryData": {"bin": "AAE="}});
    fake.config_maps.insert("settings".into(), serde_json::from_value(map).unwrap());
    fake.secrets.insert("keys".into(), serde_json::from_value(json!({"data": {"k": "c2VzYW1l"}})).unwrap());
    let pod = json!({"metadata": {"name": "p", "namespace": "shop", "labels": {"a": "b"}}, "spec": {"containers": [], "volumes": [volume]}});
    let pod = serde_json::from_value(pod).unwrap();
    let sources = FileSource {
        pod: &pod,
        pod_ip: "127.64.0.2".parse().unwrap(),
        host_ip: "127.0.0.1".parse().unwrap(),
        allocatable: &Default::default(),
        objects: &fake,
    };
    Volumes::set_up(&pod, dir, &sources).await
}

fn mounted(volumes: &Volumes, mount: Value) -> Result<Preopen, MountError> {
    let env = [("POD".to_owned(), "p".to_owned())];
    let container = serde_json::from_value(json!({"name": "c", "volumeMounts": [mount]})).unwrap();
    volumes.preopens(&container, &env).map(|mut list| list.remove(0))
}

#[tokio::test]
async fn files_come_from_objects_with_their_modes_and_cannot_be_changed() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let volume = json!({"name": "v", "configMap": {"name": "settings", "defaultMode": 0o600}});
        let volumes = set_up(dir.path(), volume).await.unwrap();
        let preopen = mounted(&volumes, json!({"name": "v", "mountPath": "/etc/app"})).unwrap();
        assert!(preopen.read_only && preopen.guest_path == "/etc/app");
        assert_eq!(fs::read(preopen.host_path.join("app.conf")).unwrap(), b"x=1");
        assert_eq!(fs::read(preopen.host_path.join("bin")).unwrap(), [0, 1]);
        let mode = fs::metadata(preopen.host_path.join("other")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let volume = json!({"name": "v", "projected": {"sources": [
        {"secret": {"name": "keys", "items": [{"key": "k", "path": "deep/key", "mode": 0o400}]}},
        {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        {"serviceAccountToken": {"path": "token", "audience": "api"}},
    ]}});
    set_up(dir.path(), volume).await.unwrap();
    assert_eq!(fs::read(dir.path().join("v/deep/key")).unwrap(), b"sesame");
    assert_eq!(fs::read(dir.path().join("v/labels")).unwrap(), b"a=\"b\"");
    assert_eq!(fs::read(dir.path().join("v/token")).unwrap(), b"token for api");
    assert!(!dir.path().join("v/app.conf").exists(), "what is no longer there is gone");
}

#[tokio::test]
async fn an_empty_dir_keeps_its_content_and_takes_sub_paths() {
    let dir = tempfile::tempdir().unwrap();
    let volumes = set_up(dir.path(), json!({"name": "v", "emptyDir": {}})).await.unwrap();
    fs::write(dir.path().join("v/kept"), b"1").unwrap();
    set_up(dir.path(), json!({"name": "v", "emptyDir": {}})).await.unwrap();
    assert!(dir.path().join("v/kept").exists());
    let preopen = mounted(&volumes, json!({"name": "v", "mountPath": "/d", "subPathExpr": "pods/$(POD)"})).unwrap();
    assert!(preopen.host_path.ends_with("v/pods/p") && preopen.host_path.is_dir() && !preopen.read_only);
    assert!(mounted(&volumes, json!({"name": "v", "mountPath": "/d", "readOnly": true})).unwrap().read_only);
    for bad in ["../x", "/etc", "a/../../b"] {
        let error = mounted(&volumes, json!({"name": "v", "mountPath": "/d", "subPath": bad})).unwrap_err();
        assert!(error.to_string().contains("does not contain '..'"), "{error}");
    }
    let error = mounted(&volumes, json!({"name": "v", "mountPath": "/d", "subPath": "kept"})).unwrap_err();
    assert!(matches!(error, MountError::File { .. }));
    std::os::unix::fs::symlink("../..", dir.path().join("v/link")).unwrap();
    let error = mounted(&volumes, json!({"name": "v", "mountPath": "/d", "subPath": "link/x"})).unwrap_err();
    assert!(error.to_string().contains("leads out of it"), "{error}");
}

#[tokio::test]
async fn what_is_missing_or_unsupported_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for (volume, text) in [
        (json!({"name": "v", "configMap": {"name": "none"}}), "configmap \"none\" not found"),
        (json!({"name": "v", "secret": {"secretName": "none"}}), "secret \"none\" not found"),
        (
            json!({"name": "v", "configMap": {"name": "settings", "items": [{"key": "k", "path": "k"}]}}),
            "references non-existent config key: k",
        ),
        (
            json!({"name": "v", "configMap": {"name": "settings", "items": [{"key": "other", "path": "../k"}]}}),
            "invalid path \"../k\": must be a relative path that does not contain '..'",
        ),
        (
            json!({"name": "v", "nfs": {"server": "s", "path": "/"}}),
            "volume type nfs is not supported by this node yet",
        ),
        (
            json!({"name": "v", "hostPath": {"path": "/definitely/not/here", "type": "Directory"}}),
            "hostPath type check failed: /definitely/not/here is not a directory",
        ),
    ] {
        let (name, error) = set_up(dir.path(), volume).await.unwrap_err();
        assert_eq!((&*name, &*error.to_string()), ("v", text));
    }
    let optional = json!({"name": "v", "configMap": {"name": "none", "optional": true}});
    set_up(dir.path(), optional).await.unwrap();
}
