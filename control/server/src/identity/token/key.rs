//! The key that signs tokens: ECDSA on P-256 with SHA-256 (`ES256` of RFC 7518).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const ALGORITHM: &str = "ES256";

/// `SubjectPublicKeyInfo` (RFC 5480) of a P-256 key, up to the point itself.
const SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Longest token that is looked at: those of this server have about one KB.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Why tokens can't be signed.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key is not what it should be.
    #[error("the service account key is not a P-256 private key in PKCS#8 PEM")]
    Malformed,
    /// There is no randomness, or no key can be made.
    #[error("a token cannot be signed")]
    Signing,
}

/// See the module's documentation.
pub(crate) struct TokenKey {
    pair: EcdsaKeyPair,
    /// How verifiers find the key: the hash of its public half, as Kubernetes has it.
    id: String,
    random: SystemRandom,
}

impl TokenKey {
    /// The key in a PEM file.
    pub(crate) fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| KeyError::Malformed)?;
        Self::from_der(der.secret_pkcs8_der())
    }

    /// A new key, for a server that forgets it at its end.
    pub(crate) fn generate() -> Result<Self, KeyError> {
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        Self::from_der(der.map_err(|_| KeyError::Signing)?.as_ref())
    }

    fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &random);
        let pair = pair.map_err(|_| KeyError::Malformed)?;
        let mut hash = Sha256::new();
        hash.update(SPKI_PREFIX);
        hash.update(pair.public_key().as_ref());
        let id = URL_SAFE_NO_PAD.encode(hash.finalize());
        Ok(Self { pair, id, random })
    }

    /// The claims as a signed token.
    pub(super) fn sign(&self, claims: &Value) -> Result<String, KeyError> {
        let header = json!({ "alg": ALGORITHM, "kid": self.id });
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encode(&header), encode(claims));
        let signature = self.pair.sign(&self.random, signed.as_bytes()).map_err(|_| KeyError::Signing)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The claims of a token that this key has signed.
    pub(super) fn verify(&self, token: &str) -> Option<Value> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        // Nothing else is ever signed by this key, and `none` is no algorithm.
        if header["alg"] != ALGORITHM {
            return None;
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.pair.public_key().as_ref());
        public.verify(signed.as_bytes(), &signature).ok()?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }

    /// The public half as a JSON Web Key.
    pub(super) fn jwk(&self) -> Value {
        // An uncompressed point: 4, then both coordinates.
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        json!({
            "use": "sig", "kty": "EC", "kid": self.id, "crv": "P-256", "alg": ALGORITHM,
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_believed_as_it_was_signed_and_no_other() {
        let key = TokenKey::generate().unwrap();
        let token = key.sign(&json!({ "sub": "a" })).unwrap();
        assert_eq!(key.verify(&token), Some(json!({ "sub": "a" })));
        assert_eq!(TokenKey::generate().unwrap().verify(&token), None);
        let parts: Vec<&str> = token.split('.').collect();
        let other = URL_SAFE_NO_PAD.encode(r#"{"sub":"b"}"#);
        assert_eq!(key.verify(&format!("{}.{other}.{}", parts[0], parts[2])), None);
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        assert_eq!(key.verify(&format!("{none}.{}.", parts[1])), None);
        assert_eq!(key.verify("x"), None);
    }

    #[test]
    fn keys_are_read_from_pem_and_keep_their_id() {
        let pem = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let (a, b) = (TokenKey::from_pem(&pem).unwrap(), TokenKey::from_pem(&pem).unwrap());
        assert_eq!(a.jwk(), b.jwk());
        assert!(matches!(TokenKey::from_pem("nonsense"), Err(KeyError::Malformed)));
    }
}
