//! Files of images from servers on the loopback.

use serde_json::json;

use super::*;
use crate::format::Format;
use crate::media_type as mt;
use crate::testing::{Fixture, layer};

const WASM: &[u8] = b"\0asm\x01\0\0\0";
const TAR_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

impl Fixture {
    async fn pull_files(&self, path: &str) -> Result<(Image, Files), PullError> {
        let image = self.store.pull_files(&self.server.reference(path), &self.options()).await?;
        let files = self.store.files(&image).expect("what was just pulled is here");
        Ok((image, files))
    }

    /// A Linux image of these layers.
    async fn linux(&self, name: &str, layers: &[(Vec<u8>, Digest)]) -> serde_json::Value {
        let diff_ids: Vec<_> = layers.iter().map(|(_, diff_id)| diff_id).collect();
        let config = json!({ "os": "linux", "architecture": host(), "rootfs": { "diff_ids": diff_ids } });
        let config = self.blob(name, mt::OCI_CONFIG, config.to_string().as_bytes()).await;
        let mut blobs = Vec::new();
        for (bytes, _) in layers {
            blobs.push(self.blob(name, TAR_GZIP, bytes).await);
        }
        let document = json!({ "schemaVersion": 2, "mediaType": mt::OCI_MANIFEST, "config": config, "layers": blobs });
        self.manifest(name, "latest", &document).await
    }

    /// An artifact of files with these titles.
    async fn artifact(&self, name: &str, files: &[(&str, &str, &[u8])]) {
        let config = self.blob(name, EMPTY, b"{}").await;
        let mut layers = Vec::new();
        for (title, media_type, bytes) in files {
            let mut layer = self.blob(name, media_type, bytes).await;
            if !title.is_empty() {
                layer["annotations"] = json!({ TITLE: title });
            }
            layers.push(layer);
        }
        let document = json!({ "schemaVersion": 2, "mediaType": mt::OCI_MANIFEST, "artifactType": "text/things",
            "config": config, "layers": layers });
        self.manifest(name, "latest", &document).await;
    }
}

fn host() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = entries.collect();
    names.sort();
    names
}

#[tokio::test]
async fn layers_of_a_linux_image_lie_over_each_other() {
    let fixture = Fixture::new().await;
    let layers = [
        layer(&[("etc/one", b"1"), ("etc/gone", b"x"), ("data", b"old")]),
        layer(&[("etc/.wh.gone", b""), ("data", b"new")]),
    ];
    let mut linux = fixture.linux("linux", &layers).await;
    let (image, files) = fixture.pull_files("linux").await.unwrap();
    assert!(matches!(image.format, Format::NotWasm { .. }) && image.module.is_none(), "{image:?}");
    assert_eq!(names(files.path()), ["data", "etc"]);
    assert_eq!(names(&files.path().join("etc")), ["one"]);
    assert_eq!(fs::read(files.path().join("data")).unwrap(), b"new");

    // It is still nothing to run.
    assert!(matches!(fixture.pull("linux").await, Err(PullError::NotWasm { .. })));
    assert_eq!(fixture.store.resolve(&fixture.server.reference("linux")), None);
    linux["platform"] = json!({ "os": "linux", "architecture": host() });
    let other = json!({ "mediaType": mt::OCI_MANIFEST, "digest": linux["digest"], "size": linux["size"],
        "platform": { "os": "windows", "architecture": host() } });
    let index = json!({ "schemaVersion": 2, "mediaType": mt::OCI_INDEX, "manifests": [other, linux] });
    fixture.manifest("linux", "index", &index).await;
    let (same, shared) = fixture.pull_files("linux:index").await.unwrap();
    assert_ne!(same.digest, image.digest);
    assert_eq!(shared.path(), files.path(), "one directory for the same manifest");
    let index = json!({ "schemaVersion": 2, "mediaType": mt::OCI_INDEX, "manifests": [other] });
    fixture.manifest("linux", "foreign", &index).await;
    let error = fixture.pull_files("linux:foreign").await.unwrap_err().to_string();
    assert!(error.contains("no match for platform in manifest"), "{error}");
}

#[tokio::test]
async fn a_compat_image_runs_and_is_mounted_out_of_one_directory() {
    let fixture = Fixture::new().await;
    let (bytes, diff_id) = layer(&[("main.wasm", WASM), ("conf", b"c")]);
    let config = |entrypoint: &str| {
        json!({ "os": "wasi", "architecture": "wasm", "config": { "Entrypoint": [entrypoint] },
        "rootfs": { "diff_ids": [diff_id] } })
    };
    fixture.image("compat", (mt::OCI_CONFIG, config("/main.wasm")), (TAR_GZIP, &bytes)).await;
    let (image, files) = fixture.pull_files("compat").await.unwrap();
    assert_eq!(image.rootfs.as_deref(), Some(files.path()));
    assert_eq!(fixture.pull("compat").await.unwrap(), image, "nothing is left to fetch");
    assert_eq!(fixture.server.count("GET /v2/compat/manifests"), 1);

    fixture.image("data", (mt::OCI_CONFIG, config("/nothing")), (TAR_GZIP, &bytes)).await;
    let (image, files) = fixture.pull_files("data").await.unwrap();
    assert_eq!((image.module, names(files.path())), (None, vec!["conf".to_owned(), "main.wasm".to_owned()]));
    // It has nothing to run of its own; a container may name a file.
    let image = fixture.pull("data").await.unwrap();
    let error = fixture.store.for_command(image.clone(), None, "").unwrap_err().to_string();
    assert!(error.contains("its entrypoint \"/nothing\": No such file or directory"), "{error}");
    let error = fixture.store.for_command(image.clone(), Some("nobody"), "").unwrap_err().to_string();
    assert!(error.ends_with("exec: \"nobody\": executable file not found in $PATH"), "{error}");
    let named = fixture.store.for_command(image, Some("main.wasm"), "/").unwrap();
    assert_eq!(fixture.store.module(&named).unwrap(), WASM);
}

