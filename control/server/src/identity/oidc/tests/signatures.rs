//! What verifies, and what must not.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
    RsaEncoding, RsaKeyPair, RsaPublicKeyComponents,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use crate::identity::oidc::algorithm::Algorithm;
use crate::identity::oidc::jwks::Keys;
use crate::identity::oidc::jwt::Jwt;

const PEM: &str = include_str!("../../../../tests/keys/issuer.pem");
const OTHER_PEM: &str = include_str!("../../../../tests/keys/other_issuer.pem");

fn rsa(pem: &str) -> RsaKeyPair {
    RsaKeyPair::from_pkcs8(PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).unwrap().secret_pkcs8_der()).unwrap()
}

fn rsa_key(pair: &RsaKeyPair, id: &str) -> Value {
    let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    json!({ "kty": "RSA", "kid": id, "use": "sig", "n": encode(&public.n), "e": encode(&public.e) })
}

fn ecdsa(algorithm: &'static EcdsaSigningAlgorithm) -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let der = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(algorithm, der.as_ref(), &random).unwrap()
}

fn ecdsa_key(pair: &EcdsaKeyPair, curve: &str, id: &str) -> Value {
    let point = &pair.public_key().as_ref()[1..];
    let (x, y) = point.split_at(point.len() / 2);
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    json!({ "kty": "EC", "crv": curve, "kid": id, "x": encode(x), "y": encode(y) })
}

fn set(keys: &[Value]) -> Keys {
    Keys::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn token(header: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let claims = json!({ "iss": "https://i", "aud": "me", "sub": "jane", "exp": 2_000 });
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let signed = format!("{}.{}", encode(header), encode(&claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn by_rsa(pair: &RsaKeyPair, encoding: &'static dyn RsaEncoding) -> impl FnOnce(&[u8]) -> Vec<u8> {
    move |signed| {
        let mut signature = vec![0; pair.public().modulus_len()];
        pair.sign(encoding, &SystemRandom::new(), signed, &mut signature).unwrap();
        signature
    }
}

fn have_signed(keys: &Keys, token: &str) -> bool {
    keys.have_signed(&Jwt::parse(token).unwrap())
}

#[test]
fn every_algorithm_verifies_by_its_own_name_only() {
    let (pair, other) = (rsa(PEM), rsa(OTHER_PEM));
    let keys = set(&[rsa_key(&pair, "r")]);
    let encodings: [(&str, &'static dyn RsaEncoding); 6] = [
        ("RS256", &RSA_PKCS1_SHA256),
        ("RS384", &RSA_PKCS1_SHA384),
        ("RS512", &RSA_PKCS1_SHA512),
        ("PS256", &RSA_PSS_SHA256),
        ("PS384", &RSA_PSS_SHA384),
        ("PS512", &RSA_PSS_SHA512),
    ];
    for (name, encoding) in encodings {
        for (said, _) in Algorithm::ALL {
            let signed = token(&json!({ "alg": said, "kid": "r" }), by_rsa(&pair, encoding));
            assert_eq!(have_signed(&keys, &signed), said == name, "{name} as {said}");
        }
        let foreign = token(&json!({ "alg": name, "kid": "r" }), by_rsa(&other, encoding));
        assert!(!have_signed(&keys, &foreign), "{name}");
    }
}

#[test]
fn curves_verify_by_their_own_algorithm() {
    let random = SystemRandom::new();
    let (small, large) = (ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING), ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING));
    let keys = set(&[ecdsa_key(&small, "P-256", "s"), ecdsa_key(&large, "P-384", "l")]);
    for (pair, id, own) in [(&small, "s", "ES256"), (&large, "l", "ES384")] {
        for said in ["ES256", "ES384", "ES512", "RS256"] {
            let sign = |signed: &[u8]| pair.sign(&random, signed).unwrap().as_ref().to_vec();
            assert_eq!(have_signed(&keys, &token(&json!({ "alg": said, "kid": id }), sign)), said == own, "{said}");
        }
    }
}

#[test]
fn a_token_names_its_key_or_is_tried_with_all() {
    let (pair, other) = (rsa(PEM), rsa(OTHER_PEM));
    let keys = set(&[rsa_key(&other, "a"), rsa_key(&pair, "b")]);
    let of = |header: Value| token(&header, by_rsa(&pair, &RSA_PKCS1_SHA256));
    assert!(have_signed(&keys, &of(json!({ "alg": "RS256" }))));
    assert!(have_signed(&keys, &of(json!({ "alg": "RS256", "kid": "b" }))));
    assert!(!have_signed(&keys, &of(json!({ "alg": "RS256", "kid": "a" }))));
    assert!(!have_signed(&keys, &of(json!({ "alg": "RS256", "kid": "c" }))));
    // The key that a token brings itself counts for nothing.
    let own = json!({ "alg": "RS256", "kid": "c", "jwk": rsa_key(&pair, "c"), "jku": "https://i/keys" });
    assert!(!have_signed(&keys, &of(own)));
}

#[test]
fn a_public_key_is_no_shared_secret_and_no_signature_is_none() {
    let pair = rsa(PEM);
    let key = rsa_key(&pair, "r");
    let keys = set(std::slice::from_ref(&key));
    let all: Vec<Algorithm> = Algorithm::ALL.iter().map(|(_, algorithm)| *algorithm).collect();
    let modulus = URL_SAFE_NO_PAD.decode(key["n"].as_str().unwrap()).unwrap();
    let secrets = [pair.public().as_ref().to_vec(), modulus, key.to_string().into_bytes(), PEM.as_bytes().to_vec()];
    let mut tokens: Vec<String> = secrets
        .iter()
        .map(|secret| {
            let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
            token(&json!({ "alg": "HS256", "kid": "r" }), |signed| hmac::sign(&secret, signed).as_ref().to_vec())
        })
        .collect();
    for none in ["none", "None", "NONE", ""] {
        tokens.push(token(&json!({ "alg": none, "kid": "r" }), |_| Vec::new()));
        tokens.push(token(&json!({ "alg": none, "kid": "r" }), by_rsa(&pair, &RSA_PKCS1_SHA256)));
    }
    let now = Timestamp::from_second(1_000).unwrap();
    for text in tokens {
        let token = Jwt::parse(&text).unwrap();
        assert!(!keys.have_signed(&token), "{text}");
        assert!(token.check(&["me".into()], &all, now).unwrap_err().contains("unsupported algorithm"), "{text}");
    }
}

#[test]
fn a_token_is_believed_as_it_was_signed() {
    let pair = rsa(PEM);
    let keys = set(&[rsa_key(&pair, "r")]);
    let good = token(&json!({ "alg": "RS256", "kid": "r" }), by_rsa(&pair, &RSA_PKCS1_SHA256));
    assert!(have_signed(&keys, &good));
    let parts: Vec<&str> = good.split('.').collect();
    let claims = URL_SAFE_NO_PAD.encode(json!({ "iss": "https://i", "aud": "me", "sub": "admin" }).to_string());
    assert!(!have_signed(&keys, &format!("{}.{claims}.{}", parts[0], parts[2])));
    let header = URL_SAFE_NO_PAD.encode(json!({ "alg": "RS256", "kid": "r", "typ": "JWT" }).to_string());
    assert!(!have_signed(&keys, &format!("{header}.{}.{}", parts[1], parts[2])));
    assert!(!have_signed(&keys, &format!("{}.{}.", parts[0], parts[1])));
    assert!(!have_signed(&Keys::default(), &good));
}
