use proptest::prelude::*;

use super::*;

mod configuration;

/// A secret in base64: 32 bytes of `byte`.
pub(crate) fn secret(byte: u8) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode([byte; 32])
}

/// A configuration for Secrets. Each provider is `identity`, or `CIPHER NAME BYTE`.
pub(crate) fn configured(providers: &[&str]) -> Encryption {
    let provider = |text: &&str| match text.split(' ').collect::<Vec<_>>()[..] {
        [cipher, name, byte] => {
            let secret = secret(byte.parse().unwrap());
            format!("  - {cipher}:\n      keys:\n      - name: {name}\n        secret: {secret}\n")
        }
        _ => "  - identity: {}\n".to_owned(),
    };
    let providers: String = providers.iter().map(provider).collect();
    let text = format!(
        "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: [secrets]\n  \
         providers:\n{providers}"
    );
    Encryption::from_yaml(&text, Path::new("keys.yaml")).unwrap()
}

const CIPHERS: [&str; 3] = ["aesgcm", "aescbc", "secretbox"];
const JSON: &[u8] = br#"{"kind":"Secret"}"#;

fn sealed(encryption: &Encryption, context: &[u8], plain: &[u8]) -> Vec<u8> {
    encryption.seal("secrets", context, plain).unwrap().expect("Secrets are encrypted")
}

/// Every cipher's value says which provider and key wrote it, as in Kubernetes.
#[test]
fn values_carry_the_provider_and_the_key() {
    for cipher in CIPHERS {
        let encryption = configured(&[&format!("{cipher} key1 1")]);
        let value = sealed(&encryption, b"a", JSON);
        assert!(value.starts_with(format!("k8s:enc:{cipher}:v1:key1:").as_bytes()));
        assert_eq!(encryption.open("secrets", b"a", &value), Ok((Some(JSON.to_vec()), Form::Current)));
    }
}

/// The first writes, all read, and what was not written by the first is stale.
#[test]
fn old_keys_and_other_providers_are_read_and_stale() {
    let old: Vec<_> = CIPHERS.iter().map(|cipher| configured(&[&format!("{cipher} old 1")])).collect();
    let new = configured(&["secretbox new 2", "aesgcm old 1", "aescbc old 1", "secretbox old 1", "identity"]);
    for old in &old {
        let value = sealed(old, b"a", JSON);
        assert_eq!(new.open("secrets", b"a", &value), Ok((Some(JSON.to_vec()), Form::Stale)));
    }
    assert_eq!(new.open("secrets", b"a", JSON), Ok((None, Form::Plain)));
    assert!(sealed(&new, b"a", JSON).starts_with(b"k8s:enc:secretbox:v1:new:"));
}

/// `identity` in front writes plain, and what is encrypted is stale.
#[test]
fn identity_in_front_stops_encrypting() {
    let value = sealed(&configured(&["aesgcm key1 1"]), b"a", JSON);
    let off = configured(&["identity", "aesgcm key1 1"]);
    assert!(!off.encrypts());
    assert_eq!(off.seal("secrets", b"a", JSON), Ok(None));
    assert_eq!(off.open("secrets", b"a", JSON), Ok((None, Form::Current)));
    assert_eq!(off.open("secrets", b"a", &value), Ok((Some(JSON.to_vec()), Form::Stale)));
}

/// Two keys of the same name: the one that opens the value does.
#[test]
fn keys_of_the_same_name_are_all_tried() {
    let value = sealed(&configured(&["aesgcm key1 1"]), b"a", JSON);
    let both = configured(&["aesgcm key1 2", "aesgcm key1 1"]);
    assert_eq!(both.open("secrets", b"a", &value), Ok((Some(JSON.to_vec()), Form::Stale)));
}

