//! Pulls from servers on the loopback: every packaging, and every way for a registry to be wrong.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use serde_json::{Value, json};

use super::*;
use crate::format::Format;
use crate::media_type as mt;
use crate::testing::{Fixture, Server, layer, serve};
use crate::{ImageStore, Limits};

const WASM: &[u8] = b"\0asm\x01\0\0\0";
const TAR_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

fn linux_config() -> Value {
    json!({ "os": "linux", "architecture": "amd64", "config": {} })
}

fn compat_config(entrypoint: &str, diff_id: &Digest) -> Value {
    json!({ "os": "wasi", "architecture": "wasm", "config": { "Entrypoint": [entrypoint, "-v"] },
        "rootfs": { "type": "layers", "diff_ids": [diff_id] } })
}

#[tokio::test]
async fn every_artifact_format_gives_its_module() {
    let fixture = Fixture::new().await;
    let cncf = json!({ "os": "wasip2", "architecture": "wasm", "layerDigests": [] });
    for (name, config, layer_type, format) in [
        ("cncf", (mt::WASM_CONFIG_V0, cncf), mt::WASM, Format::WasmConfigV0),
        ("oras", ("application/vnd.oci.empty.v1+json", json!({})), mt::WASM, Format::WasmConfigV0),
        (
            "content",
            ("application/vnd.wasm.config.v1+json", json!({})),
            mt::WASM_CONTENT_V1,
            Format::WasmContentLayerV1,
        ),
        ("content-oci", (mt::OCI_CONFIG, linux_config()), mt::WASM_CONTENT_V1, Format::WasmContentLayerV1),
        (
            "component",
            ("application/vnd.bytecodealliance.component.config.v0+json", json!("text")),
            mt::COMPONENT_V0,
            Format::ComponentLayerV0,
        ),
    ] {
        let manifest = fixture.image(name, config, (layer_type, WASM)).await;
        let image = fixture.pull(name).await.unwrap();
        assert_eq!(image.format, format, "{name}");
        assert_eq!(image.digest, manifest["digest"].as_str().unwrap());
        assert_eq!(image.reference, format!("{}/{name}:latest", fixture.server.host));
        assert_eq!(fixture.store.module(&image).unwrap(), WASM);
        assert_eq!(fixture.store.resolve(&fixture.server.reference(name)).unwrap(), image);
        let by_digest = fixture.server.reference(&format!("{name}@{}", image.digest));
        assert_eq!(fixture.store.resolve(&by_digest).unwrap().digest, image.digest);
    }
    assert_eq!(fixture.server.count("blobs/sha256"), 5 + 1, "five configurations, one module");
}

#[tokio::test]
async fn compat_images_are_unpacked_and_searched() {
    let fixture = Fixture::new().await;
    let (bytes, diff_id) = layer(&[("app/main.wasm", WASM), ("etc/conf", b"conf")]);
    let config = compat_config("/app/main.wasm", &diff_id);
    fixture.image("compat", (mt::OCI_CONFIG, config), (TAR_GZIP, &bytes)).await;
    let image = fixture.pull("compat").await.unwrap();
    assert_eq!(image.format, Format::Compat);
    assert_eq!(image.config.entrypoint, ["/app/main.wasm", "-v"]);
    let module = image.module.clone().unwrap();
    assert_eq!((module.path.as_deref(), module.size_bytes), (Some("/app/main.wasm"), 8));
    assert_eq!(fixture.store.module(&image).unwrap(), WASM);
    let rootfs = image.rootfs.clone().unwrap();
    assert_eq!(std::fs::read(rootfs.join("etc/conf")).unwrap(), b"conf");

    let reference = fixture.server.reference("compat");
    assert!(fixture.store.usage_bytes() > bytes.len() as u64);
    fixture.store.remove(&reference).unwrap();
    assert!(!rootfs.exists());
    assert_eq!((fixture.store.resolve(&reference), fixture.store.usage_bytes()), (None, 0));
}

