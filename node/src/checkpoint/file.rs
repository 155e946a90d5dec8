//! The file: one redb database. Formats of rows live here and nowhere else.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `rows` | [`Key`] | the object's JSON |
//! | `users` | the key of an object | UIDs of the pods that use it |
//! | `uses` | the UID of a pod | keys of the objects that it uses |
//! | `meta` | `format` | [`FORMAT`] |

use std::{
    fs::{self, OpenOptions, Permissions},
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use bytes::Bytes;
use redb::{
    Builder, Database, MultimapTableDefinition, ReadableDatabase, ReadableMultimapTable, ReadableTable,
    TableDefinition, WriteTransaction,
};

use super::{Key, pending::Batch};

const ROWS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("rows");
const USERS: MultimapTableDefinition<'_, &str, &str> = MultimapTableDefinition::new("users");
const USES: MultimapTableDefinition<'_, &str, &str> = MultimapTableDefinition::new("uses");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

/// The format this code reads and writes.
const FORMAT: u64 = 1;
/// What of the file is held in memory.
const CACHE_BYTES: usize = 8 << 20;
/// Secrets are in it.
const MODE: u32 = 0o600;
/// What a file that can't be used is called from then on.
const UNUSABLE: &str = "redb.unusable";

/// What is wrong with the file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// the library's complaint
    #[error(transparent)]
    Redb(#[from] redb::Error),
    /// the kernel's
    #[error(transparent)]
    Io(#[from] io::Error),
    /// written by another version of this code
    #[error("its format is {0}, not {FORMAT}")]
    Format(u64),
    /// so damaged that the library gave up
    #[error("it is damaged")]
    Damaged,
}

macro_rules! from_redb {
    ($($error:ident),*) => {
        $(impl From<redb::$error> for FileError {
            fn from(error: redb::$error) -> FileError {
                FileError::Redb(error.into())
            }
        })*
    };
}
from_redb!(TransactionError, TableError, StorageError, CommitError, DatabaseError);

impl FileError {
    /// Whether the file is what is wrong, rather than the disk, or somebody who has it open.
    fn is_of_content(&self) -> bool {
        match self {
            FileError::Format(_) | FileError::Damaged => true,
            FileError::Redb(redb::Error::Io(error)) => {
                matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
            }
            FileError::Redb(error) => !matches!(error, redb::Error::DatabaseAlreadyOpen),
            FileError::Io(_) => false,
        }
    }
}

/// The open file.
pub struct File {
    database: Database,
}

impl File {
    /// Opens the file, or makes it. One that can't be read is moved aside. None: there can't be one here.
    pub fn open(path: &Path) -> Option<File> {
        let mut opened = File::try_open(path);
        if let Err(error) = &opened
            && error.is_of_content()
        {
            let aside = path.with_extension(UNUSABLE);
            let (aside_name, path_name) = (aside.display(), path.display());
            tracing::warn!(%error, "the node's checkpoint {path_name} can't be used; it is now {aside_name}, and the pods in it wait for the API server");
            opened = fs::rename(path, &aside).map_err(FileError::from).and_then(|()| File::try_open(path));
        }
        opened
            .inspect_err(|error| tracing::warn!(%error, path = %path.display(), "the node has no checkpoint: without the API server its pods do not start again"))
            .ok()
    }

    fn try_open(path: &Path) -> Result<File, FileError> {
        // The library trusts what it reads, and panics where that makes no sense.
        let opened = AssertUnwindSafe(|| {
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(MODE).open(path)?;
            file.set_permissions(Permissions::from_mode(MODE))?;
            let file = File { database: Builder::new().set_cache_size(CACHE_BYTES).create_file(file)? };
            file.prepare()?;
            file.look_through()?;
            Ok(file)
        });
        catch_unwind(opened).unwrap_or(Err(FileError::Damaged))
    }

    /// Makes the tables of a new file; of an old one checks the format.
    fn prepare(&self) -> Result<(), FileError> {
        let transaction = self.begin()?;
        {
            transaction.open_table(ROWS)?;
            transaction.open_multimap_table(USERS)?;
            transaction.open_multimap_table(USES)?;
            let mut meta = transaction.open_table(META)?;
            let format = meta.get("format")?.map(|row| row.value());
            match format {
                Some(FORMAT) => {}
                Some(other) => return Err(FileError::Format(other)),
                None => drop(meta.insert("format", FORMAT)?),
            }
        }
        Ok(transaction.commit()?)
    }

    /// Every row once: what is damaged shows now, and not when it is needed.
    fn look_through(&self) -> Result<(), FileError> {
        let transaction = self.database.begin_read()?;
        for row in transaction.open_table(ROWS)?.iter()? {
            let (_, json) = row?;
            serde_json::from_slice::<serde::de::IgnoredAny>(json.value()).map_err(|_| FileError::Damaged)?;
        }
        for row in transaction.open_multimap_table(USES)?.iter()? {
            row?;
        }
        for row in transaction.open_multimap_table(USERS)?.iter()? {
            row?;
        }
        Ok(())
    }

    #[cfg(test)]
    pub fn set_format(&self, format: u64) {
        let transaction = self.begin().unwrap();
        transaction.open_table(META).unwrap().insert("format", format).unwrap();
        transaction.commit().unwrap();
    }

    /// A transaction after which a file that nobody closes opens at once all the same.
    fn begin(&self) -> Result<WriteTransaction, FileError> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_quick_repair(true);
        Ok(transaction)
    }

    /// Keys of this kind.
    pub fn keys(&self, kind: &str) -> Vec<Key> {
        self.all(kind).into_iter().map(|(key, _)| key).collect()
    }

    /// Rows of this kind. What can't be read is none.
    pub fn all(&self, kind: &str) -> Vec<(Key, Bytes)> {
        let read = || -> Result<Vec<(Key, Bytes)>, FileError> {
            let (first, end) = (format!("{kind}/"), format!("{kind}0"));
            let rows = self.database.begin_read()?.open_table(ROWS)?;
            let mut all = Vec::new();
            for row in rows.range(&*first..&*end)? {
                let (key, json) = row?;
                all.push((Key::from(key.value()), Bytes::copy_from_slice(json.value())));
            }
            Ok(all)
        };
        read().inspect_err(|error| tracing::warn!(%error, "the node's checkpoint can't be read")).unwrap_or_default()
    }

    /// One row.
    pub fn get(&self, key: &Key) -> Option<Bytes> {
        let read = || -> Result<Option<Bytes>, FileError> {
            let rows = self.database.begin_read()?.open_table(ROWS)?;
            Ok(rows.get(key.as_str())?.map(|json| Bytes::copy_from_slice(json.value())))
        };
        read().inspect_err(|error| tracing::warn!(%error, "the node's checkpoint can't be read")).ok().flatten()
    }

    /// Writes a batch: all of it, or nothing.
    pub fn write(&self, batch: &Batch) -> Result<(), FileError> {
        let transaction = self.begin()?;
        let mut changed = false;
        {
            let mut rows = transaction.open_table(ROWS)?;
            for (key, json) in &batch.rows {
                let is_same = rows.get(key.as_str())?.as_ref().map(|row| row.value()) == json.as_deref();
                if is_same {
                    continue;
                }
                changed = true;
                match json {
                    Some(json) => drop(rows.insert(key.as_str(), &**json)?),
                    None => drop(rows.remove(key.as_str())?),
                }
            }
            let (mut users, mut uses) =
                (transaction.open_multimap_table(USERS)?, transaction.open_multimap_table(USES)?);
            for (key, uid) in &batch.uses {
                changed |= !users.insert(key.as_str(), &**uid)?;
                uses.insert(&**uid, key.as_str())?;
            }
        }
        for uid in &batch.gone {
            changed |= forget(&transaction, uid)?;
        }
        if changed { Ok(transaction.commit()?) } else { Ok(transaction.abort()?) }
    }
}

/// Removes a pod, and what only it has used. False: there was nothing.
fn forget(transaction: &WriteTransaction, uid: &str) -> Result<bool, FileError> {
    let mut rows = transaction.open_table(ROWS)?;
    let (mut users, mut uses) = (transaction.open_multimap_table(USERS)?, transaction.open_multimap_table(USES)?);
    let mut unused = Vec::new();
    for used in uses.remove_all(uid)? {
        unused.push(used?.value().to_owned());
    }
    let mut found = !unused.is_empty();
    unused.retain(|key| {
        let _ = users.remove(&**key, uid);
        users.get(&**key).is_ok_and(|mut left| left.next().is_none())
    });
    let tokens = (format!("token/{uid}/"), format!("token/{uid}0"));
    for row in rows.range(&*tokens.0..&*tokens.1)? {
        unused.push(row?.0.value().to_owned());
    }
    unused.extend([Key::pod(uid), Key::status(uid)].map(|key| key.as_str().to_owned()));
    for key in &unused {
        found |= rows.remove(&**key)?.is_some();
    }
    Ok(found)
}
