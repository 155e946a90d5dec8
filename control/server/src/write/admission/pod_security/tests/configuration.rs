use super::super::config::PodSecurityConfig;

const HEAD: &str = "apiVersion: pod-security.admission.config.k8s.io/v1\nkind: PodSecurityConfiguration\n";

fn parse(rest: &str) -> Result<PodSecurityConfig, String> {
    PodSecurityConfig::parse(&format!("{HEAD}{rest}")).map_err(|error| error.to_string())
}

#[test]
fn what_is_not_said_is_privileged_and_nobody_is_exempt() {
    let config = parse("").unwrap();
    assert!(config.defaults.is_fully_privileged());
    assert_eq!(config.exempt.usernames.len() + config.exempt.namespaces.len() + config.exempt.runtime_classes.len(), 0);
    let config = parse(
        "defaults: { enforce: baseline, enforce-version: v1.30, warn: restricted }\n\
         exemptions: { usernames: [jane], namespaces: [kube-system], runtimeClasses: [wasm-isolated] }\n",
    )
    .unwrap();
    let texts = config.defaults.modes().map(|(_, standard)| standard.to_string());
    assert_eq!(texts, ["baseline:v1.30", "privileged:latest", "restricted:latest"]);
    assert_eq!((config.exempt.usernames, config.exempt.namespaces), (vec!["jane".into()], vec!["kube-system".into()]));
    assert_eq!(config.exempt.runtime_classes, ["wasm-isolated"]);
}

#[test]
fn mistakes_are_told_with_their_place() {
    let error = parse(
        "defaults: { enforce: strict, audit-version: '1' }\n\
         exemptions: { usernames: [''], namespaces: [a, a], runtimeClasses: [A] }\n",
    )
    .unwrap_err();
    for part in [
        r#"defaults.enforce: Invalid value: "strict": must be one of privileged, baseline, restricted"#,
        r#"defaults.audit-version: Invalid value: "1": must be "latest" or "v1.x""#,
        r#"exemptions.namespaces[1]: Duplicate value: "a""#,
        r#"exemptions.runtimeClasses[0]: Invalid value: "A": a lowercase RFC 1123 subdomain"#,
        "exemptions.usernames[0]: Required value",
    ] {
        assert!(error.contains(part), "{part} in {error}");
    }
    assert!(parse("defaults: { enforced: baseline }\n").unwrap_err().contains("does not parse"));
    let other = PodSecurityConfig::parse("apiVersion: v1\nkind: Pod\n").unwrap_err().to_string();
    assert!(other.ends_with("not v1 and Pod"), "{other}");
}
