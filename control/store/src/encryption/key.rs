//! A key of a provider. The configured secret encrypts nothing itself: each object has keys of its own, which are
//! derived from it (HMAC-SHA-256 over the provider's name and what the value is bound to).
//!
//! That binds a value to its object with every provider, also those whose cipher authenticates nothing but the value,
//! and random nonces of `aesgcm` need to differ only among the versions of one object, so that no number of writes
//! makes a rotation due. It also means that AES keys of all permitted lengths lead to AES-256.

use std::fmt;

use ring::hmac;

use super::MARK;
use super::cipher::Cipher;

/// Characters of a stored key name that a message repeats.
const SHOWN_NAME_CHARS: usize = 64;

/// A key with its name.
pub(super) struct NamedKey {
    cipher: Cipher,
    name: Box<str>,
    prefix: Box<[u8]>,
    root: hmac::Key,
}

impl NamedKey {
    pub(super) fn new(cipher: Cipher, name: &str, secret: &[u8]) -> Self {
        let prefix = format!("{MARK}{}:v1:{name}:", cipher.name());
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret);
        Self { cipher, name: name.into(), prefix: prefix.into_bytes().into(), root }
    }

    /// What values of this key begin with.
    pub(super) fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// `plain`, encrypted; `None` if the system has no random numbers.
    pub(super) fn seal(&self, context: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = Vec::with_capacity(self.prefix.len() + plain.len() + Cipher::OVERHEAD_BYTES);
        sealed.extend_from_slice(&self.prefix);
        self.cipher.seal(|purpose| self.derive(purpose, context), context, plain, &mut sealed)?;
        Some(sealed)
    }

    /// What stands behind the prefix, decrypted; `None` if it is not what this key wrote there.
    pub(super) fn open(&self, context: &[u8], body: &[u8]) -> Option<Vec<u8>> {
        self.cipher.open(|purpose| self.derive(purpose, context), context, body)
    }

    fn derive(&self, purpose: &str, context: &[u8]) -> [u8; 32] {
        let mut mac = hmac::Context::with_key(&self.root);
        for part in [b"coracle store ", self.cipher.name().as_bytes(), b" v1 ", purpose.as_bytes(), b"\0", context] {
            mac.update(part);
        }
        let mut key = [0; 32];
        key.copy_from_slice(mac.sign().as_ref());
        key
    }
}

impl fmt::Display for NamedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} key {:?}", self.cipher.name(), self.name)
    }
}

/// The key that wrote a value, as the value itself says.
pub(super) fn named_in(stored: &[u8]) -> String {
    let head = &stored[..stored.len().min(512)];
    let head = String::from_utf8_lossy(head);
    let mut parts = head.splitn(6, ':').skip(2);
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(provider), Some(_version), Some(name), Some(_)) => {
            let shown = |text: &str| text.chars().take(SHOWN_NAME_CHARS).collect::<String>();
            format!("the {} key {:?}", shown(provider), shown(name))
        }
        _ => "a key whose name is cut off".into(),
    }
}
