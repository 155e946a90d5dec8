//! Tokens of service accounts: how long, for whom, and until when; and what others need to check them.

use http::{Method, Request};
use serde_json::{Value, json};

use crate::support::{Answer, Cluster, PODS, config, pod, request};

const ACCOUNTS: &str = "/api/v1/namespaces/default/serviceaccounts";
const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

async fn ask(cluster: &Cluster, spec: Value) -> Answer {
    let body = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec });
    cluster.post(&format!("{ACCOUNTS}/default/token"), body).await
}

async fn token(cluster: &Cluster, spec: Value) -> String {
    ask(cluster, spec).await.ok()["status"]["token"].as_str().unwrap().to_string()
}

/// What becomes of a request with the token.
async fn enter(cluster: &Cluster, token: &str) -> Answer {
    let review = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview" });
    let asked = Request::builder().method(Method::POST).uri("/apis/authentication.k8s.io/v1/selfsubjectreviews");
    cluster
        .send(asked.header("authorization", format!("Bearer {token}")).body(review.to_string().into()).unwrap())
        .await
}

fn bound(kind: &str, name: &str) -> Value {
    json!({ "boundObjectRef": { "apiVersion": "v1", "kind": kind, "name": name } })
}

#[tokio::test]
async fn a_token_ends_with_what_it_is_bound_to_at_once() {
    let cluster = Cluster::new().await;
    cluster.post(PODS, pod("p")).await.ok();
    let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "s" } });
    cluster.post("/api/v1/namespaces/default/secrets", secret.clone()).await.ok();
    cluster
        .post("/api/v1/nodes", json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "n" } }))
        .await
        .ok();
    let path = |kind: &str| match kind {
        "Pod" => format!("{PODS}/p"),
        "Secret" => "/api/v1/namespaces/default/secrets/s".to_string(),
        _ => "/api/v1/nodes/n".to_string(),
    };
    let free = token(&cluster, json!({})).await;
    for (kind, name) in [("Pod", "p"), ("Secret", "s"), ("Node", "n")] {
        let token = token(&cluster, bound(kind, name)).await;
        let me = enter(&cluster, &token).await.ok();
        let extra = &me["status"]["userInfo"]["extra"];
        assert!(
            extra["authentication.kubernetes.io/credential-id"][0].as_str().unwrap().starts_with("JTI="),
            "{extra}"
        );
        cluster.delete(&path(kind)).await.ok();
        enter(&cluster, &token).await.fails(401, "Unauthorized");
        if kind == "Secret" {
            // Another one of the same name is not the same.
            cluster.post("/api/v1/namespaces/default/secrets", secret.clone()).await.ok();
            assert_eq!(enter(&cluster, &token).await.code, 401);
        }
    }
    enter(&cluster, &free).await.ok();
    cluster.delete(&format!("{ACCOUNTS}/default")).await.ok();
    assert_eq!(enter(&cluster, &free).await.code, 401);
    let again = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "default" } });
    cluster.post(ACCOUNTS, again).await.ok();
    assert_eq!(enter(&cluster, &free).await.code, 401);
}

#[tokio::test]
async fn a_token_is_good_for_ten_minutes_at_least() {
    let cluster = Cluster::new().await;
    let invalid = |seconds: i64, why: &str| {
        format!(
            "TokenRequest.authentication.k8s.io \"default\" is invalid: spec.expirationSeconds: Invalid value: {seconds}: may not \
             specify a duration {why}"
        )
    };
    for (seconds, why) in
        [(599, "less than 10 minutes"), (0, "less than 10 minutes"), ((1_i64 << 32) + 1, "larger than 2^32 seconds")]
    {
        ask(&cluster, json!({ "expirationSeconds": seconds })).await.fails(422, &invalid(seconds, why));
    }
    for seconds in [600, 1_i64 << 32] {
        let issued = ask(&cluster, json!({ "expirationSeconds": seconds })).await;
        assert!(issued.warnings().is_empty());
        assert_eq!(issued.ok()["spec"]["expirationSeconds"], seconds);
    }
    let mut config = config();
    config.max_token_seconds = 3600;
    let cluster = Cluster::with(config, |_| {}).await;
    let issued = ask(&cluster, json!({ "expirationSeconds": 7200 })).await;
    assert_eq!(issued.warnings(), ["299 - \"requested expiration of 7200 seconds shortened to 3600 seconds\""]);
    assert_eq!(issued.ok()["spec"]["expirationSeconds"], 3600);
}

