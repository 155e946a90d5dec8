//! Image references, in the form and with the normalisation that Docker, containerd and the kubelet share
//! (the grammar is that of the `distribution/reference` package).
//!
//! Invariant: a `Reference` always has a registry, a repository, and a tag or a digest, each matching its
//! grammar; so they are safe as URL path segments. `parse(display(r)) == r`.

use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;

const DEFAULT_REGISTRY: &str = "docker.io";
const DEFAULT_TAG: &str = "latest";
/// Longest registry and repository together, and longest tag: `distribution/reference` has the same.
const NAME_CHARS: usize = 255;
const TAG_CHARS: usize = 128;

/// Why a text is no image reference. The texts are those Docker and Kubernetes users search for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// invalid reference format
    #[error("invalid reference format")]
    Format,
    /// invalid reference format: a scheme has no place in an image reference
    #[error("invalid reference format: an image reference has no URL scheme (remove {scheme:?})")]
    Scheme {
        /// The scheme with its slashes.
        scheme: String,
    },
    /// invalid reference format: the repository name must be lowercase
    #[error("invalid reference format: repository name ({name}) must be lowercase")]
    Uppercase {
        /// The repository as it was written.
        name: String,
    },
    /// The repository name is longer than 255 characters
    #[error("repository name must not be more than {NAME_CHARS} characters")]
    NameTooLong,
    /// A bare 64-digit hex string looks like an image ID
    #[error("invalid repository name ({name}), cannot specify 64-byte hexadecimal strings")]
    HexName {
        /// The name as it was written.
        name: String,
    },
    /// The digest is malformed or of an algorithm other than SHA-256
    #[error("invalid reference format: unsupported digest {digest:?}, expected `sha256:` and 64 hex digits")]
    Digest {
        /// The part after `@`.
        digest: String,
    },
}

/// An image's full name: `registry/repository:tag@digest`, with tag, digest or both.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// Host and port of the registry, as the user named it (`docker.io` where he named none).
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path in the registry, such as `library/hello`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag. A reference without digest always has one.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest it is pinned to, such as `sha256:…`.
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_ref().map(Digest::as_str)
    }

    /// Registry and repository, without tag and digest.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The last part of its manifest URL: the digest, which wins over a tag.
    pub(crate) fn version(&self) -> &str {
        self.digest().or(self.tag()).unwrap_or(DEFAULT_TAG)
    }

    pub(crate) fn pinned(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Reference, ReferenceError> {
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(ReferenceError::Scheme { scheme: format!("{scheme}://") });
        }
        if is_image_id(text) {
            return Err(ReferenceError::HexName { name: text.to_owned() });
        }
        let (rest, digest) = split_digest(text)?;
        let (name, tag) = split_tag(rest)?;
        let (registry, repository) = split_registry(name);
        if registry.len() + 1 + repository.len() > NAME_CHARS {
            return Err(ReferenceError::NameTooLong);
        }
        if repository.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(ReferenceError::Uppercase { name: repository });
        }
        if !is_registry(&registry) || !is_repository(&repository) {
            return Err(ReferenceError::Format);
        }
        let tag = match (tag, &digest) {
            (None, None) => Some(DEFAULT_TAG.to_owned()),
            (tag, _) => tag.map(str::to_owned),
        };
        Ok(Reference { registry, repository, tag, digest })
    }
}

fn is_image_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn split_digest(text: &str) -> Result<(&str, Option<Digest>), ReferenceError> {
    let Some((rest, digest)) = text.split_once('@') else { return Ok((text, None)) };
    match Digest::parse(digest) {
        Ok(digest) => Ok((rest, Some(digest))),
        Err(_) => Err(ReferenceError::Digest { digest: digest.to_owned() }),
    }
}

/// A colon before the last slash belongs to the registry's port.
fn split_tag(text: &str) -> Result<(&str, Option<&str>), ReferenceError> {
    let path_start = text.rfind('/').map_or(0, |slash| slash + 1);
    let Some(colon) = text[path_start..].find(':') else { return Ok((text, None)) };
    let (name, tag) = (&text[..path_start + colon], &text[path_start + colon + 1..]);
    match is_tag(tag) {
        true => Ok((name, Some(tag))),
        false => Err(ReferenceError::Format),
    }
}

/// The first component is a registry if it could not be a Docker Hub user: it has a dot or a colon, is
/// `localhost`, or has upper case letters.
fn split_registry(name: &str) -> (String, String) {
    let (registry, path) = match name.split_once('/') {
        Some((first, rest))
            if first.contains(['.', ':']) || first == "localhost" || first.bytes().any(|b| b.is_ascii_uppercase()) =>
        {
            (first, rest)
        }
        _ => (DEFAULT_REGISTRY, name),
    };
    let registry = if registry == "index.docker.io" { DEFAULT_REGISTRY } else { registry };
    let official = registry == DEFAULT_REGISTRY && !path.contains('/');
    let repository = if official { format!("library/{path}") } else { path.to_owned() };
    (registry.to_owned(), repository)
}

fn is_registry(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, port)) => {
            return v6.parse::<std::net::Ipv6Addr>().is_ok()
                && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port));
        }
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.split('.').all(label) && port.is_none_or(is_port)
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`, joined by slashes (distribution spec, "Pulling manifests").
pub(crate) fn is_repository(text: &str) -> bool {
    text.len() <= NAME_CHARS && text.split('/').all(is_path_component)
}

fn is_path_component(component: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let mut rest = component;
    loop {
        let word = rest.trim_start_matches(alphanumeric);
        if word.len() == rest.len() {
            return false;
        }
        if word.is_empty() {
            return true;
        }
        rest = word.trim_start_matches(|c| !alphanumeric(c));
        let separator = &word[..word.len() - rest.len()];
        if !matches!(separator, "." | "_" | "__") && separator.bytes().any(|b| b != b'-') {
            return false;
        }
    }
}

/// `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
pub(crate) fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=TAG_CHARS).contains(&text.len())
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

#[cfg(test)]
mod tests;
