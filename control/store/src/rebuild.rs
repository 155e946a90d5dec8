//! Writes the database anew, as another file that takes its place. Encrypting a row where it is would leave the plain one
//! in pages that the database does not use any more; so what was stored before there was encryption is copied once,
//! row by row, and the old file is removed.
//!
//! A crash leaves the old file or the new one, both whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use redb::{Builder, Database, ReadableDatabase, ReadableTable};

use crate::disk::{DiskError, LOG, META, OBJECTS};
use crate::encryption::Form;
use crate::row::{Row, row_key, row_value};
use crate::vault::Vault;

/// Replaces the file `path`, which is open as `db`, by one in which everything is encrypted as it would be now.
pub(crate) fn rebuild(db: Database, builder: &Builder, path: &Path, vault: &Vault) -> Result<(), DiskError> {
    let new = replacement(path)?;
    let result = fill(&db, builder, &new, vault).and_then(|()| Ok(replace(&new, path)?));
    drop(db);
    if result.is_err() {
        // Half a copy is of no use; if it can't be removed, the next attempt does it.
        let _ = fs::remove_file(&new);
    } else {
        vault.all_renewed();
    }
    result
}

/// Where a file is made that will take the place of `path`. What an attempt before has left there is removed.
pub(crate) fn replacement(path: &Path) -> io::Result<PathBuf> {
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(new),
    }
}

/// Has the file `new`, which is whole, take the place of `path`.
pub(crate) fn replace(new: &Path, path: &Path) -> io::Result<()> {
    File::open(new)?.sync_all()?;
    fs::rename(new, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

fn fill(db: &Database, builder: &Builder, new: &Path, vault: &Vault) -> Result<(), DiskError> {
    let copy = builder.create(new)?;
    let (from, to) = (db.begin_read()?, copy.begin_write()?);
    {
        let mut log = to.open_table(LOG)?;
        for row in from.open_table(LOG)?.iter()? {
            let (index, row) = row?;
            match vault.decode_entry(row.value())? {
                (_, Form::Current) => log.insert(index.value(), row.value())?,
                (entry, _) => log.insert(index.value(), vault.encode_entry(&entry)?.as_slice())?,
            };
        }
        let mut objects = to.open_table(OBJECTS)?;
        for row in from.open_table(OBJECTS)?.iter()? {
            let (key, value) = row?;
            match resealed(vault, key.value(), value.value())? {
                Some(value) => objects.insert(key.value(), value.as_slice())?,
                None => objects.insert(key.value(), value.value())?,
            };
        }
        let mut meta = to.open_table(META)?;
        for row in from.open_table(META)?.iter()? {
            let (name, value) = row?;
            meta.insert(name.value(), value.value())?;
        }
    }
    Ok(to.commit()?)
}

/// A row in the form that it would be written in now, `None` if it has that.
pub(crate) fn resealed(vault: &Vault, key: &[u8], value: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
    let row = Row::read(key, value)?;
    let (json, form) = vault.open_row(&row.key, &row.json)?;
    if form == Form::Current {
        return Ok(None);
    }
    debug_assert_eq!(row_key(&row.key), key);
    let sealed = vault.seal_row(&row.key, &json)?;
    Ok(Some(row_value(row.revision, row.create_revision, &sealed)))
}
