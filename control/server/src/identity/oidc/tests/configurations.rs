//! What makes no sense is refused at the start, with the texts of kube-apiserver.

use crate::identity::oidc::{AuthenticationConfig, OidcFlags};

const OWN: &str = "https://kubernetes.default.svc.cluster.local";
const HEAD: &str = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n";
const ISSUER: &str = "issuer: {url: https://i.example.com, audiences: [a]}";
const NAME: &str = "claimMappings: {username: {claim: sub, prefix: ''}}";

fn error(rest: &str) -> String {
    let outcome = AuthenticationConfig::parse(&format!("{HEAD}{rest}"), OWN);
    outcome.err().map(|error| error.to_string()).unwrap_or_default()
}

/// The errors about the only issuer, without what is common to all.
fn errors(issuer: &str, rest: &str) -> String {
    let text = error(&format!("jwt: [{{{issuer}, {rest}}}]"));
    text.strip_prefix("invalid authentication configuration: ").unwrap_or(&text).to_string()
}

#[test]
fn what_is_fine_is_taken() {
    assert_eq!(error(""), "");
    assert_eq!(errors(ISSUER, NAME), "");
    let discovery = "issuer: {url: https://i.example.com, discoveryURL: 'https://d.example.com/x', audiences: [a, b], \
                     audienceMatchPolicy: MatchAny}";
    assert_eq!(errors(discovery, NAME), "");
    assert_eq!(error("anonymous: {enabled: true, conditions: [{path: /livez}]}"), "");
}

#[test]
fn issuers_are_judged() {
    for (issuer, told) in [
        ("url: '', audiences: [a]", "jwt[0].issuer.url: Required value"),
        ("url: 'http://i', audiences: [a]", "jwt[0].issuer.url: Invalid value: \"http://i\": URL scheme must be https"),
        ("url: 'i', audiences: [a]", "jwt[0].issuer.url: Invalid value: \"i\": URL scheme must be https"),
        (
            "url: 'https://u:p@i?q#f', audiences: [a]",
            "[jwt[0].issuer.url: Invalid value: \"https://u:p@i?q#f\": URL must not contain a username or password, \
             jwt[0].issuer.url: Invalid value: \"https://u:p@i?q#f\": URL must not contain a query, \
             jwt[0].issuer.url: Invalid value: \"https://u:p@i?q#f\": URL must not contain a fragment]",
        ),
        (
            "url: 'https://kubernetes.default.svc.cluster.local', audiences: [a]",
            "jwt[0].issuer.url: Invalid value: \"https://kubernetes.default.svc.cluster.local\": URL must not overlap \
             with disallowed issuers: [https://kubernetes.default.svc.cluster.local]",
        ),
        (
            "url: https://i, discoveryURL: 'https://i/', audiences: [a]",
            "jwt[0].issuer.discoveryURL: Invalid value: \"https://i/\": discoveryURL must be different from URL",
        ),
        ("url: https://i", "jwt[0].issuer.audiences: Required value: at least one jwt[0].issuer.audiences is required"),
        (
            "url: https://i, audiences: [a, a, '']",
            "[jwt[0].issuer.audiences[1]: Duplicate value: \"a\", jwt[0].issuer.audiences[2]: Required value, \
             jwt[0].issuer.audienceMatchPolicy: Invalid value: \"\": audienceMatchPolicy must be MatchAny for multiple \
             audiences]",
        ),
        (
            "url: https://i, audiences: [a], audienceMatchPolicy: All",
            "jwt[0].issuer.audienceMatchPolicy: Invalid value: \"All\": audienceMatchPolicy must be empty or MatchAny \
             for single audience",
        ),
        (
            "url: https://i, audiences: [a], certificateAuthority: nonsense",
            "jwt[0].issuer.certificateAuthority: Invalid value: \"<omitted>\": data does not contain any valid RSA or \
             ECDSA certificates",
        ),
        (
            "url: https://i, audiences: [a], egressSelectorType: cluster",
            "jwt[0].issuer.egressSelectorType: Invalid value: \"cluster\": egress selectors are not supported: issuers \
             are asked directly",
        ),
    ] {
        assert_eq!(errors(&format!("issuer: {{{issuer}}}"), NAME), told, "{issuer}");
    }
}