/// What can't be read says which key it wants and what to do.
#[test]
fn refusals_name_the_key_and_the_remedy() {
    let value = sealed(&configured(&["aesgcm key1 1"]), b"a", JSON);
    let refusal = |encryption: &Encryption, value: &[u8]| {
        encryption.open("secrets", b"a", value).expect_err("unreadable").to_string()
    };
    assert_eq!(
        refusal(&configured(&["secretbox key1 1"]), &value),
        "it is encrypted with the aesgcm key \"key1\", which keys.yaml does not have for secrets; add this key to its \
         providers, behind the first one if it is an old key"
    );
    assert_eq!(
        refusal(&configured(&["aesgcm key1 2"]), &value),
        "it does not open with the aesgcm key \"key1\" of keys.yaml: this is another key of the same name, or the value \
         is damaged or of another object; put the right key back, or restore the data directory from a backup"
    );
    assert!(
        refusal(&Encryption::none(), &value).starts_with("it is encrypted with the aesgcm key \"key1\", which the")
    );
    assert_eq!(
        refusal(&configured(&["aesgcm key1 1"]), JSON),
        "it is not encrypted, and keys.yaml does not allow that for secrets; to read it, add `identity: {}` as the last \
         of its providers"
    );
    assert!(refusal(&configured(&["aesgcm key1 1"]), b"k8s:enc:aes").contains("a key whose name is cut off"));
}

/// What is not named is neither encrypted nor looked at.
#[test]
fn other_resources_are_left_alone() {
    let encryption = configured(&["aesgcm key1 1"]);
    assert_eq!(encryption.seal("configmaps", b"a", JSON), Ok(None));
    assert_eq!(encryption.seal("secrets.example.com", b"a", JSON), Ok(None));
    assert_eq!(encryption.open("configmaps", b"a", JSON), Ok((None, Form::Current)));
}

/// Debug output ends up in logs.
#[test]
fn keys_are_not_printed() {
    let text = format!("{:?}", configured(&["aesgcm key1 1"]));
    assert!(text.contains("keys.yaml") && !text.contains(&secret(1)), "{text}");
}

proptest! {
    /// Whatever is sealed comes back, for the same object only, and nothing of it is seen or may be changed.
    #[test]
    fn what_is_sealed_opens_only_whole_and_in_its_place(
        plain in proptest::collection::vec(any::<u8>(), 0..3_000),
        context in proptest::collection::vec(any::<u8>(), 0..80),
        other in proptest::collection::vec(any::<u8>(), 0..80),
        (at, bit, cut) in (any::<prop::sample::Index>(), 0..8_u8, any::<prop::sample::Index>()),
    ) {
        for cipher in CIPHERS {
            // `identity` must not let anything pass either.
            let encryption = configured(&[&format!("{cipher} key1 1"), "identity"]);
            let value = sealed(&encryption, &context, &plain);
            prop_assert_eq!(&encryption.open("secrets", &context, &value), &Ok((Some(plain.clone()), Form::Current)));
            prop_assert!(plain.len() < 8 || !value.windows(plain.len()).any(|part| part == plain));
            prop_assert_ne!(&value, &sealed(&encryption, &context, &plain), "no nonce is used twice");
            if other != context {
                prop_assert!(encryption.open("secrets", &other, &value).is_err());
            }
            prop_assert!(encryption.open("secrets", &context, &value[..cut.index(value.len())]).is_err());
            let mut changed = value.clone();
            changed[at.index(value.len())] ^= 1 << bit;
            // One bit makes the first byte a brace, and then `identity` takes it for JSON, as it does with any.
            let passes = encryption.open("secrets", &context, &changed).is_ok();
            prop_assert!(!passes || changed[0] == 0x7b);
            let another = configured(&[&format!("{cipher} key1 2"), "identity"]);
            prop_assert!(another.open("secrets", &context, &value).is_err());
        }
    }

    /// A file of configuration is somebody's input.
    #[test]
    fn no_text_and_no_value_panics(text in "\\PC{0,200}", value in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Encryption::from_yaml(&text, Path::new("x"));
        let marked = [MARK.as_bytes(), &value].concat();
        for cipher in CIPHERS {
            let encryption = configured(&[&format!("{cipher} key1 1")]);
            prop_assert!(encryption.open("secrets", b"a", &marked).is_err());
            let body = [format!("{MARK}{cipher}:v1:key1:").as_bytes(), &value].concat();
            prop_assert!(encryption.open("secrets", b"a", &body).is_err());
        }
    }
}