#[tokio::test]
async fn a_token_for_others_is_none_here() {
    let cluster = Cluster::new().await;
    let vault = token(&cluster, json!({ "audiences": ["vault"] })).await;
    enter(&cluster, &vault).await.fails(401, "Unauthorized");
    let review = async |token: &str, audiences: Value| {
        let body = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
            "spec": { "token": token, "audiences": audiences },
        });
        cluster.post("/apis/authentication.k8s.io/v1/tokenreviews", body).await.ok()["status"].clone()
    };
    let status = review(&vault, json!(["vault", "bank"])).await;
    assert_eq!((&status["authenticated"], &status["audiences"]), (&json!(true), &json!(["vault"])));
    assert_eq!(review(&vault, json!(["bank"])).await.get("authenticated"), None);
    let both = token(&cluster, json!({ "audiences": ["vault", ISSUER] })).await;
    enter(&cluster, &both).await.ok();
    let mut empty = request(Method::GET, "/api", Value::Null);
    empty.extensions_mut().clear();
    empty.headers_mut().insert("authorization", "Bearer ".parse().unwrap());
    assert_eq!(cluster.send(empty).await.code, 401);
    // What is no token is not as if there was none: anybody may see the version.
    for (token, code) in [(&b""[..], 200), (b"a\xe9", 401), ("\u{e9}".as_bytes(), 401)] {
        let mut asked = request(Method::GET, "/version", Value::Null);
        asked.extensions_mut().clear();
        let header = http::HeaderValue::from_bytes(&[b"Bearer ", token].concat()).unwrap();
        asked.headers_mut().insert("authorization", header);
        assert_eq!(cluster.send(asked).await.code, code, "{token:?}");
    }
}

#[tokio::test]
async fn others_find_the_key_and_may_keep_it() {
    let cluster = Cluster::new().await;
    let found = cluster.get("/.well-known/openid-configuration").await;
    let header = |answer: &Answer, name: &str| answer.headers[name].to_str().unwrap().to_string();
    assert_eq!(header(&found, "content-type"), "application/json");
    assert_eq!(header(&found, "cache-control"), "public, max-age=3600");
    let expected = json!({
        "issuer": ISSUER,
        "jwks_uri": "https://192.0.2.1:6443/openid/v1/jwks",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    });
    assert_eq!(found.ok(), expected);
    let keys = cluster.get("/openid/v1/jwks").await;
    assert_eq!(header(&keys, "content-type"), "application/jwk-set+json");
    assert_eq!(header(&keys, "cache-control"), "public, max-age=3600");
    let key = keys.ok()["keys"][0].clone();
    let fields: Vec<&str> = key.as_object().unwrap().keys().map(String::as_str).collect();
    assert!(["alg", "crv", "kid", "kty", "use", "x", "y"].iter().all(|field| fields.contains(field)), "{fields:?}");
    assert_eq!(fields.len(), 7);
    // The key that tokens name.
    let token = token(&cluster, json!({})).await;
    let header = token.split('.').next().unwrap();
    let header = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, header).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    assert_eq!((&header["kid"], &header["alg"]), (&key["kid"], &json!("ES256")));
    // Service accounts may ask, and nobody else without leave.
    let as_user = async |user: coracle_server::User| {
        let mut asked = request(Method::GET, "/openid/v1/jwks", Value::Null);
        asked.extensions_mut().insert(user);
        cluster.send(asked).await.code
    };
    let account = coracle_server::User::new("system:serviceaccount:a:b", ["system:serviceaccounts".to_string()]);
    assert_eq!((as_user(account).await, as_user(coracle_server::User::new("jane", [])).await), (200, 403));
}

