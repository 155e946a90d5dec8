//! The public keys of an issuer: a JSON Web Key Set (RFC 7517).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{EcdsaVerificationAlgorithm, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey};
use serde_json::Value;

use super::algorithm::{Algorithm, Method};
use super::jwt::Jwt;

/// Keys of one issuer that are looked at. Issuers have a handful.
const MAX_KEYS: usize = 100;

/// The keys of an issuer that can be used here; others are passed over.
#[derive(Debug, Default)]
pub(super) struct Keys(Vec<Key>);

#[derive(Debug)]
struct Key {
    /// Empty when the issuer doesn't name its keys.
    id: String,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// Uncompressed points.
    P256(Vec<u8>),
    P384(Vec<u8>),
}

impl Keys {
    /// Reads a key set.
    pub(super) fn parse(json: &[u8]) -> Result<Self, String> {
        let document: Value =
            serde_json::from_slice(json).map_err(|error| format!("oidc: failed to decode keys: {error}"))?;
        let keys = document["keys"].as_array().ok_or("oidc: failed to decode keys: there is no list of keys")?;
        Ok(Self(keys.iter().filter_map(Key::of).take(MAX_KEYS).collect()))
    }

    /// Whether one of the keys that the token may mean has signed it.
    pub(super) fn have_signed(&self, token: &Jwt<'_>) -> bool {
        let meant = |key: &&Key| token.key_id.is_empty() || key.id == token.key_id;
        self.0.iter().filter(meant).any(|key| key.has_signed(token))
    }
}

impl Key {
    fn of(jwk: &Value) -> Option<Self> {
        if jwk["use"].as_str().is_some_and(|usage| usage != "sig") {
            return None;
        }
        let number = |field: &str| URL_SAFE_NO_PAD.decode(jwk[field].as_str()?.trim_end_matches('=')).ok();
        let point = |bytes: usize| {
            let (x, y) = (padded(number("x")?, bytes)?, padded(number("y")?, bytes)?);
            Some([&[4][..], &x, &y].concat())
        };
        let material = match (jwk["kty"].as_str()?, jwk["crv"].as_str()) {
            ("RSA", _) => Material::Rsa { modulus: stripped(number("n")?), exponent: stripped(number("e")?) },
            ("EC", Some("P-256")) => Material::P256(point(32)?),
            ("EC", Some("P-384")) => Material::P384(point(48)?),
            _ => return None,
        };
        Some(Self { id: jwk["kid"].as_str().unwrap_or_default().to_string(), material })
    }

    /// Whether the key, of the type that the token's algorithm needs, has signed it.
    fn has_signed(&self, token: &Jwt<'_>) -> bool {
        let Some(algorithm) = token.algorithm() else { return false };
        match (&self.material, algorithm.method()) {
            (Material::Rsa { modulus, exponent }, Method::Rsa(parameters)) => {
                rsa((modulus, exponent), parameters, token)
            }
            (Material::P256(point), Method::Ecdsa(method)) if algorithm == Algorithm::Es256 => {
                ecdsa(point, method, token)
            }
            (Material::P384(point), Method::Ecdsa(method)) if algorithm == Algorithm::Es384 => {
                ecdsa(point, method, token)
            }
            _ => false,
        }
    }
}

fn rsa((n, e): (&[u8], &[u8]), parameters: &'static RsaParameters, token: &Jwt<'_>) -> bool {
    RsaPublicKeyComponents { n, e }.verify(parameters, token.signed, &token.signature).is_ok()
}

fn ecdsa(point: &[u8], method: &'static EcdsaVerificationAlgorithm, token: &Jwt<'_>) -> bool {
    UnparsedPublicKey::new(method, point).verify(token.signed, &token.signature).is_ok()
}

/// A number without leading zeros, as ring wants it.
fn stripped(number: Vec<u8>) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number[zeros..].to_vec()
}

/// A coordinate in so many bytes: some issuers leave leading zeros out.
fn padded(number: Vec<u8>, bytes: usize) -> Option<Vec<u8>> {
    let missing = bytes.checked_sub(number.len())?;
    Some([vec![0; missing], number].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_that_cannot_be_used_are_passed_over() {
        let coordinate = |bytes: usize| URL_SAFE_NO_PAD.encode(vec![1; bytes]);
        let keys = json!({ "keys": [
            { "kty": "oct", "k": "AAAA", "kid": "shared" },
            { "kty": "EC", "crv": "P-521", "x": coordinate(66), "y": coordinate(66), "kid": "large" },
            { "kty": "EC", "crv": "P-256", "x": coordinate(33), "y": coordinate(32), "kid": "long" },
            { "kty": "EC", "crv": "P-256", "x": coordinate(31), "y": coordinate(32), "kid": "short" },
            { "kty": "EC", "crv": "P-384", "x": coordinate(48), "y": coordinate(48), "kid": "enc", "use": "enc" },
            { "kty": "RSA", "n": URL_SAFE_NO_PAD.encode([0, 0, 5]), "e": "AQAB" },
            "nonsense",
        ] });
        let keys = Keys::parse(keys.to_string().as_bytes()).unwrap();
        let ids: Vec<&str> = keys.0.iter().map(|key| key.id.as_str()).collect();
        assert_eq!(ids, ["short", ""]);
        let Material::P256(point) = &keys.0[0].material else { panic!("another type") };
        assert_eq!((point.len(), &point[..3]), (65, &[4, 0, 1][..]));
        let Material::Rsa { modulus, exponent } = &keys.0[1].material else { panic!("another type") };
        assert_eq!((modulus.as_slice(), exponent.as_slice()), (&[5][..], &[1, 0, 1][..]));
    }

    #[test]
    fn only_so_many_keys_are_looked_at() {
        let key = json!({ "kty": "RSA", "n": "BQ", "e": "AQAB" });
        let keys = Keys::parse(json!({ "keys": vec![key; MAX_KEYS + 1] }).to_string().as_bytes()).unwrap();
        assert_eq!(keys.0.len(), MAX_KEYS);
        assert!(Keys::parse(b"{}").is_err() && Keys::parse(b"<html>").is_err());
    }
}
