//! Images that a registry serves gladly and that nobody can run: what the pod and its events say.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use serde_json::json;

use crate::harness::artifacts::{MANIFEST, digest, manifest, put};
use crate::harness::{Cluster, eventually, guests, request, sample};

/// An artifact whose manifest says Wasm, whatever is in it.
fn put_as_wasm(cluster: &Cluster, name: &str, bytes: &[u8]) {
    let config = json!({"architecture": "wasm", "os": "wasip2", "layerDigests": [digest(bytes)]}).to_string();
    let config = ("application/vnd.wasm.config.v0+json", config.as_bytes());
    put(cluster, name, config, &[(None, "application/wasm", bytes)]);
}

/// Runs the image as a pod; its container must wait for `reason`, and both it and an event must say `why`.
fn expect(cluster: &Cluster, name: &str, image: &str, reason: &str, why: &str) {
    let manifest = guests::pod(name, "Never", "").replace(&guests::image(name), image);
    cluster.apply(&manifest);
    let path = "jsonpath={.status.containerStatuses[0].state.waiting}";
    eventually(name, || {
        let waiting = cluster.kubectl(&format!("get pod {name} -o {path}")).ok().replace("\\\"", "\"");
        if waiting.contains(&format!("{reason}\"")) && waiting.contains(why) { Ok(()) } else { Err(waiting) }
    });
    eventually(name, || {
        let events = cluster.kubectl(&format!("events --for pod/{name}")).ok();
        let said = events.lines().any(|line| line.contains("Warning   Failed") && line.contains(why));
        if said { Ok(()) } else { Err(events) }
    });
}

#[test]
fn what_is_no_wasm_is_not_run_and_harms_nothing() {
    let cluster = Cluster::with_sample("hello");
    let whole = std::fs::read(sample("hello").join("hello.wasm")).unwrap();
    let mut flipped = whole.clone();
    flipped[20_000] ^= 0xff;
    for (name, bytes, why) in [
        ("text", b"hello, I am no Wasm".as_slice(), "the file begins neither with the magic number"),
        ("empty", b"", "not a valid WebAssembly module or component"),
        ("truncated", &whole[..30_000], "unexpected end-of-file (at offset"),
        ("flipped", &flipped, "(at offset 0x4e20)"),
    ] {
        put_as_wasm(&cluster, name, bytes);
        expect(&cluster, name, &guests::image(name), "CreateContainerError", why);
    }
    crate::harness::get(&cluster.line("url")).unwrap();
}

#[test]
fn a_linux_image_needs_another_node() {
    let cluster = Cluster::start();
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/sh"]},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", "0".repeat(64))]},
    });
    // The layer is never looked at: the platform decides.
    let layer = (None, "application/vnd.oci.image.layer.v1.tar+gzip", b"\x1f\x8b".as_slice());
    put(&cluster, "linux", ("application/vnd.oci.image.config.v1+json", config.to_string().as_bytes()), &[layer]);
    let why = "is not Wasm but for linux/amd64, and this node has no CRI runtime for Linux containers";
    expect(&cluster, "linux", &guests::image("linux"), "ImagePullBackOff", why);
}

#[test]
fn imports_that_nobody_provides_are_named() {
    let cluster = Cluster::start();
    let sockets = r#"(module
        (import "wasi_snapshot_preview1" "sock_open" (func (param i32 i32 i32) (result i32)))
        (memory (export "memory") 1) (func (export "_start")))"#;
    let component = r#"(component
        (import "acme:rockets/launcher@1.2.0" (instance (export "launch" (func))))
        (core module $m (func (export "run") (result i32) (i32.const 0)))
        (core instance $i (instantiate $m))
        (func $run (result (result)) (canon lift (core func $i "run")))
        (instance $e (export "run" (func $run)))
        (export "wasi:cli/run@0.2.0" (instance $e)))"#;
    let library = r#"(component)"#;
    for (name, wat, why) in [
        ("sockets", sockets, "WASI preview 1 has no way to open a socket"),
        ("component", component, "the component imports acme:rockets/launcher@1.2.0 function 'launch'"),
        ("library", library, "it exports nothing, but must export wasi:http/incoming-handler@0.2.x"),
    ] {
        guests::push(&cluster, name, wat);
        expect(&cluster, name, &guests::image(name), "CreateContainerError", why);
    }
}

#[test]
fn the_registry_refuses_bytes_that_are_not_what_they_are_called() {
    let cluster = Cluster::start();
    let url = format!("http://{}/v2/x/blobs/uploads/?digest={}", cluster.line("registry"), digest(b"others"));
    let (code, body) = request("POST", &url, "application/octet-stream", b"bytes").unwrap();
    assert!(code == 400 && body.contains("DIGEST_INVALID"), "{code}: {body}");
}

/// A registry with one image, in which one byte of the layer is not what the manifest promised.
fn lying_registry() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let wasm = std::fs::read(sample("hello").join("hello.wasm")).unwrap();
    let config = br#"{"architecture":"wasm","os":"wasip2"}"#.as_slice();
    let manifest = manifest(("application/vnd.wasm.config.v0+json", config), &[(None, "application/wasm", &wasm)]);
    let promised = digest(&wasm);
    let mut lie = wasm;
    lie[20_000] ^= 1;
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let path = lines.next().unwrap_or_default();
            while lines.next().is_some_and(|line| !line.is_empty()) {}
            let (kind, body) = match path {
                path if path.contains("/manifests/") => (MANIFEST, manifest.as_slice()),
                path if path.contains(&promised) => ("application/octet-stream", lie.as_slice()),
                path if path.contains("/blobs/") => ("application/octet-stream", config),
                _ => ("application/json", b"{}".as_slice()),
            };
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            // The client may have seen enough.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        }
    });
    address
}

#[test]
fn a_layer_that_is_not_what_the_manifest_promised_is_not_kept() {
    let cluster = Cluster::start();
    let image = format!("{}/hello:1", lying_registry());
    let manifest = guests::pod("lie", "Never", "").replace(&guests::image("lie"), &image);
    cluster.apply(&manifest);
    eventually("the event", || {
        let events = cluster.kubectl("events --for pod/lie").ok();
        let said = events.contains("Failed to pull image") && events.contains("digest");
        if said && events.contains("ErrImagePull") { Ok(()) } else { Err(events) }
    });
    let listed =
        crate::harness::run(crate::harness::coracle().args(["image", "ls", "--data-dir"]).arg(cluster.data_dir()));
    assert!(!listed.ok().contains(&image));
}
