//! The three ciphers. Each is given keys that are this object's own, and writes its nonce in front.

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockDecryptMut as _, BlockEncryptMut as _, KeyIvInit as _};
use crypto_secretbox::XSalsa20Poly1305;
use crypto_secretbox::aead::{Aead as _, KeyInit as _};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::{aead, hmac};

/// How a provider encrypts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cipher {
    /// AES-256 in Galois/Counter mode: nonce, text, tag. The object is also the associated data.
    AesGcm,
    /// AES-256 in CBC mode with PKCS#7 padding, and an HMAC-SHA-256 over all of it: vector, text, code. In Kubernetes this
    /// provider has no such code, and whoever can change a value can change what it says.
    AesCbc,
    /// XSalsa20 and Poly1305: nonce, tag, text.
    SecretBox,
}

const GCM_NONCE_BYTES: usize = aead::NONCE_LEN;
const CBC_VECTOR_BYTES: usize = 16;
const CBC_CODE_BYTES: usize = 32;
const BOX_NONCE_BYTES: usize = 24;

impl Cipher {
    /// What a value takes more than its text and its prefix, at most.
    pub(super) const OVERHEAD_BYTES: usize = CBC_VECTOR_BYTES + 16 + CBC_CODE_BYTES;

    /// The provider's name in configurations and values.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::AesGcm => "aesgcm",
            Self::AesCbc => "aescbc",
            Self::SecretBox => "secretbox",
        }
    }

    /// The lengths that a configured secret may have.
    pub(super) fn secret_bytes(self) -> &'static [usize] {
        match self {
            Self::AesGcm | Self::AesCbc => &[16, 24, 32],
            Self::SecretBox => &[32],
        }
    }

    /// Appends `plain`, encrypted, to `out`. `key` derives a key for a purpose. `None` if there are no random numbers.
    pub(super) fn seal(
        self,
        key: impl Fn(&str) -> [u8; 32],
        context: &[u8],
        plain: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<()> {
        match self {
            Self::AesGcm => {
                let nonce = random::<GCM_NONCE_BYTES>()?;
                out.extend_from_slice(&nonce);
                let start = out.len();
                out.extend_from_slice(plain);
                let nonce = aead::Nonce::assume_unique_for_key(nonce);
                let (key, text) = (gcm(&key("text"))?, &mut out[start..]);
                let tag = key.seal_in_place_separate_tag(nonce, aead::Aad::from(context), text).ok()?;
                out.extend_from_slice(tag.as_ref());
            }
            Self::AesCbc => {
                let vector = random::<CBC_VECTOR_BYTES>()?;
                let start = out.len();
                out.extend_from_slice(&vector);
                let encryptor = cbc::Encryptor::<aes::Aes256>::new(&key("text").into(), &vector.into());
                out.extend_from_slice(&encryptor.encrypt_padded_vec_mut::<Pkcs7>(plain));
                let code = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key("code")), &out[start..]);
                out.extend_from_slice(code.as_ref());
            }
            Self::SecretBox => {
                let nonce = random::<BOX_NONCE_BYTES>()?;
                out.extend_from_slice(&nonce);
                let cipher = XSalsa20Poly1305::new(&key("text").into());
                out.extend_from_slice(&cipher.encrypt(&nonce.into(), plain).ok()?);
            }
        }
        Some(())
    }

    /// What `body` says; `None` if anything about it is not as it was written.
    pub(super) fn open(self, key: impl Fn(&str) -> [u8; 32], context: &[u8], body: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::AesGcm => {
                let (nonce, text) = body.split_first_chunk::<GCM_NONCE_BYTES>()?;
                let (nonce, mut text) = (aead::Nonce::assume_unique_for_key(*nonce), text.to_vec());
                let length = gcm(&key("text"))?.open_in_place(nonce, aead::Aad::from(context), &mut text).ok()?.len();
                text.truncate(length);
                Some(text)
            }
            Self::AesCbc => {
                let (written, code) = body.split_last_chunk::<CBC_CODE_BYTES>()?;
                hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &key("code")), written, code).ok()?;
                let (vector, text) = written.split_first_chunk::<CBC_VECTOR_BYTES>()?;
                let decryptor = cbc::Decryptor::<aes::Aes256>::new(&key("text").into(), &(*vector).into());
                decryptor.decrypt_padded_vec_mut::<Pkcs7>(text).ok()
            }
            Self::SecretBox => {
                let (nonce, text) = body.split_first_chunk::<BOX_NONCE_BYTES>()?;
                XSalsa20Poly1305::new(&key("text").into()).decrypt(&(*nonce).into(), text).ok()
            }
        }
    }
}

fn gcm(key: &[u8; 32]) -> Option<aead::LessSafeKey> {
    Some(aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_256_GCM, key).ok()?))
}

/// Random bytes from the operating system.
pub(super) fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes)
}
