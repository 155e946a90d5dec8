//! ID tokens of an issuer: a real server with TLS that has keys, and is asked for them.

mod hostile;
mod provider;
mod structured;

use http::header::AUTHORIZATION;
use http::{Method, Request};
use serde_json::{Value, json};

use coracle_server::{AuthenticationConfig, OidcFlags, ServerConfig};

use crate::support::{Answer, Cluster, MAPS, PATIENCE, config, request};
use provider::{IdProvider, Key};

/// The issuer of service accounts' tokens, whom nobody else may speak for.
const OWN: &str = "https://kubernetes.default.svc.cluster.local";
const WHO: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

/// A server that believes the issuer, as flags would say it.
fn believing(provider: &IdProvider) -> ServerConfig {
    let flags = OidcFlags {
        issuer_url: provider.url.clone(),
        client_id: "cli".into(),
        username_claim: "sub".into(),
        username_prefix: "oidc:".into(),
        groups_claim: "groups".into(),
        groups_prefix: "oidc:".into(),
        signing_algs: vec!["RS256".into()],
        ca_pem: Some(provider.authority.clone()),
        ..OidcFlags::default()
    };
    with(AuthenticationConfig::of_flags(&flags, OWN).unwrap())
}

fn with(authentication: AuthenticationConfig) -> ServerConfig {
    let mut config = config();
    config.authentication = authentication;
    config.limits.issuer_retry = std::time::Duration::from_millis(100);
    config
}

/// A request of whoever has the token.
async fn ask(cluster: &Cluster, token: &str, method: Method, path: &str, body: Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let request = Request::builder().method(method).uri(path).header(AUTHORIZATION, format!("Bearer {token}"));
    cluster.send(request.body(body.into()).unwrap()).await
}

/// Who the server takes the bearer for.
async fn who(cluster: &Cluster, token: &str) -> Answer {
    let body = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview" });
    ask(cluster, token, Method::POST, WHO, body).await
}

/// The user, once the issuer has been found.
async fn user(cluster: &Cluster, token: &str) -> Value {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let answer = who(cluster, token).await;
        if answer.code != 401 {
            return answer.ok()["status"]["userInfo"].take();
        }
        assert!(tokio::time::Instant::now() < deadline, "still {}", review(cluster, token).await);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// What a TokenReview says.
async fn review(cluster: &Cluster, token: &str) -> Value {
    let review = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": { "token": token },
    });
    let path = "/apis/authentication.k8s.io/v1/tokenreviews";
    cluster.send(request(Method::POST, path, review)).await.ok()["status"].take()
}

#[tokio::test]
async fn a_token_makes_its_bearer_a_user_whom_rbac_knows() {
    let provider = IdProvider::start(Key::first()).await;
    let cluster = Cluster::with(believing(&provider), |_| {}).await;
    let jane = provider.token(json!({ "sub": "jane", "groups": ["dev"], "jti": "t1" }));
    let found = user(&cluster, &jane).await;
    let expected = json!({
        "username": "oidc:jane", "groups": ["oidc:dev", "system:authenticated"],
        "extra": { "authentication.kubernetes.io/credential-id": ["JTI=t1"] },
    });
    assert_eq!(found, expected);
    let refused = ask(&cluster, &jane, Method::GET, MAPS, Value::Null).await;
    let sentence = "configmaps is forbidden: User \"oidc:jane\" cannot list resource \"configmaps\" in API group \"\" in \
                    the namespace \"default\"";
    refused.fails(403, sentence);
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": "dev" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "oidc:dev" }],
    });
    cluster.post("/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings", binding).await.ok();
    ask(&cluster, &jane, Method::GET, MAPS, Value::Null).await.ok();
    let other = provider.token(json!({ "sub": "joe", "groups": "ops" }));
    assert_eq!(ask(&cluster, &other, Method::GET, MAPS, Value::Null).await.code, 403);
}

#[tokio::test]
async fn tokens_are_reviewed_with_what_is_wrong() {
    let provider = IdProvider::start(Key::first()).await;
    let cluster = Cluster::with(believing(&provider), |_| {}).await;
    let jane = provider.token(json!({ "sub": "jane" }));
    user(&cluster, &jane).await;
    let reviewed = review(&cluster, &jane).await;
    let (who, authenticated) = (&reviewed["user"]["username"], &reviewed["authenticated"]);
    assert_eq!((who, authenticated, &reviewed["audiences"]), (&json!("oidc:jane"), &json!(true), &json!([OWN])));

    let expired = "oidc: verify token: oidc: token is expired (Token Expiry: 2001-09-09T01:46:40Z)";
    let audience = "oidc: verify token: oidc: expected audience \"cli\" got [\"other\"]";
    let algorithm = "oidc: verify token: oidc: id token signed with unsupported algorithm, expected [\"RS256\"] got";
    for (token, why) in [
        (provider.token(json!({ "sub": "jane", "exp": 1_000_000_000 })), expired.to_string()),
        (provider.token(json!({ "sub": "jane", "aud": "other" })), audience.to_string()),
        (provider.token(json!({ "sub": "jane", "iss": "https://other" })), "invalid bearer token".to_string()),
        (provider.token(json!({})), "oidc: parse username claims \"sub\": claim not present".to_string()),
        (provider.signed(&json!({ "alg": "none" }), json!({ "sub": "jane" })), format!("{algorithm} \"none\"")),
        (provider.signed(&json!({ "alg": "PS256" }), json!({ "sub": "jane" })), format!("{algorithm} \"PS256\"")),
    ] {
        assert_eq!(review(&cluster, &token).await, json!({ "user": {}, "error": why }));
        assert_eq!(who_code(&cluster, &token).await, 401, "{why}");
    }
    let forged = provider.token_of(&Key::second().named("first"), json!({ "sub": "jane" }));
    let why = "oidc: verify token: failed to verify signature: failed to verify id token signature";
    assert_eq!(review(&cluster, &forged).await["error"], why);
}

