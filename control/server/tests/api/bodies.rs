//! Bodies that are something else than they should be: each is refused or taken for what it says, and the server is well.

use axum::body::Body;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{Method, Request};
use serde_json::{Value, json};

use crate::crontabs::{DEFINITIONS, V1, definition};
use crate::support::{Answer, Cluster, MAPS, PATIENCE, admin, map};

async fn send(cluster: &Cluster, method: Method, path: &str, (kind, body): (&str, impl Into<Body>)) -> Answer {
    let request = Request::builder().method(method).uri(path).header(CONTENT_TYPE, kind);
    let mut request = request.body(body.into()).unwrap();
    request.extensions_mut().insert(admin());
    tokio::time::timeout(PATIENCE, cluster.send(request)).await.expect("an answer in time")
}

/// A ConfigMap in which the text is the value of a key.
fn with(value: &str) -> String {
    format!(r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"x"}},"data":{{"k":{value}}}}}"#)
}

#[tokio::test]
async fn what_is_not_json_is_refused() {
    let cluster = Cluster::new().await;
    let texts = [
        "",
        " ",
        "{",
        "}",
        "[",
        "[]",
        "null",
        "true",
        "1",
        "\"x\"",
        "{}",
        "{{}}",
        "{\"a\"}",
        "{\"a\":}",
        "{'a':1}",
        "{\"a\":1,}",
        "\u{feff}{}",
        "{}{}",
        "{} x",
        "NaN",
        "-",
        "1e999",
        "--1",
        "0x1",
        "{\"a\":1}\0",
        "\0",
        "/* */{}",
        "<xml/>",
        "%PDF",
        "{\"kind\":null}",
        "{\"kind\":1}",
        "{\"apiVersion\":[],\"kind\":{}}",
        "{\"metadata\":[]}",
        "{\"metadata\":null,\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\"}",
    ];
    for text in texts {
        for kind in ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"] {
            let answer = send(&cluster, Method::POST, MAPS, (kind, text.to_owned())).await;
            assert!((400..500).contains(&answer.code), "{kind} {text:?}: {} {}", answer.code, answer.text());
        }
    }
    let bytes: [&[u8]; 6] = [
        b"\xff\xfe{\0}\0",
        b"\xef\xbb\xbf{}",
        b"{\"kind\":\"\xff\"}",
        b"{\"\xc0\xae\":1}",
        b"k8s\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"k8s\0",
    ];
    for bytes in bytes {
        for kind in ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"] {
            let answer = send(&cluster, Method::POST, MAPS, (kind, bytes)).await;
            assert!((400..500).contains(&answer.code), "{kind} {bytes:?}: {} {}", answer.code, answer.text());
        }
    }
    assert_eq!(cluster.get(MAPS).await.ok()["items"], json!([]));
}