#[test]
fn mappings_are_judged() {
    let invalid = |field: &str, value: &str, why: &str| {
        format!("jwt[0].claimMappings.{field}: Invalid value: \"{value}\": {why}")
    };
    let reserved = "k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use";
    for (mappings, told) in [
        ("{}", "jwt[0].claimMappings.username: Required value: claim or expression is required".to_string()),
        (
            "{username: {claim: sub}}",
            "jwt[0].claimMappings.username.prefix: Required value: prefix is required when claim is set. It can be set \
             to an empty string to disable prefixing"
                .to_string(),
        ),
        (
            "{username: {claim: sub, prefix: '', expression: claims.sub}}",
            invalid("username", "", "claim and expression can't both be set"),
        ),
        (
            "{username: {prefix: p, expression: claims.sub}}",
            invalid("username.prefix", "p", "may not be specified when expression is set"),
        ),
        (
            "{username: {expression: claims.email}}",
            invalid(
                "username.expression",
                "claims.email",
                "claims.email_verified must be used in claimMappings.username.expression or \
                 claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used \
                 in claimMappings.username.expression",
            ),
        ),
        (
            "{username: {expression: claims.sub}, uid: {claim: a, expression: claims.a}}",
            invalid("uid", "", "claim and expression can't both be set"),
        ),
        (
            "{username: {expression: claims.sub}, extra: [{key: foo, valueExpression: claims.a}]}",
            invalid("extra[0].key", "foo", "must be a domain-prefixed path (such as \\\"acme.io/foo\\\")")
                .replace("\\\"", "\""),
        ),
        (
            "{username: {expression: claims.sub}, extra: [{key: a.k8s.io/x, valueExpression: claims.a}]}",
            invalid("extra[0].key", "a.k8s.io/x", reserved),
        ),
        (
            "{username: {expression: claims.sub}, extra: [{key: a.io/X, valueExpression: claims.a}]}",
            invalid("extra[0].key", "a.io/X", "must be lowercase"),
        ),
        (
            "{username: {expression: claims.sub}, extra: [{key: a.io/x, valueExpression: ''}]}",
            "jwt[0].claimMappings.extra[0].valueExpression: Required value".to_string(),
        ),
    ] {
        assert_eq!(errors(ISSUER, &format!("claimMappings: {mappings}")), told, "{mappings}");
    }
    let broken = errors(ISSUER, "claimMappings: {username: {expression: 'claims.('}}");
    let head =
        "jwt[0].claimMappings.username.expression: Invalid value: \"claims.(\": compilation failed: ERROR: <input>:1:";
    assert!(broken.starts_with(head), "{broken}");
    let verified = "claimMappings: {username: {expression: claims.email}}, \
                    claimValidationRules: [{expression: claims.?email_verified.orValue(true) == true}]";
    assert_eq!(errors(ISSUER, verified), "");
}

#[test]
fn rules_are_judged() {
    for (rules, told) in [
        (
            "claimValidationRules: [{}]",
            "jwt[0].claimValidationRules[0]: Required value: claim or expression is required",
        ),
        (
            "claimValidationRules: [{claim: a, expression: 'true'}]",
            "jwt[0].claimValidationRules[0]: Invalid value: \"a\": claim and expression can't both be set",
        ),
        (
            "claimValidationRules: [{claim: a, message: m}, {claim: a}]",
            "[jwt[0].claimValidationRules[0].message: Invalid value: \"m\": may not be specified when claim is set, \
             jwt[0].claimValidationRules[1].claim: Duplicate value: \"a\"]",
        ),
        (
            "claimValidationRules: [{expression: 'true', requiredValue: v}, {expression: 'true'}]",
            "[jwt[0].claimValidationRules[0].requiredValue: Invalid value: \"v\": may not be specified when expression \
             is set, jwt[0].claimValidationRules[1].expression: Duplicate value: \"true\"]",
        ),
        (
            "claimValidationRules: [{expression: claims.fine}]",
            "jwt[0].claimValidationRules[0].expression: Invalid value: \"claims.fine\": must evaluate to bool",
        ),
        ("userValidationRules: [{message: m}]", "jwt[0].userValidationRules[0].expression: Required value"),
        (
            "userValidationRules: [{expression: user.username}]",
            "jwt[0].userValidationRules[0].expression: Invalid value: \"user.username\": must evaluate to bool",
        ),
    ] {
        assert_eq!(errors(ISSUER, &format!("{NAME}, {rules}")), told, "{rules}");
    }
}

#[test]
fn the_whole_is_judged() {
    let twice = error(&format!("jwt: [{{{ISSUER}, {NAME}}}, {{{ISSUER}, {NAME}}}]"));
    assert_eq!(
        twice,
        "invalid authentication configuration: jwt[1].issuer.url: Duplicate value: \"https://i.example.com\""
    );
    let many: Vec<String> =
        (0..65).map(|n| format!("{{issuer: {{url: https://i{n}, audiences: [a]}}, {NAME}}}")).collect();
    let many = error(&format!("jwt: [{}]", many.join(", ")));
    assert_eq!(many, "invalid authentication configuration: jwt: Too many: 65: must have at most 64 items");
    let anonymous = error("anonymous: {enabled: false, conditions: [{path: /a}]}");
    assert_eq!(
        anonymous,
        "invalid authentication configuration: anonymous.conditions: Invalid value: [{\"path\":\"/a\"}]: enabled should \
         be set to true when conditions are defined"
    );
    let unknown = error("jwt: [{issuer: {uri: x}}]");
    assert!(unknown.contains("unknown field `uri`") && unknown.contains("jwt[0].issuer"), "{unknown}");
    let other = AuthenticationConfig::parse("apiVersion: v1\nkind: Pod\n", OWN).unwrap_err().to_string();
    assert!(other.ends_with("not v1 and Pod"), "{other}");
}

#[test]
fn flags_are_judged_like_the_file() {
    let flags = OidcFlags {
        issuer_url: "http://i".into(),
        client_id: "c".into(),
        username_claim: "sub".into(),
        signing_algs: vec!["RS256".into()],
        ..OidcFlags::default()
    };
    let error = |flags: &OidcFlags| AuthenticationConfig::of_flags(flags, OWN).unwrap_err().to_string();
    let told = "invalid authentication configuration: jwt[0].issuer.url: Invalid value: \"http://i\": URL scheme must be https";
    assert_eq!(error(&flags), told);
    for name in ["ES512", "HS256", "none"] {
        let flags = OidcFlags { signing_algs: vec![name.into()], ..flags.clone() };
        assert_eq!(error(&flags), format!("oidc: unsupported signing alg: {name:?}"));
    }
}
