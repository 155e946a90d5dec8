//! What claims make of their bearer.

use serde_json::{Value, json};

use crate::identity::User;
use crate::identity::oidc::{AuthenticationConfig, OidcFlags};

const OWN: &str = "https://kubernetes.default.svc.cluster.local";

fn flags() -> OidcFlags {
    OidcFlags {
        issuer_url: "https://issuer.example.com".into(),
        client_id: "cli".into(),
        username_claim: "sub".into(),
        signing_algs: vec!["RS256".into()],
        ..OidcFlags::default()
    }
}

fn of_flags(flags: &OidcFlags, claims: Value) -> Result<User, String> {
    user(&AuthenticationConfig::of_flags(flags, OWN).unwrap(), claims)
}

fn user(config: &AuthenticationConfig, claims: Value) -> Result<User, String> {
    let Value::Object(claims) = claims else { panic!("claims are an object") };
    config.issuers[0].mapper.user(&claims)
}

/// Of a file whose only issuer has these mappings and rules.
fn of_file(rest: &str, claims: Value) -> Result<User, String> {
    let yaml = format!(
        "apiVersion: apiserver.config.k8s.io/v1beta1\nkind: AuthenticationConfiguration\njwt:\n- issuer: {{url: \
         https://issuer.example.com, audiences: [cli]}}\n{rest}"
    );
    user(&AuthenticationConfig::parse(&yaml, OWN).unwrap(), claims)
}

#[test]
fn names_of_flags_begin_with_the_issuer_unless_they_are_addresses() {
    let claims = json!({ "sub": "jane", "email": "jane@example.com", "groups": ["a", "b"] });
    let name = |flags: &OidcFlags| of_flags(flags, claims.clone()).unwrap().name;
    assert_eq!(name(&flags()), "https://issuer.example.com#jane");
    assert_eq!(name(&OidcFlags { username_claim: "email".into(), ..flags() }), "jane@example.com");
    assert_eq!(name(&OidcFlags { username_prefix: "-".into(), ..flags() }), "jane");
    assert_eq!(name(&OidcFlags { username_prefix: "oidc:".into(), ..flags() }), "oidc:jane");
    let email = OidcFlags { username_claim: "email".into(), username_prefix: "m:".into(), ..flags() };
    assert_eq!(name(&email), "m:jane@example.com");
}

#[test]
fn groups_are_one_text_or_many_and_have_their_prefix() {
    let flags = OidcFlags { groups_claim: "roles".into(), groups_prefix: "oidc:".into(), ..flags() };
    let groups = |roles: Value| of_flags(&flags, json!({ "sub": "jane", "roles": roles })).map(|user| user.groups);
    let all = |groups: &[&str]| Ok(groups.iter().map(|g| g.to_string()).collect::<Vec<_>>());
    assert_eq!(groups(json!(["a", "b"])), all(&["oidc:a", "oidc:b", "system:authenticated"]));
    assert_eq!(groups(json!("dev")), all(&["oidc:dev", "system:authenticated"]));
    assert_eq!(groups(Value::Null), all(&["system:authenticated"]));
    let wrong = "oidc: parse groups claim \"roles\": it is neither a string nor a list of strings";
    assert_eq!(groups(json!(["a", 1])), Err(wrong.to_string()));
    assert_eq!(groups(json!({ "a": 1 })), Err(wrong.to_string()));
}

#[test]
fn a_name_must_be_there_and_an_address_must_be_verified() {
    let missing = of_flags(&flags(), json!({ "email": "x" })).unwrap_err();
    assert_eq!(missing, "oidc: parse username claims \"sub\": claim not present");
    let empty = of_flags(&flags(), json!({ "sub": "" })).unwrap_err();
    assert_eq!(empty, "oidc: parse username claims \"sub\": claim is empty");
    let number = of_flags(&flags(), json!({ "sub": 7 })).unwrap_err();
    assert_eq!(number, "oidc: parse username claims \"sub\": it is not a string");
    let flags = OidcFlags { username_claim: "email".into(), ..flags() };
    let of = |verified: Value| of_flags(&flags, json!({ "email": "j@x", "email_verified": verified }));
    assert_eq!(of(json!(true)).unwrap().name, "j@x");
    assert_eq!(of(json!(false)).unwrap_err(), "oidc: email not verified");
    assert_eq!(of(json!("true")).unwrap_err(), "oidc: parse 'email_verified' claim: it is not a bool");
}

