//! Compiled programs as bytes, for a cache on disk that only its owner can have filled.
//!
//! A compiled program is machine code: loading it is running it. So it is sealed with a MAC under the owner's
//! key, and nothing is looked at before the seal is checked.
//!
//! Format, numbers little-endian: magic "CORACLE" and format version (8 bytes), HMAC-SHA256 of all that follows
//! (32), the engine's compatibility hash (32), the kind of program (1), the engine's own serialized form.

use std::hash::{Hash, Hasher};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use wasmtime::{Module, component::Component};

use crate::{CompileError, Engine, Program, ProgramKind, engine::Side, program::Artifact};

const MAGIC: &[u8; 8] = b"CORACLE\x01";
const MAC_BYTES: usize = 32;
const HASH_BYTES: usize = 32;
const HEAD_BYTES: usize = MAGIC.len() + MAC_BYTES;
const BODY_HEAD_BYTES: usize = HASH_BYTES + 1;

/// Why stored bytes are not a compiled program this engine may load.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// the compiled program is truncated or is not one
    #[error("the compiled program is truncated or is not one; compile the module again")]
    Malformed,
    /// the compiled program does not carry this node's seal
    #[error("the compiled program does not carry this node's seal, so it is not loaded; compile the module again")]
    Forged,
    /// the compiled program belongs to another version or configuration of the engine
    #[error("the compiled program belongs to another version or configuration of the engine; compile the module again")]
    Incompatible,
    /// the engine refused the compiled program
    #[error("the engine refused the compiled program: {0}; compile the module again")]
    Refused(String),
}

impl Engine {
    /// The compiled form of `program`, sealed with the engine's key, for [`deserialize`](Engine::deserialize).
    pub fn serialize(&self, program: &Program) -> Result<Vec<u8>, CompileError> {
        Engine::serialize_under(self.cache_key(), program)
    }

    /// The same under another key, for an engine that has that one.
    pub(crate) fn serialize_under(key: &[u8; 32], program: &Program) -> Result<Vec<u8>, CompileError> {
        let code = match program.artifact() {
            Artifact::Component(component) => component.serialize(),
            Artifact::Module(module) => module.serialize(),
        }
        .map_err(|error| CompileError::Engine(format!("{error:#}")))?;
        let mut bytes = Vec::with_capacity(HEAD_BYTES + BODY_HEAD_BYTES + code.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&[0; MAC_BYTES]);
        bytes.extend_from_slice(&compatibility(program.engine()));
        bytes.push(kind_to_byte(program.kind()));
        bytes.extend_from_slice(&code);
        let seal = seal(key, &bytes[HEAD_BYTES..]).finalize().into_bytes();
        bytes[MAGIC.len()..HEAD_BYTES].copy_from_slice(&seal);
        Ok(bytes)
    }

    /// Loads what [`serialize`](Engine::serialize) gave. Refuses anything without our seal, or of another
    /// engine version or configuration.
    pub fn deserialize(&self, bytes: &[u8]) -> Result<Program, CacheError> {
        let sealed = bytes.strip_prefix(MAGIC).ok_or(CacheError::Malformed)?;
        let (mac, body) = sealed.split_at_checked(MAC_BYTES).ok_or(CacheError::Malformed)?;
        seal(self.cache_key(), body).verify_slice(mac).map_err(|_| CacheError::Forged)?;
        let (head, code) = body.split_at_checked(BODY_HEAD_BYTES).ok_or(CacheError::Malformed)?;
        let (hash, kind) = head.split_at(HASH_BYTES);
        let kind = kind.first().and_then(|byte| kind_from_byte(*byte)).ok_or(CacheError::Malformed)?;
        let side = self.side_of(hash).ok_or(CacheError::Incompatible)?;
        self.load(side, kind, code)
    }

    /// The side that compiled what carries this hash, if it is one of ours.
    fn side_of(&self, hash: &[u8]) -> Option<&Side> {
        let fits = |side: &Side| hash == compatibility(&side.wasm);
        if fits(self.before3()) {
            return Some(self.before3());
        }
        // Asked last: it is made only then.
        if self.has_wasi_p3() { self.p3().ok().filter(|side| fits(side)) } else { None }
    }

    /// A name for what compiled programs of this engine fit: its version and settings. Part of a cache's key.
    #[must_use]
    pub fn compatibility_hash(&self) -> String {
        compatibility(&self.before3().wasm).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Loads machine code. Callers have checked the seal.
    #[allow(unsafe_code)]
    fn load(&self, side: &Side, kind: ProgramKind, code: &[u8]) -> Result<Program, CacheError> {
        let wasm = &side.wasm;
        // SAFETY: `deserialize` requires bytes that `serialize` of a compatible engine produced, unaltered:
        // anything else could be arbitrary machine code. The only caller has verified the HMAC of exactly these
        // bytes under a key that only this engine's owner has, and the compatibility hash that is part of them.
        let artifact = match kind {
            ProgramKind::CoreCommand => unsafe { Module::deserialize(wasm, code) }.map(Artifact::Module),
            ProgramKind::Http | ProgramKind::HttpP3 | ProgramKind::Command | ProgramKind::CommandP3 => {
                unsafe { Component::deserialize(wasm, code) }.map(Artifact::Component)
            }
        };
        let artifact = artifact.map_err(|error| CacheError::Refused(format!("{error:#}")))?;
        Program::link(self, side, artifact).map_err(|error| CacheError::Refused(error.to_string()))
    }
}

fn seal(key: &[u8; 32], body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(body);
    mac
}

/// What compiled programs have to do with: our version, wasmtime's, and its settings.
fn compatibility(engine: &wasmtime::Engine) -> [u8; HASH_BYTES] {
    let mut hasher = Sha256Hasher(Sha256::new());
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.finalize().into()
}

/// The standard library's hashing, ending in SHA-256: its own hasher may change between releases of Rust.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let hash: [u8; HASH_BYTES] = self.0.clone().finalize().into();
        u64::from_le_bytes(std::array::from_fn(|i| hash[i]))
    }
}

fn kind_to_byte(kind: ProgramKind) -> u8 {
    match kind {
        ProgramKind::Http => 1,
        ProgramKind::Command => 2,
        ProgramKind::CoreCommand => 3,
        ProgramKind::HttpP3 => 4,
        ProgramKind::CommandP3 => 5,
    }
}

fn kind_from_byte(byte: u8) -> Option<ProgramKind> {
    use ProgramKind::{Command, CommandP3, CoreCommand, Http, HttpP3};

    [Http, HttpP3, Command, CommandP3, CoreCommand].into_iter().find(|kind| kind_to_byte(*kind) == byte)
}
