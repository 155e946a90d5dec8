//! Issuers that answer what they should not: nobody is believed, and nobody else is held up.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Redirect;
use axum::routing::get;
use coracle_server::{AuthenticationConfig, OidcFlags};
use futures::StreamExt as _;
use serde_json::json;

use super::provider::{IdProvider, Key, serve};
use super::{OWN, believing, review, user, who_code, with};
use crate::support::{Cluster, MAPS};

const DISCOVERY: &str = "/.well-known/openid-configuration";

/// A cluster that believes whoever serves these paths, and a token that says it is of them, by a key of nobody.
async fn against(router: Router) -> (Cluster, String) {
    let (url, ca) = serve(router).await;
    let flags = OidcFlags {
        issuer_url: url.clone(),
        client_id: "cli".into(),
        username_claim: "sub".into(),
        signing_algs: vec!["RS256".into()],
        ca_pem: Some(ca),
        ..OidcFlags::default()
    };
    let authentication = AuthenticationConfig::of_flags(&flags, OWN).unwrap();
    let cluster = Cluster::with(with(authentication), |_| {}).await;
    let provider = IdProvider::start(Key::first()).await;
    (cluster, provider.token(json!({ "iss": url, "sub": "jane" })))
}

/// Bytes without an end.
async fn endless() -> Body {
    let piece = bytes::Bytes::from(vec![b' '; 64 << 10]);
    Body::from_stream(futures::stream::repeat(piece).map(Ok::<_, std::io::Error>))
}

async fn never() -> &'static str {
    std::future::pending().await
}

#[tokio::test]
async fn an_issuer_that_says_nothing_sensible_is_never_ready() {
    let other = || async { axum::Json(json!({ "issuer": "https://other", "jwks_uri": "https://127.0.0.1:1/" })) };
    for (what, router) in [
        ("huge", Router::new().route(DISCOVERY, get(endless))),
        ("slow", Router::new().route(DISCOVERY, get(never))),
        ("another", Router::new().route(DISCOVERY, get(other))),
        ("html", Router::new().route(DISCOVERY, get(|| async { "<html>" }))),
        ("in a circle", Router::new().route(DISCOVERY, get(|| async { Redirect::to(DISCOVERY) }))),
        ("in the clear", Router::new().route(DISCOVERY, get(|| async { Redirect::to("http://127.0.0.1:1/") }))),
        ("nothing", Router::new()),
    ] {
        let (cluster, token) = against(router).await;
        for _ in 0..5 {
            let reviewed = tokio::time::timeout(Duration::from_secs(5), review(&cluster, &token)).await.expect(what);
            assert_eq!(reviewed["error"], "oidc: authenticator not initialized", "{what}");
            cluster.get(MAPS).await.ok();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn keys_that_never_come_hold_up_only_who_needs_them() {
    let documents = Router::new().route("/keys", get(never)).route(
        DISCOVERY,
        get(|headers: http::HeaderMap| async move {
            let host = headers["host"].to_str().unwrap().to_string();
            axum::Json(json!({ "issuer": format!("https://{host}"), "jwks_uri": format!("https://{host}/keys") }))
        }),
    );
    let (cluster, token) = against(documents).await;
    let waiting = async {
        loop {
            let error = review(&cluster, &token).await["error"].to_string();
            if !error.contains("not initialized") {
                return error;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let others = async {
        for _ in 0..20 {
            cluster.get(MAPS).await.ok();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::Instant::now()
    };
    let (error, others) = tokio::join!(waiting, others);
    assert!(tokio::time::Instant::now() > others + Duration::from_secs(5), "they did not wait");
    assert!(error.contains("get keys failed: i/o timeout"), "{error}");
}

#[tokio::test]
async fn an_issuer_sends_to_nobody_of_another_authority() {
    let provider = IdProvider::start(Key::first()).await;
    let target = provider.url.clone();
    let away = Router::new().route(
        DISCOVERY,
        get(move || async move { Redirect::to(&format!("{target}/.well-known/openid-configuration")) }),
    );
    let (cluster, token) = against(away).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(review(&cluster, &token).await["error"], "oidc: authenticator not initialized");
}

#[tokio::test]
async fn tokens_by_unknown_keys_make_few_requests() {
    let provider = IdProvider::start(Key::first()).await;
    let cluster = Cluster::with(believing(&provider), |_| {}).await;
    let jane = provider.token(json!({ "sub": "jane" }));
    user(&cluster, &jane).await;
    let before = provider.asked_for_keys();
    let forged: Vec<String> = (0..150)
        .map(|n| provider.token_of(&Key::second().named(&format!("k{n}")), json!({ "sub": "admin" })))
        .collect();
    let codes = futures::future::join_all(forged.iter().map(|token| who_code(&cluster, token))).await;
    assert!(codes.iter().all(|code| *code == 401));
    let asked = provider.asked_for_keys() - before;
    assert!((1..=2).contains(&asked), "{asked} requests");
    assert_eq!(user(&cluster, &jane).await["username"], "oidc:jane");
}