/// A token in a Secret has no end of its own, but that of the Secret, of what is in it, and of the account.
#[tokio::test]
async fn a_token_of_a_secret_lasts_as_long_as_the_secret() {
    const SECRETS: &str = "/api/v1/namespaces/default/secrets";
    let pem = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let mut config = config();
    config.token_key_pem = Some(pem.clone());
    let cluster = Cluster::with(config, |_| {}).await;
    let uid = cluster.get(&format!("{ACCOUNTS}/default")).await.ok()["metadata"]["uid"].as_str().unwrap().to_string();
    let tokens = coracle_server::AccountTokens::from_pem(&pem).unwrap();
    let of = coracle_server::AccountSecret { namespace: "default", account: "default", uid: &uid, secret: "s" };
    let token = tokens.sign(of).unwrap();
    assert_eq!(enter(&cluster, &token).await.code, 401, "there is no such Secret");
    let secret = |token: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
            "metadata": { "name": "s", "annotations": { "kubernetes.io/service-account.name": "default" } },
            "stringData": { "token": token },
        })
    };
    cluster.post(SECRETS, secret(&token)).await.ok();
    let me = enter(&cluster, &token).await.ok();
    let expected = json!({
        "username": "system:serviceaccount:default:default", "uid": uid,
        "groups": ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"],
    });
    assert_eq!(me["status"]["userInfo"], expected);
    let path = format!("{SECRETS}/s");
    cluster.merge(&path, json!({ "stringData": { "token": "another" } })).await.ok();
    assert_eq!(enter(&cluster, &token).await.code, 401, "it is not the one in the Secret");
    cluster.merge(&path, json!({ "stringData": { "token": token } })).await.ok();
    enter(&cluster, &token).await.ok();
    let marked =
        |since: Value| json!({ "metadata": { "labels": { "kubernetes.io/legacy-token-invalid-since": since } } });
    cluster.merge(&path, marked(json!("2026-01-01"))).await.ok();
    assert_eq!(enter(&cluster, &token).await.code, 401, "the Secret is marked");
    let review = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": { "token": token } });
    let review = cluster.post("/apis/authentication.k8s.io/v1/tokenreviews", review).await.ok();
    let why = "the token in secret default/s for service account default/default has been marked invalid. Use tokens from the \
               TokenRequest API or manually created secret-based tokens, or remove the \
               'kubernetes.io/legacy-token-invalid-since' label from the secret to temporarily allow use of this token";
    assert_eq!(review["status"], json!({ "user": {}, "error": why }));
    for unmarked in [json!(""), Value::Null] {
        cluster.merge(&path, marked(unmarked)).await.ok();
        enter(&cluster, &token).await.ok();
    }
    let foreign =
        coracle_server::AccountTokens::from_pem(&rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let forged = foreign.sign(of).unwrap();
    cluster.merge(&path, json!({ "stringData": { "token": forged } })).await.ok();
    assert_eq!(enter(&cluster, &forged).await.code, 401, "whoever writes Secrets signs no tokens");
    cluster.merge(&path, json!({ "stringData": { "token": token } })).await.ok();
    cluster.delete(&path).await.ok();
    assert_eq!(enter(&cluster, &token).await.code, 401, "the Secret is gone");
    let opaque = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "s" }, "stringData": { "token": token },
    });
    cluster.post(SECRETS, opaque).await.ok();
    assert_eq!(enter(&cluster, &token).await.code, 401, "a Secret of another type");
    cluster.delete(&path).await.ok();
    cluster.post(SECRETS, secret(&token)).await.ok();
    cluster.delete(&format!("{ACCOUNTS}/default")).await.ok();
    let again = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "default" } });
    cluster.post(ACCOUNTS, again).await.ok();
    assert_eq!(enter(&cluster, &token).await.code, 401, "another account of the same name");
}
