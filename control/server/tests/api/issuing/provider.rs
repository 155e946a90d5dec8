//! An OpenID provider on loopback: its documents, its keys, and the tokens it would give.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use crate::remote::Remote;

/// A key, with the name that tokens have for it.
#[derive(Clone)]
pub struct Key {
    id: String,
    pem: &'static str,
}

impl Key {
    pub fn first() -> Self {
        Self { id: "first".into(), pem: include_str!("../../keys/issuer.pem") }
    }

    pub fn second() -> Self {
        Self { id: "second".into(), pem: include_str!("../../keys/other_issuer.pem") }
    }

    pub fn named(self, id: &str) -> Self {
        Self { id: id.into(), ..self }
    }

    fn pair(&self) -> RsaKeyPair {
        let der = PrivatePkcs8KeyDer::from_pem_slice(self.pem.as_bytes()).unwrap();
        RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap()
    }

    fn public(&self) -> Value {
        let public = RsaPublicKeyComponents::<Vec<u8>>::from(self.pair().public());
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({ "kty": "RSA", "kid": self.id, "use": "sig", "n": encode(&public.n), "e": encode(&public.e) })
    }
}

/// A provider that runs for as long as the test.
pub struct IdProvider {
    pub url: String,
    /// The authority of its certificate, PEM.
    pub authority: String,
    state: Arc<Provided>,
}

struct Provided {
    url: Mutex<String>,
    key: Mutex<Key>,
    is_away: AtomicBool,
    asked_for_keys: AtomicUsize,
    /// What is said of groups to who has the word for it.
    groups: Mutex<(String, String)>,
}

impl IdProvider {
    pub async fn start(key: Key) -> Self {
        let state = Arc::new(Provided {
            url: Mutex::default(),
            key: Mutex::new(key),
            is_away: AtomicBool::new(false),
            asked_for_keys: AtomicUsize::new(0),
            groups: Mutex::default(),
        });
        let router = Router::new()
            .route("/realm/.well-known/openid-configuration", get(discovery))
            .route("/elsewhere", get(|| async { Redirect::to("realm/.well-known/openid-configuration") }))
            .route("/keys", get(keys))
            .route("/groups", get(groups))
            .with_state(state.clone());
        let (url, authority) = serve(router).await;
        let url = format!("{url}/realm");
        state.url.lock().clone_from(&url);
        Self { url, authority, state }
    }

    /// A token by the current key, for somebody of `cli`, for an hour, unless the claims say otherwise.
    pub fn token(&self, claims: Value) -> String {
        let key = self.state.key.lock().clone();
        self.token_of(&key, claims)
    }

    pub fn token_of(&self, key: &Key, claims: Value) -> String {
        self.by(key, &json!({ "alg": "RS256", "kid": key.id }), claims)
    }

    /// A token with this header, whatever it says.
    pub fn signed(&self, header: &Value, claims: Value) -> String {
        let key = self.state.key.lock().clone();
        self.by(&key, header, claims)
    }

    fn by(&self, key: &Key, header: &Value, claims: Value) -> String {
        let now = jiff::Timestamp::now().as_second();
        let mut all = json!({ "iss": self.url, "aud": "cli", "iat": now, "exp": now + 3600 });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encode(header), encode(&all));
        let pair = key.pair();
        let mut signature = vec![0; pair.public().modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Has another key from now on.
    pub fn rotate(&self, key: Key) {
        *self.state.key.lock() = key;
    }

    /// Answers nothing of use.
    pub fn leave(&self) {
        self.state.is_away.store(true, Ordering::SeqCst);
    }

    pub fn come_back(&self) {
        self.state.is_away.store(false, Ordering::SeqCst);
    }

    /// Answers with this token at `/groups`, if it is shown the word.
    pub fn tell_groups(&self, word: &str, token: String) {
        *self.state.groups.lock() = (format!("Bearer {word}"), token);
    }

    pub fn asked_for_keys(&self) -> usize {
        self.state.asked_for_keys.load(Ordering::SeqCst)
    }
}

/// A server of these paths: its URL, and its authority as PEM.
pub async fn serve(router: Router) -> (String, String) {
    let remote = Remote::start("127.0.0.1", None, router).await;
    let authority = String::from_utf8(STANDARD.decode(&remote.bundle).unwrap()).unwrap();
    (format!("https://{}", remote.address), authority)
}

async fn discovery(State(state): State<Arc<Provided>>) -> Response {
    let url = state.url.lock().clone();
    let keys = url.replace("/realm", "/keys");
    state.answer(json!({ "issuer": url, "jwks_uri": keys, "response_types_supported": ["id_token"] }))
}

async fn keys(State(state): State<Arc<Provided>>) -> Response {
    state.asked_for_keys.fetch_add(1, Ordering::SeqCst);
    let key = state.key.lock().public();
    state.answer(json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "first", "x": "AA" }, key] }))
}

async fn groups(State(state): State<Arc<Provided>>, headers: HeaderMap) -> Response {
    let (word, token) = state.groups.lock().clone();
    let shown = headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok());
    if shown == Some(word.as_str()) { token.into_response() } else { StatusCode::FORBIDDEN.into_response() }
}

impl Provided {
    fn answer(&self, document: Value) -> Response {
        match self.is_away.load(Ordering::SeqCst) {
            true => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            false => axum::Json(document).into_response(),
        }
    }
}