#[tokio::test]
async fn strings_and_numbers_of_all_forms() {
    let cluster = Cluster::new().await;
    let refused = [
        "1",
        "1e999",
        "-1e-999",
        "99999999999999999999999999",
        "true",
        "{}",
        "[]",
        r#""\ud800""#,
        r#""\udc00\ud800""#,
        r#""\x""#,
        r#""\u00""#,
        "\"\u{1}\"",
        "\"\n\"",
    ];
    for value in refused {
        let answer = send(&cluster, Method::POST, MAPS, ("application/json", with(value))).await;
        assert!((400..500).contains(&answer.code), "{value}: {} {}", answer.code, answer.text());
    }
    for (value, meant) in
        [(r#""\u0000""#, "\0"), (r#""\ud83d\ude00""#, "😀"), (r#""\/""#, "/"), (r#""\u202e""#, "\u{202e}")]
    {
        send(&cluster, Method::POST, MAPS, ("application/json", with(value))).await.ok();
        assert_eq!(cluster.get(&format!("{MAPS}/x")).await.ok()["data"]["k"], meant);
        cluster.delete(&format!("{MAPS}/x")).await.ok();
    }
    // Twice the same key: the last one counts, and the client is told.
    let twice = with(r#""1","k":"2""#);
    let answer = send(&cluster, Method::POST, MAPS, ("application/json", twice.clone())).await;
    assert!(answer.warnings()[0].contains("duplicate field"), "{:?}", answer.warnings());
    assert_eq!(answer.ok()["data"]["k"], "2");
    let path = format!("{MAPS}?fieldValidation=Strict");
    let strict = send(&cluster, Method::POST, &path, ("application/json", twice.replace("\"x\"", "\"y\""))).await;
    assert_eq!(strict.code, 400, "{}", strict.body);
}

/// Where a schema says nothing, any number may stand: what is stored can be read again.
#[tokio::test]
async fn numbers_that_nobody_can_count_to() {
    let cluster = Cluster::new().await;
    let anything = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    let schema = json!({ "type": "object", "properties": { "spec": anything } });
    let version = json!({ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": schema } });
    cluster.post(DEFINITIONS, definition(vec![version])).await.ok();
    let numbers = [
        "0",
        "-0",
        "-0.0",
        "1e2",
        "1E400",
        "1e-400",
        "9007199254740993",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551616",
        "-9223372036854775809",
        "123456789012345678901234567890",
        "1.7976931348623157e308",
        "0.1",
        &"9".repeat(1_000),
        &format!("0.{}", "9".repeat(1_000)),
        &format!("1e{}", "9".repeat(100)),
    ];
    for (index, number) in numbers.iter().enumerate() {
        let body = format!(
            r#"{{"apiVersion":"stable.example.com/v1","kind":"CronTab","metadata":{{"name":"n{index}"}},"spec":{{"replicas":{number}}}}}"#
        );
        for (kind, method, path) in [
            ("application/json", Method::POST, V1.to_owned()),
            ("application/yaml", Method::POST, format!("{V1}?dryRun=All")),
            ("application/merge-patch+json", Method::PATCH, format!("{V1}/n{index}")),
            ("application/apply-patch+yaml", Method::PATCH, format!("{V1}/n{index}?fieldManager=m&force=true")),
        ] {
            let answer = send(&cluster, method, &path, (kind, body.clone())).await;
            assert!(answer.code < 500, "{kind} {number:.30}: {} {}", answer.code, answer.text());
        }
    }
    let listed = cluster.get(V1).await;
    assert_eq!(listed.code, 200);
    assert!(listed.body["items"].is_array());
}

#[tokio::test]
async fn bodies_of_other_kinds() {
    let cluster = Cluster::new().await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    let body = map("x", json!({})).to_string();
    let others = [
        "text/plain",
        "text/html",
        "multipart/form-data",
        "application/x-www-form-urlencoded",
        "application/cbor",
        "application/jsonx",
        "x",
        "application/json-patch+json",
    ];
    for kind in others {
        let answer = send(&cluster, Method::POST, MAPS, (kind, body.clone())).await;
        assert_eq!(answer.code, 415, "{kind}: {}", answer.text());
        let answer = send(&cluster, Method::PUT, &format!("{MAPS}/a"), (kind, body.clone())).await;
        assert_eq!(answer.code, 415, "{kind}: {}", answer.text());
        if kind != "application/json-patch+json" {
            let answer = send(&cluster, Method::PATCH, &format!("{MAPS}/a"), (kind, body.clone())).await;
            assert_eq!(answer.code, 415, "{kind}: {}", answer.text());
        }
    }
    // Compressed bodies are none of HTTP's business here, as in Kubernetes: it is not JSON.
    let gzip: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00";
    let mut request = Request::post(MAPS).header(CONTENT_ENCODING, "gzip").body(Body::from(gzip)).unwrap();
    request.extensions_mut().insert(admin());
    let answer = cluster.send(request).await;
    assert_eq!(answer.code, 400, "{}", answer.text());
    // A length that is a lie is HTTP's to find out; one that is true and too large is told before anything is read.
    let answer = send(&cluster, Method::POST, MAPS, ("application/json", " ".repeat((3 << 20) + 1))).await;
    assert_eq!(answer.code, 413, "{}", answer.text());
}

#[tokio::test]
async fn depth_has_a_bound_wherever_something_nests() {
    let cluster = Cluster::new().await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    let path = format!("{MAPS}/a");
    let refused = |answer: Answer, what: &str| {
        assert!((400..500).contains(&answer.code), "{what}: {} {:.300}", answer.code, answer.text());
    };
    // Patches that go deep, and tests of what is deep.
    for op in ["add", "remove", "replace", "test", "copy", "move"] {
        let deep = "/data".repeat(100_000);
        let patch = json!([{ "op": op, "path": deep, "from": deep, "value": 1 }]);
        refused(send(&cluster, Method::PATCH, &path, ("application/json-patch+json", patch.to_string())).await, op);
        let steps: Vec<Value> = (0..3_000)
            .map(|depth| json!({ "op": "add", "path": format!("/metadata/annotations{}", "/a".repeat(depth)), "value": {} }))
            .collect();
        refused(
            send(&cluster, Method::PATCH, &path, ("application/json-patch+json", json!(steps).to_string())).await,
            "steps",
        );
    }
    let nested = |open: &str, close: &str, times: usize| format!("{}{}", open.repeat(times), close.repeat(times));
    let texts = [
        with(&nested("[", "]", 100_000)),
        with(&nested("{\"a\":", "}", 100_000).replace("\"a\":}", "\"a\":1}")),
        nested("[", "]", 1_000_000),
        "[".repeat(1_000_000),
        "{\"a\":".repeat(300_000),
        "- ".repeat(100_000),
        (0..3_000).map(|depth| format!("{}a:\n", " ".repeat(depth % 700))).collect(),
        "? ".repeat(50_000),
        "!!a ".repeat(10_000),
        "&a ".repeat(10_000),
    ];
    for text in texts {
        for kind in ["application/json", "application/yaml"] {
            refused(send(&cluster, Method::POST, MAPS, (kind, text.clone())).await, kind);
        }
        let apply = format!("{path}?fieldManager=m");
        refused(send(&cluster, Method::PATCH, &apply, ("application/apply-patch+yaml", text.clone())).await, "apply");
        refused(send(&cluster, Method::PATCH, &path, ("application/merge-patch+json", text)).await, "merge");
    }
    cluster.get(&path).await.ok();
}