#[tokio::test]
async fn compat_images_that_lie_are_refused() {
    let fixture = Fixture::with(Limits { unpacked_bytes: 1 << 20, ..Limits::default() }).await;
    let (escaping, escaping_id) = layer(&[("../../evil", b"x")]);
    let (bomb, bomb_id) = layer(&[("main.wasm", &vec![0; 4 << 20])]);
    let (good, _) = layer(&[("main.wasm", WASM)]);
    assert!(bomb.len() < 64 << 10);
    for (name, bytes, config) in [
        ("escaping", &escaping, compat_config("/main.wasm", &escaping_id)),
        ("bomb", &bomb, compat_config("/main.wasm", &bomb_id)),
        ("forged", &good, compat_config("/main.wasm", &bomb_id)),
    ] {
        fixture.image(name, (mt::OCI_CONFIG, config), (TAR_GZIP, bytes)).await;
        let error = fixture.pull(name).await.unwrap_err();
        let text = error.to_string();
        match name {
            "escaping" => assert!(text.contains("leads outside of the image"), "{text}"),
            "bomb" => assert!(matches!(error, PullError::TooLarge { .. }), "{text}"),
            _ => assert!(text.contains("wrong diff id calculated"), "{text}"),
        }
        assert_eq!(fixture.store.resolve(&fixture.server.reference(name)), None);
    }
    assert!(!fixture.dir.path().join("evil").exists());
    let left = std::fs::read_dir(fixture.dir.path().join("images/tmp")).unwrap().count();
    assert_eq!(left, 0, "nothing half-unpacked stays");
}

#[tokio::test]
async fn an_index_leads_to_its_wasm_or_says_what_it_has() {
    let fixture = Fixture::new().await;
    let wasm = (mt::WASM_CONFIG_V0, json!({ "os": "wasip1", "architecture": "wasm" }));
    let mut entry = fixture.image("multi", wasm, (mt::WASM, WASM)).await;
    let mut linux = fixture.image("multi", (mt::OCI_CONFIG, linux_config()), (TAR_GZIP, b"x")).await;
    entry["platform"] = json!({ "os": "wasip1", "architecture": "wasm" });
    linux["platform"] = json!({ "os": "linux", "architecture": "arm64", "variant": "v8" });
    let index = |entries: Value| json!({ "schemaVersion": 2, "mediaType": mt::OCI_INDEX, "manifests": entries });
    let top = fixture.manifest("multi", "both", &index(json!([linux, entry]))).await;
    fixture.manifest("multi", "linux", &index(json!([linux]))).await;

    let image = fixture.pull("multi:both").await.unwrap();
    assert_eq!(image.digest, top["digest"].as_str().unwrap(), "the repo digest is the index's");
    assert_eq!(image.manifest_digest, entry["digest"].as_str().unwrap());
    assert_eq!(fixture.store.module(&image).unwrap(), WASM);

    for (tag, platforms) in [("linux", "linux/arm64/v8"), ("latest", "linux/amd64")] {
        let error = fixture.pull(&format!("multi:{tag}")).await.unwrap_err();
        assert!(matches!(&error, PullError::NotWasm { platforms: p, .. } if p == &[platforms]), "{error}");
        assert!(error.to_string().contains("no match for platform in manifest"), "{error}");
        let reference = fixture.server.reference(&format!("multi:{tag}"));
        let seen = fixture.store.inspect(&reference, &fixture.options()).await.unwrap();
        assert_eq!(seen.format, Format::NotWasm { platforms: vec![platforms.to_owned()] });
    }
}

#[tokio::test]
async fn what_is_not_there_says_so_in_the_words_users_know() {
    let fixture = Fixture::new().await;
    let name = format!("{}/none:latest", fixture.server.host);
    let error = fixture.pull("none").await.unwrap_err();
    let expected = format!(
        "failed to pull and unpack image \"{name}\": failed to resolve reference \"{name}\": {name}: not found"
    );
    assert_eq!(error.to_string(), expected);

    // A port nobody listens on: bound, then given back.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let reference: Reference = format!("{free}/x").parse().unwrap();
    let error = fixture.store.pull(&reference, &fixture.options()).await.unwrap_err();
    assert!(matches!(&error, PullError::Unreachable { host, .. } if *host == free.to_string()));
    assert!(error.to_string().to_lowercase().contains("connection refused"), "{error}");

    let helm = ("application/vnd.cncf.helm.config.v1+json", json!({}));
    fixture.image("chart", helm, ("application/vnd.cncf.helm.chart.content.v1.tar+gzip", b"x")).await;
    let error = fixture.pull("chart").await.unwrap_err();
    assert!(matches!(error, PullError::UnsupportedMediaType { .. }), "{error}");
}

#[tokio::test]
async fn limits_hold_for_announced_sizes() {
    let big = vec![1; 4096];
    for (limits, what) in [
        (Limits { module_bytes: 4095, ..Limits::default() }, "module (bytes)"),
        (Limits { image_bytes: 4096, ..Limits::default() }, "image (bytes)"),
        (Limits { manifest_bytes: 100, ..Limits::default() }, "manifest (bytes)"),
        (Limits { config_bytes: 1, ..Limits::default() }, "configuration (bytes)"),
        (Limits { layers: 0, ..Limits::default() }, "layers"),
    ] {
        let fixture = Fixture::with(limits).await;
        fixture.image("big", (mt::WASM_CONFIG_V0, json!({})), (mt::WASM, &big)).await;
        let error = fixture.pull("big").await.unwrap_err();
        assert!(matches!(&error, PullError::TooLarge { what: w, .. } if w == what), "{error}");
        assert!(
            !fixture
                .server
                .requests
                .lock()
                .iter()
                .any(|r| r.contains(Digest::of(&big).as_str()) && r.starts_with("GET")),
            "the module was not even asked for"
        );
    }
}

