//! Rows of the table of objects, from and to bytes. Their JSON is as it is stored: encrypted, if it is to be.

use bytes::Bytes;

use crate::disk::DiskError;
use crate::key::Key;

/// Bytes in front of the JSON in a row of `objects`.
const ROW_HEAD_BYTES: usize = 16;

/// One object as it is stored.
pub(crate) struct Row {
    pub(crate) key: Key,
    pub(crate) revision: u64,
    pub(crate) create_revision: u64,
    pub(crate) json: Bytes,
}

impl Row {
    /// A row with its JSON as it is stored.
    pub(crate) fn read(key: &[u8], value: &[u8]) -> Result<Self, DiskError> {
        let bad = || DiskError::Format(format!("object row {:?} is damaged", String::from_utf8_lossy(key)));
        let text = std::str::from_utf8(key).map_err(|_| bad())?;
        let mut parts = text.splitn(3, '\0');
        let (Some(resource), Some(namespace), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(bad());
        };
        let (head, json) = value.split_at_checked(ROW_HEAD_BYTES).ok_or_else(bad)?;
        let (revision, created) = head.split_at(ROW_HEAD_BYTES / 2);
        let number = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).map_err(|_| bad());
        Ok(Self {
            key: Key::new(resource, namespace, name),
            revision: number(revision)?,
            create_revision: number(created)?,
            json: Bytes::copy_from_slice(json),
        })
    }
}

/// The key of an object's row.
pub(crate) fn row_key(key: &Key) -> Vec<u8> {
    [key.resource.as_bytes(), key.namespace.as_bytes(), key.name.as_bytes()].join(&0)
}

/// The value of an object's row; `json` as it is to be stored.
pub(crate) fn row_value(revision: u64, create_revision: u64, json: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(ROW_HEAD_BYTES + json.len());
    value.extend_from_slice(&revision.to_le_bytes());
    value.extend_from_slice(&create_revision.to_le_bytes());
    value.extend_from_slice(json);
    value
}
