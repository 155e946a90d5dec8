//! Images of layers whose program is a file in one of them, as container builders make them for Wasm.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::artifacts::{Layer, MANIFEST, digest, manifest, put};
use super::cluster::Cluster;
use super::http::request;
use super::process::{run, sample};

/// What a file of a layer has in it.
pub enum Content {
    Text(&'static str),
    /// The program of a sample.
    Sample(&'static str),
}

/// The files of one layer, by their paths.
pub type Files<'a> = &'a [(&'a str, Content)];

/// How an image says that it is for Wasm.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// By its platform.
    Platform,
    /// By an annotation of its manifest; its platform is that of Linux images.
    Annotation,
}

/// Puts an image into the registry as `guest/NAME:1`; `config` is what containers of it start from.
pub fn put_layered(cluster: &Cluster, name: &str, says: Says, config: &Value, layers: &[Files<'_>]) {
    let dir = |index: usize| cluster.scratch().join(format!("{name}-{index}"));
    let archives: Vec<_> = layers.iter().enumerate().map(|(index, files)| archive(&dir(index), files)).collect();
    let diff_ids: Vec<_> = archives.iter().map(|bytes| digest(bytes)).collect();
    let (os, architecture) = if says == Says::Platform { ("wasi", "wasm") } else { ("linux", "amd64") };
    let rootfs = json!({"type": "layers", "diff_ids": diff_ids});
    let config = json!({"os": os, "architecture": architecture, "config": config, "rootfs": rootfs}).to_string();
    let config = ("application/vnd.oci.image.config.v1+json", config.as_bytes());
    let layers: Vec<Layer<'_>> =
        archives.iter().map(|bytes| (None, "application/vnd.oci.image.layer.v1.tar", bytes.as_slice())).collect();
    put(cluster, name, config, &layers);
    if says == Says::Annotation {
        let mut manifest: Value = serde_json::from_slice(&manifest(config, &layers)).unwrap();
        manifest["annotations"] = json!({"module.wasm.image/variant": "compat-smart"});
        let url = format!("http://{}/v2/guest/{name}/manifests/1", cluster.line("registry"));
        let stored = request("PUT", &url, MANIFEST, manifest.to_string().as_bytes()).unwrap();
        assert_eq!(stored.0, 201, "{}", stored.1);
    }
}

/// A tar archive of these files, made in a directory of its own.
fn archive(dir: &Path, files: Files<'_>) -> Vec<u8> {
    for (path, content) in files {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().expect("a file is in a directory")).unwrap();
        match content {
            Content::Text(text) => fs::write(path, text).unwrap(),
            Content::Sample(name) => drop(fs::copy(sample(name).join(format!("{name}.wasm")), path).unwrap()),
        }
    }
    let file = dir.with_extension("tar");
    run(Command::new("tar").arg("-cf").arg(&file).arg("-C").arg(dir).arg(".")).ok();
    fs::read(file).unwrap()
}