async fn who_code(cluster: &Cluster, token: &str) -> u16 {
    who(cluster, token).await.code
}

#[tokio::test]
async fn an_issuer_that_comes_late_is_found() {
    let provider = IdProvider::start(Key::first()).await;
    provider.leave();
    let cluster = Cluster::with(believing(&provider), |_| {}).await;
    let jane = provider.token(json!({ "sub": "jane" }));
    assert_eq!(review(&cluster, &jane).await["error"], "oidc: authenticator not initialized");
    assert_eq!(who_code(&cluster, &jane).await, 401);
    // Others are served meanwhile.
    cluster.get(MAPS).await.ok();
    provider.come_back();
    assert_eq!(user(&cluster, &jane).await["username"], "oidc:jane");
    // Keys that are known are believed when the issuer is away.
    provider.leave();
    assert_eq!(user(&cluster, &jane).await["username"], "oidc:jane");
}

#[tokio::test]
async fn keys_are_exchanged_without_a_refusal() {
    let provider = IdProvider::start(Key::first()).await;
    let cluster = Cluster::with(believing(&provider), |_| {}).await;
    let old = provider.token(json!({ "sub": "jane" }));
    user(&cluster, &old).await;
    let asked = provider.asked_for_keys();
    for _ in 0..5 {
        user(&cluster, &old).await;
    }
    assert_eq!(provider.asked_for_keys(), asked, "keys are kept");
    provider.rotate(Key::second());
    let new = provider.token(json!({ "sub": "joe" }));
    let (one, two) = tokio::join!(who(&cluster, &new), who(&cluster, &new));
    for answer in [one, two] {
        assert_eq!(answer.ok()["status"]["userInfo"]["username"], "oidc:joe");
    }
    assert_eq!(provider.asked_for_keys(), asked + 1, "once for both");
    // The first key is gone: it is asked for once more, and not believed.
    assert_eq!(who_code(&cluster, &old).await, 401);
}

#[tokio::test]
async fn service_accounts_and_newcomers_are_believed_as_before() {
    let provider = IdProvider::start(Key::first()).await;
    let cluster = Cluster::with(believing(&provider), |_| {}).await;
    let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "robot" } });
    cluster.post("/api/v1/namespaces/default/serviceaccounts", account).await.ok();
    let wanted = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {} });
    let path = "/api/v1/namespaces/default/serviceaccounts/robot/token";
    let token = cluster.post(path, wanted).await.ok()["status"]["token"].as_str().unwrap().to_string();
    let found = who(&cluster, &token).await.ok();
    assert_eq!(found["status"]["userInfo"]["username"], "system:serviceaccount:default:robot");
    assert_eq!(provider.asked_for_keys(), 0);
}

#[tokio::test]
async fn groups_may_be_somewhere_else() {
    let provider = IdProvider::start(Key::first()).await;
    let cluster = Cluster::with(believing(&provider), |_| {}).await;
    let endpoint = provider.url.replace("/realm", "/groups");
    let elsewhere = |word: &str, endpoint: &str| {
        let source = json!({ "endpoint": endpoint, "access_token": word });
        let claims = json!({ "_claim_names": { "groups": "s" }, "_claim_sources": { "s": source }, "sub": "jane" });
        provider.token(claims)
    };
    provider.tell_groups("word", provider.token(json!({ "groups": ["many", "more"] })));
    let jane = elsewhere("word", &endpoint);
    let groups = json!(["oidc:many", "oidc:more", "system:authenticated"]);
    assert_eq!(user(&cluster, &jane).await["groups"], groups);
    let error = async |token: &str| review(&cluster, token).await["error"].as_str().unwrap_or_default().to_string();
    let forbidden = error(&elsewhere("other", &endpoint)).await;
    assert!(forbidden.ends_with("error while getting distributed claim JWT: 403 Forbidden"), "{forbidden}");
    let clear = error(&elsewhere("word", &endpoint.replace("https", "http"))).await;
    assert!(clear.contains("URL scheme must be https"), "{clear}");
    // What is found there must be signed, and meant for this server.
    provider.tell_groups("word", provider.token_of(&Key::second(), json!({ "groups": ["admins"] })));
    let forged = error(&jane).await;
    let head = "oidc: could not expand distributed claims: verify distributed claim token: ";
    assert_eq!(forged, format!("{head}failed to verify signature: failed to verify id token signature"));
    provider.tell_groups("word", provider.token(json!({ "groups": ["admins"], "aud": "other" })));
    let foreign = error(&jane).await;
    assert_eq!(foreign, format!("{head}oidc: expected audience \"cli\" got [\"other\"]"));
    provider.tell_groups("word", provider.token(json!({ "team": "a" })));
    assert!(error(&jane).await.ends_with("did not contain claim: groups"));
    // Who has groups in the token itself needs no others.
    let own = json!({ "sub": "joe", "groups": "dev", "_claim_names": { "groups": "s" } });
    assert_eq!(user(&cluster, &provider.token(own)).await["groups"], json!(["oidc:dev", "system:authenticated"]));
}
