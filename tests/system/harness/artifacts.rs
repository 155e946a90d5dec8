//! Images put into the built-in registry without asking what is in them.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use super::cluster::Cluster;
use super::http::request;
use super::process::run;

/// The media type of manifests.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The digest of some bytes, by coreutils.
pub fn digest(bytes: &[u8]) -> String {
    let mut command = Command::new("sha256sum");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    format!("sha256:{}", output.split_whitespace().next().unwrap())
}

/// A layer: its title, if it has one, its media type, and its bytes.
pub type Layer<'a> = (Option<&'a str>, &'a str, &'a [u8]);

/// A manifest of a config (a media type and bytes) and its layers.
pub fn manifest(config: (&str, &[u8]), layers: &[Layer<'_>]) -> Vec<u8> {
    let describe = |title: Option<&str>, kind: &str, bytes: &[u8]| {
        let annotations = title.map(|title| json!({"org.opencontainers.image.title": title}));
        json!({"mediaType": kind, "digest": digest(bytes), "size": bytes.len(), "annotations": annotations})
    };
    let layers: Vec<_> = layers.iter().map(|(title, kind, bytes)| describe(*title, kind, bytes)).collect();
    let config = describe(None, config.0, config.1);
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
    serde_json::to_vec(&manifest).unwrap()
}

/// Puts an image into the registry as `guest/NAME:1`.
pub fn put(cluster: &Cluster, name: &str, config: (&str, &[u8]), layers: &[Layer<'_>]) {
    let base = format!("http://{}/v2/guest/{name}", cluster.line("registry"));
    for bytes in layers.iter().map(|(_, _, bytes)| *bytes).chain([config.1]) {
        let url = format!("{base}/blobs/uploads/?digest={}", digest(bytes));
        assert_eq!(request("POST", &url, "application/octet-stream", bytes).unwrap().0, 201);
    }
    let stored = request("PUT", &format!("{base}/manifests/1"), MANIFEST, &manifest(config, layers)).unwrap();
    assert_eq!(stored.0, 201, "{}", stored.1);
}

/// Puts a Linux image into the registry whose layers have these files.
pub fn put_linux(cluster: &Cluster, name: &str, layers: &[&[(&str, &str)]]) {
    let dir = |index: usize| cluster.scratch().join(format!("{name}-{index}"));
    let archives: Vec<_> = layers.iter().enumerate().map(|(index, files)| archive(&dir(index), files)).collect();
    let diff_ids: Vec<_> = archives.iter().map(|bytes| digest(bytes)).collect();
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let config =
        json!({"os": "linux", "architecture": architecture, "rootfs": {"type": "layers", "diff_ids": diff_ids}});
    let layers: Vec<Layer<'_>> =
        archives.iter().map(|bytes| (None, "application/vnd.oci.image.layer.v1.tar", bytes.as_slice())).collect();
    put(cluster, name, ("application/vnd.oci.image.config.v1+json", config.to_string().as_bytes()), &layers);
}

/// A tar archive of these files, made in a directory of its own.
fn archive(dir: &Path, files: &[(&str, &str)]) -> Vec<u8> {
    for (path, content) in files {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let file = dir.with_extension("tar");
    run(Command::new("tar").arg("-cf").arg(&file).arg("-C").arg(dir).arg(".")).ok();
    std::fs::read(file).unwrap()
}
