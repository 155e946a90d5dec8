//! Pushes to the built-in registry, and back.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use http::StatusCode;
use serde_json::Value;

use super::*;
use crate::testing::{Counter, Fixture};
use crate::{FetchError, Format, PullError, PullOptions, pull_to_file};

const MODULE: &str = r#"(module (func (export "_start")))"#;
const COMPONENT: &str = r#"(component (import "wasi:cli/environment@0.2.0" (instance))
    (instance $i) (export "wasi:cli/run@0.2.0" (instance $i)))"#;

#[tokio::test]
async fn what_is_pushed_is_pulled() {
    let fixture = Fixture::new().await;
    for (name, text, os) in [("module", MODULE, "wasip1"), ("component", COMPONENT, "wasip2")] {
        let binary = assemble(text.into()).unwrap();
        let reference = fixture.server.reference(name);
        let counter = Arc::new(Counter::default());
        let options = PushOptions { progress: Some(counter.clone()), ..PushOptions::default() };
        let pushed = push(text.into(), &reference, &options).await.unwrap();
        assert_eq!(pushed.info.os(), os);
        let counted = [&counter.total, &counter.bytes].map(|n| n.load(Ordering::SeqCst) as u64);
        assert_eq!(counted, [pushed.size_bytes; 2]);
        let again = push(binary.clone(), &reference, &PushOptions::default()).await.unwrap();
        assert_eq!(again, pushed, "text and binary, twice: the same digest");

        let image = fixture.pull(name).await.unwrap();
        assert_eq!((&image.digest, image.size_bytes), (&pushed.digest, pushed.size_bytes));
        assert_eq!((&image.format, image.config.platform.as_str()), (&Format::WasmConfigV0, &*format!("{os}/wasm")));
        assert_eq!(fixture.store.module(&image).unwrap(), binary);
    }
    assert_eq!(fixture.server.count("PUT /v2/module/blobs/uploads"), 2, "blobs that are there stay");
}

#[tokio::test]
async fn the_configuration_is_that_of_the_cncf_layout() {
    let fixture = Fixture::new().await;
    let reference = fixture.server.reference("c");
    let created = Some("2026-01-02T03:04:05Z".parse().unwrap());
    push(COMPONENT.into(), &reference, &PushOptions { created, ..PushOptions::default() }).await.unwrap();
    let image = fixture.pull("c").await.unwrap();
    let url = fixture.url(&format!("/v2/c/blobs/{}", image.config_digest));
    let config = fixture.http.get(url).send().await.unwrap().bytes().await.unwrap();
    let config: Value = serde_json::from_slice(&config).unwrap();
    let expected = json!({
        "created": "2026-01-02T03:04:05Z", "architecture": "wasm", "os": "wasip2",
        "layerDigests": [image.layers[0].digest],
        "component": { "exports": ["wasi:cli/run@0.2.0"], "imports": ["wasi:cli/environment@0.2.0"] },
    });
    assert_eq!(config, expected);
    assert_eq!(image.layers[0].media_type, "application/wasm");
}

#[tokio::test]
async fn bad_pushes_never_reach_the_registry() {
    let fixture = Fixture::new().await;
    let options = PushOptions { limits: Limits { module_bytes: 64, ..Limits::default() }, ..PushOptions::default() };
    let reference = fixture.server.reference("x");
    let error = push(b"\0asm\x01\0\0\0\x01".to_vec(), &reference, &options).await.unwrap_err();
    assert!(matches!(&error, PushError::Wasm { .. }), "{error}");
    let error = push(vec![b' '; 65], &reference, &options).await.unwrap_err();
    assert!(matches!(error, PushError::TooLarge { size: 65, limit: 64, .. }));
    let pinned = fixture.server.reference(&format!("x@{}", Digest::of(b"")));
    let error = push(MODULE.into(), &pinned, &options).await.unwrap_err();
    assert!(matches!(error, PushError::Digest { .. }));
    assert_eq!(fixture.server.count(""), 0);

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nowhere = format!("{free}/x").parse().unwrap();
    let error = push(MODULE.into(), &nowhere, &options).await.unwrap_err();
    assert!(matches!(error, PushError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn pull_to_file_replaces_the_file_or_leaves_it() {
    let fixture = Fixture::new().await;
    let reference = fixture.server.reference("f");
    push(MODULE.into(), &reference, &PushOptions::default()).await.unwrap();
    let file = fixture.dir.path().join("out.wasm");
    std::fs::write(&file, "before").unwrap();
    let none = fixture.server.reference("none");
    let error = pull_to_file(&none, &file, &fixture.options(), Limits::default()).await.unwrap_err();
    assert!(matches!(error, FetchError::Pull(PullError::NotFound { .. })), "{error}");
    assert_eq!(std::fs::read(&file).unwrap(), b"before");
    pull_to_file(&reference, &file, &fixture.options(), Limits::default()).await.unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), assemble(MODULE.into()).unwrap());
    let left = std::fs::read_dir(fixture.dir.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".coracle-pull-"));
    assert_eq!(left.count(), 0);
}

