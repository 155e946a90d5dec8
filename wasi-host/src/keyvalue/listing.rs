//! The keys of a bucket, a page at a time. Keys are in the order of their files' hashes, and a cursor is a hash: so a key
//! that is there from the first page to the last is in exactly one of them, whatever else comes and goes.

use std::collections::BTreeMap;

use rustix::fs::{Dir, FileType};
use sha2::{Digest, Sha256};

use super::{
    Error,
    directory::{Directory, UNFINISHED},
    name::{Named, named},
};
use crate::limits;

/// Some of the keys.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) keys: Vec<String>,
    /// Where the next page begins. None: this is the last one.
    pub(super) cursor: Option<u64>,
}

/// The names in a directory that are of no key, however many keys there are: itself, its parent, and what is being written.
fn is_always_there(name: &[u8]) -> bool {
    [b".", &b".."[..], UNFINISHED.as_bytes()].contains(&name)
}

/// The next keys after `cursor`, `most` at most.
pub(super) fn page(directory: &Directory, cursor: Option<u64>, most: usize) -> Result<Page, Error> {
    let (mut next, mut more) = (BTreeMap::new(), false);
    // The same directory under another open description: this one's position is not moved.
    let mut count = 0;
    for entry in Dir::read_from(&directory.dir)? {
        let entry = entry?;
        if is_always_there(entry.file_name().to_bytes()) {
            continue;
        }
        count += 1;
        if count > limits::KEYS_PER_BUCKET {
            let most = limits::KEYS_PER_BUCKET;
            return Err(Error::Other(format!("the bucket has more than {most} keys: too many to be listed")));
        }
        // Not every file system says what a file is with its name.
        let may_be = matches!(entry.file_type(), FileType::RegularFile | FileType::Unknown);
        let Ok(name) = entry.file_name().to_str() else { continue };
        let (found, hash) = (named(name), hash(name));
        if !may_be || found == Named::Foreign || cursor.is_some_and(|cursor| hash <= cursor) {
            continue;
        }
        next.insert(hash, (name.to_owned(), found));
        if next.len() > most {
            next.pop_last();
            more = true;
        }
    }
    let cursor = next.last_key_value().map(|(hash, _)| *hash).filter(|_| more);
    let keys = next.into_values().filter_map(|(name, found)| match found {
        Named::Key(key) => Some(Ok(key)),
        Named::Inside => directory.key_inside(&name).transpose(),
        Named::Foreign => None,
    });
    Ok(Page { keys: keys.collect::<Result<_, _>>()?, cursor })
}

/// The first 64 bits of SHA-256: nobody has two names that share them by accident.
fn hash(name: &str) -> u64 {
    let digest = Sha256::digest(name);
    digest.iter().take(size_of::<u64>()).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}
