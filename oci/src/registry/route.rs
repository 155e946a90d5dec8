//! Which operation a path means. Repository names have slashes, so paths are read from their end.

use percent_encoding::percent_decode_str;

use super::error::ApiError;
use crate::digest::Digest;
use crate::reference::{is_repository, is_tag};

/// What a request is about. Names are valid by the spec's grammar once they are here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Base,
    Catalog,
    Tags { name: String },
    Referrers { name: String, digest: Digest },
    Manifest { name: String, version: Version },
    Blob { name: String, digest: Digest },
    Uploads { name: String },
    Upload { name: String, id: uuid::Uuid },
}

/// How a manifest is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Version {
    Tag(String),
    Digest(Digest),
}

impl Version {
    fn parse(text: &str) -> Result<Version, ApiError> {
        match text {
            digest if digest.contains(':') => Ok(Version::Digest(Digest::parse(digest)?)),
            tag if is_tag(tag) => Ok(Version::Tag(tag.to_owned())),
            tag => Err(ApiError::ManifestInvalid(format!("invalid tag {tag:?}"))),
        }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Version::Tag(tag) => f.write_str(tag),
            Version::Digest(digest) => write!(f, "{digest}"),
        }
    }
}

impl Route {
    /// Reads a request's path, still percent-encoded.
    pub(crate) fn parse(path: &str) -> Result<Route, ApiError> {
        let path = percent_decode_str(path).decode_utf8_lossy();
        let path = path.strip_prefix("/v2").unwrap_or_default();
        match path {
            "" | "/" => return Ok(Route::Base),
            "/_catalog" => return Ok(Route::Catalog),
            _ => {}
        }
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        match parts.as_slice() {
            [name @ .., "blobs", "uploads"] | [name @ .., "blobs", "uploads", ""] => {
                Ok(Route::Uploads { name: repository(name)? })
            }
            [name @ .., "blobs", "uploads", id] => {
                let id = id.parse().map_err(|_| ApiError::BlobUploadUnknown)?;
                Ok(Route::Upload { name: repository(name)?, id })
            }
            [name @ .., "blobs", digest] => Ok(Route::Blob { name: repository(name)?, digest: Digest::parse(digest)? }),
            [name @ .., "manifests", version] => {
                Ok(Route::Manifest { name: repository(name)?, version: Version::parse(version)? })
            }
            [name @ .., "referrers", digest] => {
                Ok(Route::Referrers { name: repository(name)?, digest: Digest::parse(digest)? })
            }
            [name @ .., "tags", "list"] => Ok(Route::Tags { name: repository(name)? }),
            _ => Err(ApiError::NameInvalid(path.trim_start_matches('/').to_owned())),
        }
    }
}

fn repository(parts: &[&str]) -> Result<String, ApiError> {
    let name = parts.join("/");
    match is_repository(&name) {
        true => Ok(name),
        false => Err(ApiError::NameInvalid(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_look_like_operations() {
        let digest = Digest::of(b"");
        let name = "a/blobs/uploads/b".to_owned();
        assert_eq!(Route::parse("/v2/a/blobs/uploads/b/tags/list").unwrap(), Route::Tags { name });
        let path = format!("/v2/a/b/blobs/{}", digest.as_str().replace(':', "%3A"));
        let route = Route::Blob { name: "a/b".into(), digest };
        assert_eq!(Route::parse(&path).unwrap(), route);
        assert_eq!(Route::parse("/v2/").unwrap(), Route::Base);
        assert_eq!(Route::parse("/v2/a/blobs/uploads/").unwrap(), Route::Uploads { name: "a".into() });
    }

    #[test]
    fn bad_names_digests_and_tags_are_refused() {
        for path in ["/v2/../tags/list", "/v2/a/%2e%2e/b/tags/list", "/v2/A/tags/list", "/v2//tags/list", "/v2/x"] {
            assert!(matches!(Route::parse(path), Err(ApiError::NameInvalid(_))), "{path}");
        }
        let bad_digest = Route::parse("/v2/a/blobs/sha256:../../x");
        assert!(matches!(bad_digest, Err(ApiError::NameInvalid(_))), "{bad_digest:?}");
        assert!(matches!(Route::parse("/v2/a/blobs/sha256:x"), Err(ApiError::DigestInvalid(_))));
        assert!(matches!(Route::parse("/v2/a/manifests/-x"), Err(ApiError::ManifestInvalid(_))));
        assert!(matches!(Route::parse("/v2/a/blobs/uploads/7"), Err(ApiError::BlobUploadUnknown)));
    }
}
