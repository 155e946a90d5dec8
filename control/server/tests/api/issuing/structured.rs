//! Issuers and anonymous access as an AuthenticationConfiguration has them.

use coracle_server::AuthenticationConfig;
use http::{Method, Request};
use serde_json::{Value, json};

use super::provider::{IdProvider, Key};
use super::{OWN, ask, review, user, with};
use crate::support::{Cluster, MAPS};

fn configured(yaml: &str) -> AuthenticationConfig {
    let head = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n";
    AuthenticationConfig::parse(&format!("{head}{yaml}"), OWN).unwrap()
}

#[tokio::test]
async fn each_issuer_has_rules_of_its_own() {
    let (one, two) = (IdProvider::start(Key::first()).await, IdProvider::start(Key::second()).await);
    let issuer = |provider: &IdProvider, rest: Value| {
        let mut issuer = json!({
            "url": provider.url, "certificateAuthority": provider.authority, "audiences": ["cli", "web"],
            "audienceMatchPolicy": "MatchAny",
        });
        issuer.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        issuer
    };
    let elsewhere = json!({ "discoveryURL": two.url.replace("/realm", "/elsewhere") });
    let jwt = json!([
        { "issuer": issuer(&one, json!({})), "claimMappings": { "username": { "claim": "sub", "prefix": "one:" } } },
        {
            "issuer": issuer(&two, elsewhere),
            "claimMappings": {
                "username": { "expression": "'two:' + claims.name" },
                "groups": { "expression": "claims.teams.map(t, 'team-' + t)" },
                "uid": { "expression": "claims.id" },
                "extra": [{ "key": "example.com/tenant", "valueExpression": "claims.tenant" }],
            },
            "claimValidationRules": [{ "expression": "claims.tenant == 'red'", "message": "another tenant" }],
            "userValidationRules": [{ "expression": "user.username != 'two:root'", "message": "no root" }],
        },
    ]);
    let cluster = Cluster::with(with(configured(&format!("jwt: {jwt}"))), |_| {}).await;
    let jane = one.token(json!({ "sub": "jane", "aud": ["x", "web"] }));
    assert_eq!(user(&cluster, &jane).await["username"], "one:jane");
    let claims = |name: &str, tenant: &str| json!({ "name": name, "tenant": tenant, "teams": ["a", "b"], "id": "7", "aud": "cli" });
    let expected = json!({
        "username": "two:joe", "uid": "7", "groups": ["team-a", "team-b", "system:authenticated"],
        "extra": { "example.com/tenant": ["red"] },
    });
    assert_eq!(user(&cluster, &two.token(claims("joe", "red"))).await, expected);
    for (name, tenant, why) in [("joe", "blue", "another tenant"), ("root", "red", "no root")] {
        let error = review(&cluster, &two.token(claims(name, tenant))).await["error"].to_string();
        assert!(error.contains(&format!("failed: {why}")), "{error}");
    }
    // The one's key does not speak for the other.
    let forged = one.token_of(&Key::first().named("second"), json!({ "iss": two.url, "name": "joe", "tenant": "red" }));
    let error = review(&cluster, &forged).await["error"].to_string();
    assert!(error.contains("failed to verify id token signature"), "{error}");
}

#[tokio::test]
async fn issuers_are_exchanged_while_the_server_runs() {
    let (one, two) = (IdProvider::start(Key::first()).await, IdProvider::start(Key::second()).await);
    let of = |provider: &IdProvider, prefix: &str| {
        let issuer = json!({ "url": provider.url, "certificateAuthority": provider.authority, "audiences": ["cli"] });
        let name = json!({ "username": { "claim": "sub", "prefix": prefix } });
        configured(&format!("jwt: {}", json!([{ "issuer": issuer, "claimMappings": name }])))
    };
    let cluster = Cluster::with(with(of(&one, "a:")), |_| {}).await;
    let jane = one.token(json!({ "sub": "jane" }));
    assert_eq!(user(&cluster, &jane).await["username"], "a:jane");
    cluster.server.set_authentication(of(&one, "b:")).await.unwrap();
    assert_eq!(user(&cluster, &jane).await["username"], "b:jane");
    // One that does not answer replaces nobody, and neither does what would change who comes without a name.
    two.leave();
    let error = cluster.server.set_authentication(of(&two, "c:")).await.unwrap_err().to_string();
    assert_eq!(error, format!("issuer {}: oidc: authenticator not initialized", two.url));
    let error = cluster.server.set_authentication(configured("anonymous: {enabled: true}")).await.unwrap_err();
    let told = "invalid authentication configuration: anonymous: Forbidden: changed from initial configuration file";
    assert_eq!(error.to_string(), told);
    assert_eq!(user(&cluster, &jane).await["username"], "b:jane");
    two.come_back();
    cluster.server.set_authentication(of(&two, "c:")).await.unwrap();
    assert_eq!(review(&cluster, &jane).await["error"], "invalid bearer token");
    assert_eq!(user(&cluster, &two.token(json!({ "sub": "joe" }))).await["username"], "c:joe");
}

#[tokio::test]
async fn anonymous_access_is_as_wide_as_configured() {
    let flagged = async |yaml: &str, flag: Option<bool>| {
        let cluster = Cluster::with(with(configured(yaml).with_anonymous(flag).unwrap()), |_| {}).await;
        let mut codes = Vec::new();
        for path in ["/livez", "/readyz", "/version", "/livez/ping", MAPS] {
            codes.push(cluster.send(Request::get(path).body(String::new().into()).unwrap()).await.code);
        }
        let wrong = ask(&cluster, "nonsense", Method::GET, "/livez", Value::Null).await.code;
        assert_eq!(wrong, 401, "a token that is not believed is worse than none");
        codes
    };
    let codes = async |yaml: &str| flagged(yaml, None).await;
    assert_eq!(codes("anonymous: {enabled: false}").await, [401; 5]);
    let some = "anonymous: {enabled: true, conditions: [{path: /livez}, {path: /version}]}";
    let some = codes(some).await;
    assert_eq!((some[0], some[2], [some[1], some[3], some[4]]), (200, 200, [401; 3]));
    // RBAC decides; nobody in particular may not list config maps.
    assert_eq!(codes("anonymous: {enabled: true}").await[4], 403);
    assert_eq!(codes("jwt: []").await[4], 401);
    assert_eq!(flagged("jwt: []", Some(false)).await, [401; 5]);
    assert_eq!(flagged("jwt: []", Some(true)).await[4], 403);
    let twice = configured("anonymous: {enabled: true}").with_anonymous(Some(true)).unwrap_err().to_string();
    assert!(twice.starts_with("--anonymous-auth cannot be given"), "{twice}");
}
