//! Encryption at rest: which resources are encrypted on disk, and with which keys. Configured as a Kubernetes API
//! server is, by an `EncryptionConfiguration` (`apiserver.config.k8s.io/v1`); what a value looks like follows
//! `staging/src/k8s.io/apiserver/pkg/storage/value/encrypt` of Kubernetes, too: `k8s:enc:`, the provider, its version,
//! the key's name, and then what only the key opens.
//!
//! The first key of a resource's providers writes, each of them reads. What `identity` reads is plain JSON. Nothing
//! outside this module and [`crate::vault`] knows of encryption: in memory and on the wire everything is plain.
//!
//! Unlike Kubernetes, all providers bind a value to the object that it belongs to, not only `aesgcm`; see [`key`].

mod cipher;
mod config;
mod error;
mod file;
mod key;
mod names;
mod validation;

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

pub use error::EncryptionError;
pub(crate) use error::Unreadable;

use file::Source;
use key::NamedKey;

/// What every encrypted value begins with, and no JSON does.
const MARK: &str = "k8s:enc:";

/// Which resources are encrypted on disk, and with which keys.
#[derive(Default)]
pub struct Encryption {
    /// By resource as in [`crate::Key::resource`].
    resources: HashMap<Box<str>, Providers>,
    /// By group (`*.apps`), the empty string for the core group (`*.`).
    groups: HashMap<Box<str>, Providers>,
    /// `*.*`.
    all: Option<Providers>,
    source: Source,
}

/// The providers of one resource, in the order of the configuration; each key of a provider is one.
type Providers = std::sync::Arc<[Provider]>;

/// What reads, and if it is the first one writes, values.
enum Provider {
    Identity,
    Key(Box<NamedKey>),
}

/// How a stored value compares to what would be written now. From best to worst.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Form {
    /// The same form.
    Current,
    /// A form that is only read.
    Stale,
    /// Plain, though it should be encrypted.
    Plain,
}

impl Encryption {
    /// Nothing is encrypted.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads an `EncryptionConfiguration`; `origin` is the file it comes from, for messages.
    pub fn from_yaml(text: &str, origin: &Path) -> Result<Self, EncryptionError> {
        config::parse(text, origin)
    }

    /// Reads the file that an operator names.
    pub fn from_file(path: &Path) -> Result<Self, EncryptionError> {
        file::read(path)
    }

    /// Secrets, with the keys of the file at `path`. If there is none yet, it is made when a store opens that has
    /// nothing which another key must have encrypted.
    pub fn kept_in(path: &Path) -> Result<Self, EncryptionError> {
        file::read_or_invent(path)
    }

    /// Whether anything is to be encrypted that is written from now on.
    pub(crate) fn encrypts(&self) -> bool {
        let mut all = self.resources.values().chain(self.groups.values()).chain(&self.all);
        all.any(|providers| matches!(providers.first(), Some(Provider::Key(_))))
    }

    /// Writes the file of keys that were made up for a new store. Nothing is encrypted with them before.
    pub(crate) fn persist(&self) -> Result<(), EncryptionError> {
        self.source.persist()
    }

    /// Whether values of `resource` may be written in another form than plain.
    pub(crate) fn covers(&self, resource: &str) -> bool {
        self.providers(resource).is_some()
    }

    /// `plain` as it is written, `None` if it is written as it is. `context` is what the value is bound to.
    pub(crate) fn seal(&self, resource: &str, context: &[u8], plain: &[u8]) -> Result<Option<Vec<u8>>, Unreadable> {
        match self.providers(resource).and_then(|providers| providers.first()) {
            Some(Provider::Key(key)) => key.seal(context, plain).map(Some).ok_or(Unreadable::NoRandomness),
            Some(Provider::Identity) | None => Ok(None),
        }
    }

    /// What `stored` says, `None` if it is plain, and how it was written.
    pub(crate) fn open(
        &self,
        resource: &str,
        context: &[u8],
        stored: &[u8],
    ) -> Result<(Option<Vec<u8>>, Form), Unreadable> {
        let sealed = stored.starts_with(MARK.as_bytes());
        match self.providers(resource) {
            None if sealed => Err(self.no_key(resource, stored)),
            None => Ok((None, Form::Current)),
            Some(providers) if sealed => self.open_sealed(resource, providers, context, stored),
            Some(providers) => self.open_plain(resource, providers, stored),
        }
    }

    fn open_sealed(
        &self,
        resource: &str,
        providers: &[Provider],
        context: &[u8],
        stored: &[u8],
    ) -> Result<(Option<Vec<u8>>, Form), Unreadable> {
        if self.source.is_invented() {
            return Err(self.no_key(resource, stored));
        }
        let mut known = None;
        for (at, provider) in providers.iter().enumerate() {
            let Provider::Key(key) = provider else { continue };
            let Some(body) = stored.strip_prefix(key.prefix()) else { continue };
            known = Some(key);
            if let Some(plain) = key.open(context, body) {
                return Ok((Some(plain), if at == 0 { Form::Current } else { Form::Stale }));
            }
        }
        Err(match known {
            Some(key) => Unreadable::DoesNotOpen { key: key.to_string(), config: self.source.to_string() },
            None => self.no_key(resource, stored),
        })
    }

    fn open_plain(
        &self,
        resource: &str,
        providers: &[Provider],
        stored: &[u8],
    ) -> Result<(Option<Vec<u8>>, Form), Unreadable> {
        // The beginning of an encrypted value, cut off within its mark, must not pass for a plain one.
        if stored.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
            return Err(Unreadable::Damaged);
        }
        match providers.iter().position(|provider| matches!(provider, Provider::Identity)) {
            Some(0) => Ok((None, Form::Current)),
            Some(_) => Ok((None, Form::Plain)),
            None => Err(Unreadable::Plain { resource: resource.into(), config: self.source.to_string() }),
        }
    }

    fn no_key(&self, resource: &str, stored: &[u8]) -> Unreadable {
        let key = key::named_in(stored);
        match self.source.missing_file() {
            Some(path) => Unreadable::NoKeyFile { key, path: path.to_owned() },
            None => Unreadable::NoKey { key, resource: resource.into(), config: self.source.to_string() },
        }
    }

    /// The most specific rule counts, as in Kubernetes: the resource, its group, everything.
    fn providers(&self, resource: &str) -> Option<&[Provider]> {
        let specific = self.resources.get(resource).or_else(|| self.groups.get(names::group_of(resource)));
        specific.or(self.all.as_ref()).map(|providers| &**providers)
    }
}

impl fmt::Debug for Encryption {
    /// Says where the keys are, never what they are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encryption").field("source", &self.source.to_string()).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests;
