use super::*;

fn with_resources(resources: &str) -> String {
    format!("apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n{resources}")
}

/// One list of resources with one provider.
fn with(names: &str, provider: &str) -> String {
    with_resources(&format!("- resources: {names}\n  providers:\n  - {provider}\n"))
}

fn refusal(text: &str) -> String {
    match Encryption::from_yaml(text, Path::new("keys.yaml")) {
        Err(EncryptionError::Invalid { path, reason }) => {
            assert_eq!(path, Path::new("keys.yaml"));
            reason
        }
        other => panic!("{other:?} for\n{text}"),
    }
}

fn key(secret: &str) -> String {
    format!("{{keys: [{{name: key1, secret: {secret:?}}}]}}")
}

/// The texts are those of Kubernetes' validation.
#[test]
fn what_is_wrong_is_said_as_kubernetes_says_it() {
    let identity = "identity: {}";
    let first = "resources[0].resources[0]: Invalid value: ";
    let list = "resources[0].resources: Invalid value: ";
    for (names, said) in [
        ("[Secrets]", format!("{first}\"Secrets\": resource name should not contain capital letters")),
        (
            "['*']",
            format!(
                "{first}\"*\": use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources"
            ),
        ),
        (
            "[apiserveripinfo]",
            format!("{first}\"apiserveripinfo\": resources which do not have REST API/s cannot be encrypted"),
        ),
        ("['secrets.*']", format!("{first}\"secrets.*\": encrypting the same resource across groups is not supported")),
        (
            "[ingresses.extensions]",
            format!(
                "{first}\"ingresses.extensions\": 'extensions' group has been removed and cannot be used for encryption"
            ),
        ),
        ("[a, a]", format!("{list}[\"a\", \"a\"]: the same resource cannot be specified multiple times")),
        (
            "[a, '*.']",
            format!(
                "{list}[\"a\", \"*.\"]: using overlapping resources such as 'secrets' and '*.' in the same resource list is \
                 not allowed as they will be masked"
            ),
        ),
        ("[]", "resources[0].resources: Required value: at least one resources[0].resources is required".into()),
    ] {
        assert_eq!(refusal(&with(names, identity)), said, "{names}");
    }
    let path = "resources[0].providers[0]";
    let short = "c2hvcnQ=";
    for (provider, said) in [
        (
            format!("aesgcm: {}", key(short)),
            format!(
                "{path}.aesgcm.keys[0].secret: Invalid value: \"REDACTED\": secret is not of the expected length, got 5, \
                 expected one of [16 24 32]"
            ),
        ),
        (
            format!("secretbox: {}", key(short)),
            format!(
                "{path}.secretbox.keys[0].secret: Invalid value: \"REDACTED\": secret is not of the expected length, got \
                 5, expected one of [32]"
            ),
        ),
        (
            format!("aescbc: {}", key("no base64!")),
            format!("{path}.aescbc.keys[0].secret: Invalid value: \"REDACTED\": secrets must be base64 encoded"),
        ),
        (
            format!("aescbc: {}", key("")),
            format!("{path}.aescbc.keys[0].secret: Required value: secret is a mandatory field for a key"),
        ),
        ("aesgcm: {keys: []}".into(), format!("{path}.aesgcm.keys: Required value: at least one keys is required")),
        (
            "{identity: {}, aesgcm: {keys: []}}".into(),
            format!(
                "{path}: Invalid value: more than one provider specified in a single element, should split into different \
                 list elements"
            ),
        ),
        (
            "kms: {name: a, endpoint: unix:///x}".into(),
            format!("{path}.kms: Forbidden: KMS plugins are not supported, only keys in this file"),
        ),
    ] {
        assert_eq!(refusal(&with("[secrets]", &provider)), said, "{provider}");
    }
    assert_eq!(refusal(&with_resources("  []")), "resources: Required value: at least one resources is required");
}

/// What a parser would quote may be a key.
#[test]
fn no_message_repeats_a_key() {
    let secret = secret(7);
    for text in [
        with("[secrets]", &format!("aesgcm: {{keys: [{{name: key1, secret: [{secret}]}}]}}")),
        with("[secrets]", &format!("aesgcm: {{keys: [{secret:?}]}}")),
        with("[secrets]", &format!("aesgcm: {secret:?}")),
        with("[secrets]", &format!("aesgcm: {}", key(&secret[1..]))),
    ] {
        let reason = refusal(&text);
        assert!(!reason.contains(&secret[1..20]), "{reason}");
    }
}

#[test]
fn a_typo_and_another_kind_are_refused() {
    let typo = with("[secrets]", "aesgcm: {keys: [{nome: a}]}");
    assert!(refusal(&typo).starts_with("unknown field `nome` at line "), "{}", refusal(&typo));
    let kind = with("[secrets]", "identity: {}").replace("kind: EncryptionConfiguration", "kind: Policy");
    assert_eq!(
        refusal(&kind),
        "expected kind \"EncryptionConfiguration\" of \"apiserver.config.k8s.io/v1\", not kind \"Policy\" of \
         \"apiserver.config.k8s.io/v1\""
    );
}

