//! Requests that nobody means well with: each is refused, says so, and harms nobody.

use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{Method, Request};
use serde_json::{Value, json};

use crate::support::{Answer, Cluster, MAPS, PATIENCE, config, map, request};

async fn send(cluster: &Cluster, method: Method, path: &str, (kind, body): (&'static str, String)) -> Answer {
    let mut request = request(method, path, Value::Null).map(|_| Body::from(body));
    request.headers_mut().insert(CONTENT_TYPE, kind.parse().unwrap());
    tokio::time::timeout(PATIENCE, cluster.send(request)).await.expect("an answer in time")
}

/// A refusal: the client's fault, and never the server's.
#[track_caller]
fn refused(answer: &Answer, what: &str) {
    assert!((400..500).contains(&answer.code), "{what}: {} {}", answer.code, answer.text());
}

/// Ten levels of ten aliases each are ten thousand million strings.
#[tokio::test]
async fn yaml_aliases_do_not_multiply() {
    let cluster = Cluster::new().await;
    let mut bomb =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bomb}\na0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(",");
        bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    for (method, path) in [(Method::POST, MAPS.to_owned()), (Method::PATCH, format!("{MAPS}/bomb?fieldManager=me"))] {
        let kind = if method == Method::POST { "application/yaml" } else { "application/apply-patch+yaml" };
        refused(&send(&cluster, method, &path, (kind, bomb.clone())).await, kind);
    }
    cluster.get(&format!("{MAPS}/bomb")).await.fails(404, "configmaps \"bomb\" not found");
}

#[tokio::test]
async fn patches_have_so_many_operations_and_no_more() {
    let cluster = Cluster::new().await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    let path = format!("{MAPS}/a");
    let add = json!({ "op": "add", "path": "/data/k", "value": "w" });
    cluster.patch(&path, "json-patch+json", json!(vec![add.clone(); 10_000])).await.ok();
    let many = cluster.patch(&path, "json-patch+json", json!(vec![add; 10_001])).await;
    let text = "The allowed maximum operations in a JSON patch is 10000, got 10001";
    assert_eq!((many.code, many.message().contains(text)), (413, true), "{}", many.body);
    // Copies of copies double what there is with each operation.
    let mut doubling = vec![json!({ "op": "add", "path": "/data/k", "value": "x".repeat(1000) })];
    doubling.extend((0..40).map(|i| json!({ "op": "copy", "from": "/data", "path": format!("/data/{i}") })));
    refused(&cluster.patch(&path, "json-patch+json", json!(doubling)).await, "copies of copies");
    assert_eq!(cluster.get(&path).await.ok()["data"], json!({ "k": "w" }));
}

#[tokio::test]
async fn nesting_has_a_bound_in_every_kind_of_body() {
    let cluster = Cluster::new().await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    let deep = format!("{{\"metadata\":{}1{}}}", "{\"a\":".repeat(20_000), "}".repeat(20_000));
    let path = format!("{MAPS}/a");
    for kind in ["merge-patch+json", "strategic-merge-patch+json", "json-patch+json", "apply-patch+yaml"] {
        let kind: &'static str = format!("application/{kind}").leak();
        refused(&send(&cluster, Method::PATCH, &format!("{path}?fieldManager=m"), (kind, deep.clone())).await, kind);
    }
    for kind in ["application/json", "application/yaml"] {
        refused(&send(&cluster, Method::PUT, &path, (kind, deep.clone())).await, kind);
        refused(&send(&cluster, Method::DELETE, &path, (kind, deep.clone())).await, kind);
    }
    cluster.get(&path).await.ok();
}

/// Paths and names that are something else to somebody: they reach nothing, by no verb.
#[tokio::test]
async fn names_are_only_names() {
    let cluster = Cluster::new().await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    let secrets = "/api/v1/namespaces/default/secrets";
    let odd = [
        "..",
        ".",
        "%2e%2e",
        "%2e",
        "..%2fsecrets",
        "%2fa",
        "a%2f..%2fa",
        "a%00",
        "%00",
        "a%0d%0aX-Y:%20z",
        "a%20",
        "A",
        "a%c3%28",
        "%ff",
        "a%2fstatus",
        "a\\b",
        "%5c..",
        "a;b",
        "a%3fb",
    ];
    for name in odd {
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
            let path = format!("{MAPS}/{name}");
            let Ok(request) = Request::builder().method(&method).uri(&path).body(Body::empty()) else { continue };
            let (mut parts, _) = request.into_parts();
            parts.extensions.insert(crate::support::admin());
            parts.headers.insert(CONTENT_TYPE, "application/merge-patch+json".parse().unwrap());
            let body = if method == Method::GET { Body::empty() } else { Body::from("{}") };
            let answer = cluster.send(Request::from_parts(parts, body)).await;
            refused(&answer, &format!("{method} {path}"));
            assert!(answer.headers.get("x-y").is_none());
        }
    }
    for namespace in ["..", "%2e%2e", "default%2fconfigmaps%2fa", "%00", "default%00"] {
        let path = format!("/api/v1/namespaces/{namespace}/configmaps/a");
        refused(&cluster.get(&path).await, &path);
    }
    for name in ["..", ".", "a/b", "a%2fb", "a\0", "A", "a\r\nX-Y: z", " ", &"a".repeat(254)] {
        refused(&cluster.post(MAPS, map(name, json!({}))).await, name);
    }
    assert_eq!(cluster.get(MAPS).await.ok()["items"].as_array().unwrap().len(), 1);
    assert!(cluster.get(secrets).await.ok()["items"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn selectors_and_paths_have_a_length() {
    let cluster = Cluster::new().await;
    let long = format!("{MAPS}?labelSelector={}", "a".repeat(60_000));
    refused(&cluster.get(&long).await, "a long label");
    let many = format!("{MAPS}?labelSelector={}", vec!["a%3Db"; 5_000].join("%2C"));
    assert_eq!(cluster.get(&many).await.code, 200, "many requirements are many, and that is all");
    let nested = format!("{MAPS}?labelSelector=a%20in%20{}", "(".repeat(20_000));
    refused(&cluster.get(&nested).await, "brackets in brackets");
    let mut config = config();
    config.limits.uri_bytes = 1_000;
    let cluster = Cluster::with(config, |_| {}).await;
    let path = format!("{MAPS}?fieldSelector={}", "a".repeat(1_000));
    cluster.get(&path).await.fails(400, "the URL of the request is too long: limit is 1000 bytes");
}