#[test]
fn required_claims_have_their_values() {
    let required_claims = [("hd".to_string(), "example.com".to_string())].into();
    let flags = OidcFlags { required_claims, ..flags() };
    let of = |claims: Value| of_flags(&flags, claims).map(|user| user.name);
    assert_eq!(of(json!({ "sub": "j", "hd": "example.com" })), Ok("https://issuer.example.com#j".into()));
    let missing = "oidc: required claim hd not present in ID token";
    assert_eq!(of(json!({ "sub": "j" })), Err(missing.into()));
    let other = "oidc: required claim hd value does not match. Got = other, want = example.com";
    assert_eq!(of(json!({ "sub": "j", "hd": "other" })), Err(other.into()));
    assert_eq!(of(json!({ "sub": "j", "hd": 1 })), Err("oidc: parse claim hd: it is not a string".into()));
}

const EXPRESSIONS: &str = r#"
  claimValidationRules:
  - {expression: "claims.exp - claims.nbf <= 86400", message: token is too long}
  claimMappings:
    username: {expression: "claims.user + ':' + claims.org"}
    groups: {expression: "claims.roles.split(',').map(r, 'r:' + r)"}
    uid: {claim: id}
    extra:
    - {key: example.com/tenant, valueExpression: claims.org}
    - {key: example.com/none, valueExpression: "''"}
  userValidationRules:
  - {expression: "!user.username.startsWith('system:')", message: reserved name}
  - {expression: "user.groups.all(g, !g.contains('master')) && user.uid != '' && 'example.com/tenant' in user.extra"}
"#;

fn claims(more: Value) -> Value {
    let mut claims = json!({
        "user": "jane", "org": "red", "roles": "a,b", "id": "77", "nbf": 1_000, "exp": 2_000, "jti": "t1",
    });
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    claims
}

#[test]
fn expressions_make_a_user() {
    let jane = of_file(EXPRESSIONS, claims(json!({}))).unwrap();
    assert_eq!((jane.name.as_str(), jane.uid.as_str()), ("jane:red", "77"));
    assert_eq!(jane.groups, ["r:a", "r:b", "system:authenticated"]);
    let extra = json!({
        "example.com/tenant": ["red"], "authentication.kubernetes.io/credential-id": ["JTI=t1"],
    });
    assert_eq!(json!(jane.extra), extra);
    assert!(!jane.in_process);
}

#[test]
fn rules_refuse_tokens_with_their_messages() {
    let refused = |more: Value| of_file(EXPRESSIONS, claims(more)).unwrap_err();
    let why = "oidc: error evaluating claim validation expression: validation expression 'claims.exp - claims.nbf <= \
               86400' failed: token is too long";
    assert_eq!(refused(json!({ "exp": 1_000_000 })), why);
    let why = "oidc: error evaluating user info validation rule: validation expression \
               '!user.username.startsWith('system:')' failed: reserved name";
    assert_eq!(refused(json!({ "user": "system" })), why);
    assert!(refused(json!({ "roles": "masters" })).ends_with("in user.extra' failed: "));
    let why = "oidc: error evaluating username claim expression: expression 'claims.user + ':' + claims.org' resulted \
               in error: no such overload";
    assert_eq!(refused(json!({ "org": 1 })), why);
    assert_eq!(refused(json!({ "id": 1 })), "oidc: parse uid claim \"id\": it is not a string");
}

#[test]
fn names_that_expressions_make_are_not_empty() {
    let mappings = "  claimMappings: {username: {expression: claims.user}}\n";
    let why =
        "oidc: error evaluating username claim expression: username claim expression must not return an empty string";
    assert_eq!(of_file(mappings, claims(json!({ "user": "" }))).unwrap_err(), why);
    let why = "oidc: error evaluating username claim expression: username claim expression must return a string";
    assert_eq!(of_file(mappings, claims(json!({ "user": ["a"] }))).unwrap_err(), why);
}