#[tokio::test]
async fn an_artifact_has_the_files_that_its_titles_name() {
    let fixture = Fixture::new().await;
    let (archive, _) = layer(&[("from/tar", b"t")]);
    let files: [(&str, &str, &[u8]); 5] = [
        ("model.bin", "application/octet-stream", b"weights"),
        ("docs/read.me", "text/plain", b"words"),
        ("", "text/plain", b"nobody can see this"),
        ("", TAR_GZIP, &archive),
        ("tree.tgz", TAR_GZIP, &archive),
    ];
    fixture.artifact("things", &files).await;
    let (image, files) = fixture.pull_files("things").await.unwrap();
    assert_eq!(image.format.to_string(), "artifact text/things");
    assert_eq!(names(files.path()), ["docs", "from", "model.bin", "tree.tgz"]);
    assert_eq!(fs::read(files.path().join("docs/read.me")).unwrap(), b"words");
    assert_eq!(fs::read(files.path().join("from/tar")).unwrap(), b"t");

    for title in ["../out", "a/../../out", ".."] {
        fixture.artifact("evil", &[(title, "text/plain", b"x")]).await;
        let error = fixture.pull_files("evil").await.unwrap_err().to_string();
        assert!(error.contains("leads outside of the image"), "{title}: {error}");
    }
    assert!(!fixture.dir.path().join("images/rootfs/out").exists());
}

#[tokio::test]
async fn a_wasm_artifact_shows_its_module_and_needs_no_second_pull() {
    let fixture = Fixture::new().await;
    fixture.image("app", (mt::WASM_CONFIG_V0, json!({})), (mt::WASM, WASM)).await;
    let image = fixture.pull("app").await.unwrap();
    let reference = fixture.server.reference("app");
    assert!(fixture.store.files(&image).is_none(), "it was pulled to run");
    let requests = fixture.server.requests.lock().len();
    assert_eq!(fixture.store.find_files(&reference).await.unwrap(), image);
    assert_eq!(fixture.server.requests.lock().len(), requests, "no registry is asked");
    let files = fixture.store.files(&image).unwrap();
    assert_eq!(names(files.path()), [MODULE_FILE]);
    assert_eq!(image.rootfs, None, "a container of it still has no files");

    // With a title it has that name, and its neighbours have theirs.
    fixture.artifact("titled", &[("app.wasm", mt::WASM, WASM), ("conf", "text/plain", b"c")]).await;
    let reference = fixture.server.reference("titled");
    let image = fixture.pull("titled").await.unwrap();
    assert_eq!(fixture.store.find_files(&reference).await, None, "the second file was not fetched to run the first");
    let (again, files) = fixture.pull_files("titled").await.unwrap();
    assert_eq!((again.module, names(files.path())), (image.module, vec!["app.wasm".to_owned(), "conf".to_owned()]));
}

#[tokio::test]
async fn mounted_files_stay_and_go_with_the_image_otherwise() {
    let fixture = Fixture::new().await;
    fixture.artifact("moving", &[("file", "text/plain", b"one")]).await;
    let reference = fixture.server.reference("moving");
    let (one, files) = fixture.pull_files("moving").await.unwrap();
    assert!(fixture.store.is_in_use(&one));
    fixture.artifact("moving", &[("file", "text/plain", b"two")]).await;
    let (two, newer) = fixture.pull_files("moving").await.unwrap();
    assert_ne!(files.path(), newer.path());
    fixture.store.prune().unwrap();
    assert_eq!(fs::read(files.path().join("file")).unwrap(), b"one", "somebody still has it");
    let old = files.path().to_owned();
    drop(files);
    assert!(!fixture.store.is_in_use(&one));
    fixture.store.prune().unwrap();
    assert!(!old.exists() && newer.path().exists());

    drop(newer);
    let reopened = ImageStore::open(&fixture.dir.path().join("images"), crate::Limits::default()).unwrap();
    assert_eq!(reopened.find_files(&reference).await, Some(two.clone()), "a restart keeps it");
    reopened.remove(&reference).unwrap();
    assert!(reopened.files(&two).is_none());
    assert_eq!(reopened.usage_bytes(), 0);
}
