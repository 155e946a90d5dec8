//! The names of files that keep values. A key is told by the name alone if that is not too long for it: `=` and the key,
//! with `%`, `/` and what is no printable ASCII escaped. Otherwise the name is `#` and the key's SHA-256, and the file
//! begins with the key.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

use super::Error;
use crate::limits;

/// What stands for itself nowhere in a name.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%').add(b'/');
/// The longest name that file systems take (Linux: `NAME_MAX`).
const NAME_LIMIT_BYTES: usize = 255;
/// Bytes of the number that says how long the key is with which a file begins.
pub(super) const LENGTH_BYTES: usize = size_of::<u16>();

/// Where a key's value is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyFile {
    /// The name of its file.
    pub(super) name: String,
    /// What comes before the value.
    pub(super) head: Vec<u8>,
}

/// What a file's name says of its key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// This is it.
    Key(String),
    /// It is in the file.
    Inside,
    /// No key has this file.
    Foreign,
}

impl KeyFile {
    /// The file for `key`, unless that is too long.
    pub(super) fn of(key: &str) -> Result<KeyFile, Error> {
        let length = u16::try_from(key.len()).ok().filter(|_| key.len() <= limits::KEY_LIMIT_BYTES);
        let Some(length) = length else {
            let (has, most) = (key.len(), limits::KEY_LIMIT_BYTES);
            return Err(Error::Other(format!("the key has {has} bytes, at most {most} are accepted")));
        };
        let name = format!("={}", utf8_percent_encode(key, ESCAPED));
        if name.len() <= NAME_LIMIT_BYTES {
            return Ok(KeyFile { name, head: Vec::new() });
        }
        let mut head = length.to_be_bytes().to_vec();
        head.extend_from_slice(key.as_bytes());
        Ok(KeyFile { name: hashed(key), head })
    }
}

fn hashed(key: &str) -> String {
    Sha256::digest(key).iter().fold("#".to_owned(), |mut name, byte| {
        let _ = write!(name, "{byte:02x}");
        name
    })
}

/// What `name` says of the key. There is one name for a key, so others that would be read as the same are none.
pub(super) fn named(name: &str) -> Named {
    if name.starts_with('#') {
        return Named::Inside;
    }
    let key = name.strip_prefix('=').and_then(|escaped| percent_decode_str(escaped).decode_utf8().ok());
    let key = key.filter(|key| KeyFile::of(key).is_ok_and(|file| file.name == name));
    key.map_or(Named::Foreign, |key| Named::Key(key.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(key: &str) -> String {
        KeyFile::of(key).unwrap().name
    }

    #[test]
    fn names_say_which_key_they_are_of() {
        for (key, expected) in [
            ("hits", "=hits"),
            ("", "="),
            (".", "=."),
            ("../up", "=..%2Fup"),
            ("50%", "=50%25"),
            ("ü\0", "=%C3%BC%00"),
            ("A b:c", "=A b:c"),
        ] {
            assert_eq!(name(key), expected);
            assert_eq!(named(expected), Named::Key(key.to_owned()));
        }
    }

    #[test]
    fn other_names_are_nobodys() {
        for other in
            ["hits", ".unfinished", "=%41", "=%c3%bc", "=a%2fb", "=%FF", "=%", "", &format!("={}", "a".repeat(255))]
        {
            assert_eq!(named(other), Named::Foreign, "{other}");
        }
    }

    #[test]
    fn long_keys_are_kept_in_the_file() {
        let short = "a".repeat(254);
        assert_eq!(KeyFile::of(&short).unwrap(), KeyFile { name: format!("={short}"), head: Vec::new() });
        for key in ["a".repeat(255), "/".repeat(90), "ü".repeat(limits::KEY_LIMIT_BYTES / 2)] {
            let file = KeyFile::of(&key).unwrap();
            assert_eq!((file.name.len(), named(&file.name)), (65, Named::Inside));
            assert_eq!(file.head[LENGTH_BYTES..], *key.as_bytes());
        }
        let error = KeyFile::of(&"a".repeat(limits::KEY_LIMIT_BYTES + 1)).unwrap_err();
        assert_eq!(error.to_string(), "the key has 1025 bytes, at most 1024 are accepted");
    }
}