/// The most specific rule of a resource counts; a rule that a more general one has masked before is refused.
#[test]
fn wildcards_cover_groups_and_everything() {
    let part = |names: &str, byte: u8| {
        let secret = secret(byte);
        format!("- resources: {names}\n  providers:\n  - aesgcm: {{keys: [{{name: key{byte}, secret: {secret}}}]}}\n")
    };
    let parts = [part("[secrets, deployments.apps]", 1), part("['*.', '*.apps']", 2), part("['*.*']", 3)];
    let encryption = Encryption::from_yaml(&with_resources(&parts.concat()), Path::new("x")).unwrap();
    for (resource, key) in [
        ("secrets", "key1"),
        ("deployments.apps", "key1"),
        ("configmaps", "key2"),
        ("statefulsets.apps", "key2"),
        ("secrets.example.com", "key3"),
    ] {
        let value = encryption.seal(resource, b"a", JSON).unwrap().unwrap();
        assert!(value.starts_with(format!("k8s:enc:aesgcm:v1:{key}:").as_bytes()), "{resource}");
    }
    let masked = [part("['*.']", 1), part("[secrets]", 2)].concat();
    assert_eq!(refusal(&with_resources(&masked)), "resource \"secrets\" is masked by earlier rule \"*.\"");
    let masked = [part("['*.*']", 1), part("['*.apps']", 2)].concat();
    assert_eq!(refusal(&with_resources(&masked)), "resource \"*.apps\" is masked by earlier rule \"*.*\"");
}

/// A resource in two parts has the providers of both, one behind the other.
#[test]
fn a_resource_may_be_named_twice() {
    let part = |byte: u8| {
        format!(
            "- resources: [secrets]\n  providers:\n  - aesgcm: {{keys: [{{name: key{byte}, secret: {}}}]}}\n",
            secret(byte)
        )
    };
    let encryption = Encryption::from_yaml(&with_resources(&[part(1), part(2)].concat()), Path::new("x")).unwrap();
    let old = sealed(&configured(&["aesgcm key2 2"]), b"a", JSON);
    assert_eq!(encryption.open("secrets", b"a", &old), Ok((Some(JSON.to_vec()), Form::Stale)));
    assert!(sealed(&encryption, b"a", JSON).starts_with(b"k8s:enc:aesgcm:v1:key1:"));
}

/// All lengths that Kubernetes takes work, 24 bytes too.
#[test]
fn aes_keys_of_all_lengths_encrypt() {
    for length in [16, 24, 32] {
        use base64::Engine as _;
        let secret = base64::engine::general_purpose::STANDARD.encode(vec![5; length]);
        for cipher in ["aesgcm", "aescbc"] {
            let text = with("[secrets]", &format!("{cipher}: {}", key(&secret)));
            let encryption = Encryption::from_yaml(&text, Path::new("x")).unwrap();
            let value = sealed(&encryption, b"a", JSON);
            assert_eq!(encryption.open("secrets", b"a", &value).unwrap().0, Some(JSON.to_vec()));
        }
    }
}

/// Made up keys are the owner's only, are not on disk before they are needed, and are found again.
#[test]
fn a_file_of_keys_is_made_once() {
    use std::os::unix::fs::MetadataExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys/encryption.yaml");
    let invented = Encryption::kept_in(&path).unwrap();
    assert!(!path.exists() && invented.encrypts());
    let foreign = sealed(&configured(&["aesgcm key1 1"]), b"a", JSON);
    let error = invented.open("secrets", b"a", &foreign).unwrap_err().to_string();
    assert!(error.starts_with("it is encrypted with the aesgcm key \"key1\", and "), "{error}");
    assert!(error.contains("encryption.yaml does not exist; put the file back"), "{error}");
    invented.persist().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    let value = sealed(&invented, b"a", JSON);
    assert_eq!(invented.open("secrets", b"a", &value), Ok((Some(JSON.to_vec()), Form::Current)));
    let text = std::fs::read(&path).unwrap();
    let found = Encryption::kept_in(&path).unwrap();
    found.persist().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), text);
    assert_eq!(found.open("secrets", b"a", &value), Ok((Some(JSON.to_vec()), Form::Current)));
    assert_eq!(found.open("secrets", b"a", JSON), Ok((None, Form::Plain)));
    let others = tempfile::tempdir().unwrap();
    let other = Encryption::kept_in(&others.path().join("x")).unwrap();
    other.persist().unwrap();
    assert!(other.open("secrets", b"a", &value).is_err(), "each cluster has keys of its own");
}
