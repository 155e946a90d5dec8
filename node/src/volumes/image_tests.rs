//! Places in image volumes, and what containers that mount them are told.

use std::{fs, os::unix::fs::symlink};

use coracle_oci::PullError;
use serde_json::{Value, json};

use super::*;

fn volumes(pod: Value) -> Volumes {
    let mut volumes = Volumes::default();
    volumes.images = ImageVolume::all(&serde_json::from_value(pod).unwrap());
    volumes
}

fn pod() -> Value {
    json!({"spec": {"containers": [], "volumes": [
        {"name": "other", "emptyDir": {}},
        {"name": "data", "image": {"reference": "registry.test/data:1", "pullPolicy": "Never"}},
        {"name": "more", "image": {"reference": "registry.test/more:1"}}]}})
}

fn container(volumes: &[&str]) -> Container {
    let mounts: Vec<_> = volumes.iter().map(|name| json!({"name": name, "mountPath": format!("/{name}")})).collect();
    serde_json::from_value(json!({"name": "c", "volumeMounts": mounts})).unwrap()
}

#[test]
fn sub_paths_are_directories_of_the_image() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    fs::create_dir_all(root.join("a/b")).unwrap();
    fs::write(root.join("file"), "x").unwrap();
    symlink("a", root.join("within")).unwrap();
    symlink("../", root.join("out")).unwrap();
    let volumes = volumes(pod());
    let image = volumes.image("data").unwrap();
    let below = |path: &str| image.below(&root, path).map_err(|error| error.to_string());
    assert_eq!(below("").unwrap(), root);
    assert_eq!(below("within/b").unwrap(), root.canonicalize().unwrap().join("a/b"));
    for missing in ["none", "a/none", "file/x"] {
        let text = format!(
            "ImageVolumeMountFailed: sub path {missing:?} does not exist in image volume \"registry.test/data:1\""
        );
        assert_eq!(below(missing).unwrap_err(), text);
    }
    assert!(below("file").unwrap_err().contains("only directory subpath is supported, subpath: \"file\""));
    assert!(below("out").unwrap_err().starts_with("ImageVolumeMountFailed: safe mount sub path: "));
}

#[test]
fn only_who_mounts_an_image_waits_for_it() {
    let volumes = volumes(pod());
    assert_eq!(volumes.images.len(), 2);
    assert!(!volumes.images_are_here() && Volumes::default().images_are_here());
    let failure = ImageFailure::Pull(PullError::NotFound { reference: "registry.test/more:1".into() });
    *volumes.image("more").unwrap().failed.lock() = Some((Instant::now(), failure));
    let failed = |mounts: &[&str]| volumes.image_failure(&container(mounts));
    assert!(failed(&[]).is_none() && failed(&["other", "data"]).is_none());
    let of = failed(&["data", "more"]).unwrap();
    assert_eq!((&*of.image, of.failure.reason()), ("registry.test/more:1", "ErrImagePull"));
    assert!(of.to_string().ends_with("not found"), "{of}");
}