/// A server with one good manifest, whose answer to everything else the test chooses.
async fn lying(
    manifest: &'static str,
    lie: impl Fn(&str) -> Option<Response> + Clone + Send + Sync + 'static,
) -> (Server, ImageStore, tempfile::TempDir) {
    let router = Router::new().fallback(move |request: Request| {
        let path = request.uri().path().to_owned();
        let answer = lie(&path).unwrap_or_else(|| match path.as_str() {
            path if path.contains("/manifests/") => Response::new(Body::from(manifest)),
            _ => Response::new(Body::from("{}")),
        });
        std::future::ready(answer)
    });
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { manifest_bytes: 64 << 10, ..Limits::default() };
    let store = ImageStore::open(dir.path(), limits).unwrap();
    (serve(router).await, store, dir)
}

/// The configuration `{}`, and a layer of eight bytes, `WASM`.
const MANIFEST: &str = r#"{"schemaVersion":2,
    "mediaType":"application/vnd.oci.image.manifest.v1+json",
    "config":{"mediaType":"application/vnd.wasm.config.v0+json","size":2,
    "digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},
    "layers":[{"mediaType":"application/wasm","size":8,
    "digest":"sha256:93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476"}]}"#;
const LAYER: &str = "sha256:93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476";

async fn pull_error(lie: impl Fn(&str) -> Option<Response> + Clone + Send + Sync + 'static) -> PullError {
    let (server, store, dir) = lying(MANIFEST, lie).await;
    let error = store.pull(&server.reference("x"), &PullOptions::default()).await.unwrap_err();
    assert_eq!(store.list(), []);
    let kept = std::fs::read_dir(dir.path().join("blobs/sha256")).unwrap();
    let kept = kept.map(|blob| blob.unwrap().file_name().into_string().unwrap());
    assert!(!kept.into_iter().any(|name| LAYER.ends_with(&name)), "no bad layer is kept");
    assert_eq!(std::fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
    error
}

/// Bytes in pieces, with no length announced.
fn streamed(bytes: Vec<u8>) -> Response {
    let pieces: Vec<_> = bytes.chunks(3).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
    Response::new(Body::from_stream(futures::stream::iter(pieces)))
}

#[tokio::test]
async fn the_honest_answer_of_the_test_server_is_an_image() {
    assert_eq!(Digest::of(WASM).as_str(), LAYER, "the manifest above");
    let (server, store, _dir) = lying(MANIFEST, |path| path.ends_with(LAYER).then(|| streamed(WASM.to_vec()))).await;
    let image = store.pull(&server.reference("x"), &PullOptions::default()).await.unwrap();
    assert_eq!(store.module(&image).unwrap(), WASM);
}

#[tokio::test]
async fn wrong_bytes_are_a_digest_mismatch() {
    let wrong = |path: &str| path.ends_with(LAYER).then(|| streamed(b"\0asm\x02\0\0\0".to_vec()));
    let error = pull_error(wrong).await;
    assert!(matches!(&error, PullError::DigestMismatch { expected, .. } if expected == LAYER));
    assert!(error.to_string().contains("unexpected commit digest sha256:"), "{error}");

    let config = pull_error(|path| path.contains("44136fa").then(|| streamed(b"[]".to_vec()))).await;
    assert!(matches!(config, PullError::DigestMismatch { .. }), "{config}");

    let header = |path: &str| {
        let mut response = Response::new(Body::from(MANIFEST));
        response.headers_mut().insert("docker-content-digest", LAYER.parse().unwrap());
        path.contains("/manifests/").then_some(response)
    };
    let error = pull_error(header).await;
    assert!(matches!(error, PullError::DigestMismatch { .. }), "{error}");
}

#[tokio::test]
async fn a_manifest_asked_for_by_digest_must_have_it() {
    let (server, store, _dir) = lying(MANIFEST, |_| None).await;
    let reference = server.reference(&format!("x@{LAYER}"));
    let error = store.pull(&reference, &PullOptions::default()).await.unwrap_err();
    assert!(matches!(error, PullError::DigestMismatch { .. }), "{error}");
}

#[tokio::test]
async fn short_and_long_blobs_are_size_mismatches() {
    for bytes in [&WASM[..7], b"\0asm\x01\0\0\0more"] {
        for announced in [true, false] {
            let answer = move |path: &str| {
                let plain = || Response::new(Body::from(bytes));
                let answer = || if announced { plain() } else { streamed(bytes.to_vec()) };
                path.ends_with(LAYER).then(answer)
            };
            let error = pull_error(answer).await;
            assert!(matches!(error, PullError::SizeMismatch { expected: 8, .. }), "{error}");
        }
    }
}

#[tokio::test]
async fn a_connection_cut_in_a_blob_is_unreachable() {
    let cut = |path: &str| {
        let pieces = [Ok(b"\0as".to_vec()), Err(std::io::Error::other("cut"))];
        let body = Body::from_stream(futures::stream::iter(pieces));
        path.ends_with(LAYER).then(|| Response::new(body))
    };
    let error = pull_error(cut).await;
    assert!(matches!(error, PullError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn endless_manifests_stop_at_the_limit() {
    let endless = |path: &str| {
        let pieces = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 4096]));
        path.contains("/manifests/").then(|| Response::new(Body::from_stream(pieces)))
    };
    let error = pull_error(endless).await;
    assert!(matches!(&error, PullError::TooLarge { limit: 65536, .. }), "{error}");
}

#[tokio::test]
async fn what_registries_say_is_passed_on() {
    for (status, body, expected) in [
        (401, r#"{"errors":[{"code":"UNAUTHORIZED","message":"who are you"}]}"#, "pull access denied"),
        (403, r#"{"errors":[{"code":"DENIED","message":"not yours"}]}"#, "denied: not yours"),
        (
            429,
            r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#,
            "429 Too Many Requests - Server message: toomanyrequests: slow down",
        ),
        (500, "<html>", "500 Internal Server Error"),
        (404, "", "not found"),
    ] {
        let answer = move |_: &str| Some(Response::builder().status(status).body(Body::from(body)).unwrap());
        let error = pull_error(answer).await;
        assert!(error.to_string().contains(expected), "{error}");
    }
    let missing = |path: &str| {
        let response = Response::builder().status(404).body(Body::empty()).unwrap();
        path.ends_with(LAYER).then_some(response)
    };
    let error = pull_error(missing).await;
    assert!(matches!(&error, PullError::BlobNotFound { digest, .. } if digest == LAYER), "{error}");
}

/// Answers only those who bring `authorization`, and tells the others where to get it.
async fn guarded(challenge: &'static str, authorization: &'static str) -> Server {
    let router = Router::new().fallback(move |request: Request| {
        let host = request.headers()["host"].to_str().unwrap().to_owned();
        let sent = request.headers().get("authorization").map(|value| value.to_str().unwrap());
        let response = match request.uri().path() {
            "/token" => Response::new(Body::from(r#"{"token":"t0ken"}"#)),
            _ if sent != Some(authorization) => Response::builder()
                .status(401)
                .header("www-authenticate", challenge.replace("HOST", &host))
                .body(Body::empty())
                .unwrap(),
            path if path.contains("/manifests/") => Response::new(Body::from(MANIFEST)),
            path if path.ends_with(LAYER) => Response::new(Body::from(WASM)),
            _ => Response::new(Body::from("{}")),
        };
        std::future::ready(response)
    });
    serve(router).await
}

#[tokio::test]
async fn credentials_and_tokens_are_used_when_asked_for() {
    let basic = Auth::Basic { username: "ann".into(), password: "secret".into() };
    let wrong = Auth::Basic { username: "ann".into(), password: "guess".into() };
    let bearer = Auth::Bearer { token: "t0ken".into() };
    let token = r#"Bearer realm="http://HOST/token",service="registry""#;
    for (challenge, authorization, auth, works) in [
        ("Basic realm=\"r\"", "Basic YW5uOnNlY3JldA==", basic, true),
        ("Basic realm=\"r\"", "Basic YW5uOnNlY3JldA==", wrong, false),
        ("Basic realm=\"r\"", "Basic YW5uOnNlY3JldA==", Auth::Anonymous, false),
        (token, "Bearer t0ken", Auth::Anonymous, true),
        (token, "Bearer t0ken", bearer, true),
    ] {
        let server = guarded(challenge, authorization).await;
        let dir = tempfile::tempdir().unwrap();
        let store = ImageStore::open(dir.path(), Limits::default()).unwrap();
        let options = PullOptions { auth, ..PullOptions::default() };
        match store.pull(&server.reference("x"), &options).await {
            Ok(image) => assert!(works && store.module(&image).unwrap() == WASM),
            Err(error) => assert!(!works && matches!(error, PullError::Unauthorized { .. }), "{error}"),
        }
    }
}