#[tokio::test]
async fn a_registry_that_wants_credentials_gets_them_or_says_so() {
    let fixture = Fixture::new().await;
    let registry = crate::Registry::open(&fixture.dir.path().join("guarded"), Limits::default()).unwrap();
    let guard = |request: Request, next: Next| async move {
        match request.headers().get("authorization").is_some_and(|sent| sent == "Basic YW5uOnNlY3JldA==") {
            true => next.run(request).await,
            false => (StatusCode::UNAUTHORIZED, [("www-authenticate", "Basic realm=\"r\"")]).into_response(),
        }
    };
    let server = crate::testing::serve(registry.router().layer(from_fn(guard))).await;
    let reference = server.reference("private");
    let wrong = Auth::Basic { username: "ann".into(), password: "guess".into() };
    for auth in [Auth::Anonymous, wrong] {
        let options = PushOptions { auth, ..PushOptions::default() };
        let error = push(MODULE.into(), &reference, &options).await.unwrap_err();
        assert!(matches!(error, PushError::Unauthorized { .. }), "{error}");
    }
    let auth = Auth::Basic { username: "ann".into(), password: "secret".into() };
    let options = PushOptions { auth: auth.clone(), ..PushOptions::default() };
    push(MODULE.into(), &reference, &options).await.unwrap();
    let options = PullOptions { auth, ..fixture.options() };
    fixture.store.pull(&reference, &options).await.unwrap();
}

/// Debian's docker-registry on a port of the kernel's choice, which its log tells.
fn docker_registry(dir: &Path) -> (std::process::Child, String) {
    let config = dir.join("config.yml");
    let storage = dir.join("storage");
    let text = format!(
        "version: 0.1\nlog: {{level: info}}\nhttp: {{addr: '127.0.0.1:0'}}\nstorage: {{filesystem: {{rootdirectory: '{}'}}}}\n",
        storage.display()
    );
    std::fs::write(&config, text).unwrap();
    let mut child = Command::new("docker-registry")
        .arg("serve")
        .arg(config)
        .env("OTEL_TRACES_EXPORTER", "none")
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("docker-registry starts");
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let listening = lines.find_map(|line| {
        let line = line.unwrap();
        let at = line.find("listening on ")? + "listening on ".len();
        Some(line[at..].split(['"', ' ', ',']).next()?.to_owned())
    });
    // Its log goes on: read, or it stops at a full pipe.
    std::thread::spawn(move || lines.for_each(drop));
    (child, listening.expect("docker-registry says where it listens"))
}

/// Whether Debian's `docker-registry` can be run. Where everything is required, it must be.
fn has_docker_registry() -> bool {
    let found = Command::new("docker-registry").arg("--version").stdout(Stdio::null()).status().is_ok();
    if !found {
        assert!(std::env::var_os("CORACLE_REQUIRE_ALL").is_none(), "docker-registry is required here");
        eprintln!("SKIPPED: docker-registry is not installed");
    }
    found
}

#[tokio::test]
async fn docker_registry_takes_and_gives_what_we_do() {
    if !has_docker_registry() {
        return;
    }
    let fixture = Fixture::new().await;
    let (mut child, host) = docker_registry(fixture.dir.path());
    let reference: Reference = format!("{host}/team/component:v1").parse().unwrap();
    let pushed = push(COMPONENT.into(), &reference, &PushOptions::default()).await;
    let again = push(COMPONENT.into(), &reference, &PushOptions::default()).await;
    let image = fixture.store.pull(&reference, &fixture.options()).await;
    let head = fixture.store.pull(&reference, &fixture.options()).await;
    let none = fixture.store.pull(&format!("{host}/none").parse().unwrap(), &fixture.options()).await;
    child.kill().unwrap();
    child.wait().unwrap();
    let (pushed, image) = (pushed.unwrap(), image.unwrap());
    assert_eq!((&again.unwrap(), &head.unwrap()), (&pushed, &image));
    assert_eq!(image.digest, pushed.digest);
    assert_eq!(fixture.store.module(&image).unwrap(), assemble(COMPONENT.into()).unwrap());
    assert!(matches!(none, Err(PullError::NotFound { .. })), "{none:?}");
}
