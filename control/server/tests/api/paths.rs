//! Every piece of every kind of path, written as nobody should: an answer that says so, and never more.

use std::collections::BTreeSet;

use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{Method, Request};
use serde_json::json;

use crate::support::{Answer, Cluster, MAPS, admin, config, map};

/// What stands where a name should.
fn odd() -> Vec<String> {
    let fixed = [
        "..",
        ".",
        "...",
        "%2e",
        "%2e%2e",
        "%2E%2E",
        "%2f",
        "%2F",
        "..%2f",
        "%2f..",
        "%2e%2e%2f",
        "%5c",
        "..%5c",
        "%00",
        "a%00",
        "%00a",
        "%0a",
        "%0d%0aX-Y:%20z",
        "%7f",
        "%ff",
        "%c0%ae%c0%ae",
        "%c3%28",
        "%ed%a0%80",
        "%",
        "%2",
        "%zz",
        "%25",
        "%252e%252e",
        "%252f",
        "%20",
        "+",
        "*",
        "?",
        "#",
        "~",
        "'",
        "\"",
        "<x>",
        "{x}",
        "[x]",
        "|",
        "`",
        "@",
        ":",
        ";",
        "&",
        "=",
        "$(id)",
        "a:b:c:d",
        "%e2%80%ae",
        "%f0%9f%92%a9",
        "%ef%bb%bf",
        "%u002e",
    ];
    let long = ["a".repeat(254), "a".repeat(5_000), "%61".repeat(2_000), "..%2f".repeat(1_000), "é".repeat(100)];
    fixed.into_iter().map(str::to_owned).chain(long).collect()
}

/// Paths with a place for such a thing.
const PLACES: [&str; 26] = [
    "/{}",
    "/{}/",
    "/api/{}",
    "/api/v1/{}",
    "/apis/{}",
    "/apis/{}/v1",
    "/apis/apps/{}",
    "/apis/apps/v1/{}",
    "/api/v1/namespaces/{}",
    "/api/v1/namespaces/{}/status",
    "/api/v1/namespaces/{}/finalize",
    "/api/v1/namespaces/{}/configmaps",
    "/api/v1/namespaces/{}/configmaps/a",
    "/api/v1/namespaces/default/{}",
    "/api/v1/namespaces/default/configmaps/{}",
    "/api/v1/namespaces/default/configmaps/a/{}",
    "/api/v1/namespaces/default/pods/{}/log",
    "/api/v1/namespaces/default/pods/{}/exec",
    "/api/v1/namespaces/default/pods/{}/proxy/x",
    "/api/v1/namespaces/default/services/{}/proxy/x",
    "/api/v1/nodes/{}/proxy/x",
    "/api/v1/watch/namespaces/{}/configmaps",
    "/apis/example.com/v1/namespaces/default/{}/a",
    "/openapi/v3/{}",
    "/readyz/{}",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles/{}",
];

const METHODS: [Method; 6] = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// Asks, if there are such requests at all: what HTTP has no words for, does not come in.
async fn ask(cluster: &Cluster, method: &Method, path: &str) -> Option<Answer> {
    let body = if matches!(*method, Method::GET | Method::HEAD) { Body::empty() } else { Body::from("{}") };
    let mut request = Request::builder().method(method).uri(path).body(body).ok()?;
    request.extensions_mut().insert(admin());
    let kind = if *method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
    request.headers_mut().insert(CONTENT_TYPE, kind.parse().unwrap());
    // A watch that is accepted would go on.
    let answer = tokio::time::timeout(std::time::Duration::from_secs(20), cluster.send(request));
    Some(answer.await.unwrap_or_else(|_| panic!("{method} {path} is not answered")))
}

/// What there may be as an answer: nothing was done, or there was nothing to do; and no fault of the server.
#[track_caller]
fn harmless(answer: &Answer, what: &str) {
    // A revision that has not come yet is waited for, and told so in Kubernetes' own way.
    let waits = answer.code == 504 && answer.body["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge";
    // A revision that is no number is an error as it is to upstream too, where nobody expects one.
    let unexpected = answer.message().starts_with("resourceVersion: Invalid value: ");
    assert!(answer.code < 500 || waits || unexpected, "{what}: {} {}", answer.code, answer.text());
    assert!(answer.headers.get("x-y").is_none(), "{what}");
}

#[tokio::test]
async fn pieces_of_paths() {
    let cluster = Cluster::new().await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    let before = names(&cluster).await;
    let mut codes = BTreeSet::new();
    for place in PLACES {
        for piece in odd() {
            let path = place.replace("{}", &piece);
            let methods = if piece.len() > 100 { &METHODS[..1] } else { &METHODS[..] };
            for method in methods {
                // A watch of a namespace whose name nobody can have is a watch all the same.
                let path = match place.contains("/watch/") {
                    true if !path.contains(['?', '#']) => format!("{path}?timeoutSeconds=-1"),
                    true => continue,
                    false => path.clone(),
                };
                let Some(answer) = ask(&cluster, method, &path).await else { continue };
                harmless(&answer, &format!("{method} {path}"));
                let reads = matches!(*method, Method::GET | Method::HEAD);
                let collection = path.contains('?') || path.contains('#') || place.ends_with("/configmaps");
                assert!(reads || collection || answer.code >= 400, "{method} {path}: {}", answer.text());
                codes.insert(answer.code);
            }
        }
    }
    for code in [200, 400, 404, 405] {
        assert!(codes.contains(&code), "{codes:?}");
    }
    assert_eq!(names(&cluster).await, before);
}

/// All ConfigMaps but those in `default`, which may be emptied by a `?` behind its collection, and all namespaces.
async fn names(cluster: &Cluster) -> Vec<String> {
    let mut names = Vec::new();
    for path in ["/api/v1/namespaces", "/api/v1/configmaps"] {
        let list = cluster.get(path).await.ok();
        for item in list["items"].as_array().unwrap() {
            let metadata = &item["metadata"];
            if metadata["namespace"] != "default" {
                names.push(format!("{path}: {} {}", metadata["namespace"], metadata["name"]));
            }
        }
    }
    names
}

#[tokio::test]
async fn slashes_are_not_names() {
    let cluster = Cluster::new().await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    // Go's mux cleans paths of two slashes by a redirect, Kubernetes' own does not: there is no such path.
    for path in [
        "//api/v1/namespaces/default/configmaps/a/x/y",
        "/api//v1/configmaps",
        "/api/v1//configmaps",
        "/api/v1/namespaces//configmaps/a",
        "/api/v1/namespaces/default//configmaps",
        "/api/v1/namespaces/default/configmaps//a",
        "/apis//v1/x",
        "/apis/apps//deployments",
    ] {
        for method in METHODS {
            let answer = ask(&cluster, &method, path).await.unwrap();
            assert!((400..500).contains(&answer.code), "{method} {path}: {} {}", answer.code, answer.text());
        }
    }
    for path in ["/", "//", "///", "/%2f", "/.", "/..", "/../api"] {
        let answer = ask(&cluster, &Method::GET, path).await.unwrap();
        harmless(&answer, path);
    }
    assert_eq!(cluster.get(&format!("{MAPS}/a")).await.code, 200);
}

#[tokio::test]
async fn queries() {
    let mut config = config();
    config.limits.revision_wait = std::time::Duration::from_millis(1);
    let cluster = Cluster::with(config, |_| {}).await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    let parameters = [
        "labelSelector",
        "fieldSelector",
        "limit",
        "continue",
        "resourceVersion",
        "resourceVersionMatch",
        "timeoutSeconds",
        "watch",
        "allowWatchBookmarks",
        "sendInitialEvents",
        "pretty",
        "dryRun",
        "fieldManager",
        "fieldValidation",
        "propagationPolicy",
        "gracePeriodSeconds",
        "includeObject",
        "force",
        "container",
        "follow",
        "tailLines",
        "sinceTime",
        "limitBytes",
        "exclude",
        "verbose",
        "command",
        "ports",
        "stdin",
        "",
    ];
    let mut values = odd();
    values.extend(
        [
            "-1",
            "0",
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775808",
            "1e999",
            "NaN",
            "0x10",
            "true",
            "null",
            "[]",
            "a=b,c",
            "a in (",
            "a in (b,",
            "!",
            "!!a",
            ",",
            "=",
            "==",
            "a=b=c",
            "metadata.name=",
            "metadata.name=%00",
            "metadata.name=a%2f..%2fb",
            "spec.x=y",
            "a,a,a",
            "eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ",
            "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiIuLi8uLi8ifQ",
            "0001-01-01T00:00:00Z",
            "99999-01-01T00:00:00Z",
            "2024-13-41T25:61:61Z",
        ]
        .map(|value| value.replace(' ', "%20")),
    );
    let paths = [
        MAPS.to_owned(),
        format!("{MAPS}/a"),
        "/readyz".to_owned(),
        "/api/v1/namespaces/default/pods/p/log".to_owned(),
    ];
    for path in &paths {
        for parameter in parameters {
            for value in &values {
                // What begins a fragment ends the query.
                let asked = format!("{path}?{parameter}={value}");
                let is_watch = parameter == "watch" && path == MAPS;
                let asked = if is_watch { format!("{path}?timeoutSeconds=-1&watch={value}") } else { asked };
                let Some(answer) = ask(&cluster, &Method::GET, &asked).await else { continue };
                harmless(&answer, &asked);
                if path != MAPS || value.len() > 100 {
                    continue;
                }
                let written = format!("{MAPS}/none?{parameter}={value}");
                for method in [Method::PATCH, Method::DELETE] {
                    let Some(answer) = ask(&cluster, &method, &written).await else { continue };
                    harmless(&answer, &format!("{method} {written}"));
                    assert!(answer.code >= 400, "{method} {written}: {}", answer.text());
                }
            }
        }
    }
    // Many of them.
    let many = format!("{MAPS}?{}", "labelSelector=a&".repeat(3_000));
    harmless(&ask(&cluster, &Method::GET, &many).await.unwrap(), "many parameters");
    assert_eq!(cluster.get(&format!("{MAPS}/a")).await.code, 200);
}
