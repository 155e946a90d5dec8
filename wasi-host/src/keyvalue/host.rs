//! The calls of a guest.

use std::sync::Arc;

use wasmtime::component::Resource;

use super::{
    Error, KeyValue, OpenBucket, Place,
    bindings::{atomics, batch, store},
    directory::Directory,
    listing::{Page, page},
    name::KeyFile,
};
use crate::limits;

impl KeyValue<'_> {
    async fn work<T: Send + 'static>(
        &mut self,
        bucket: &Resource<OpenBucket>,
        work: impl FnOnce(&Place) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let open = *self.table.get(bucket)?;
        Arc::clone(self.buckets).work(open, work).await
    }

    /// Reads a bucket; `nothing` is the answer if nothing was ever written to it.
    async fn read<T: Send + 'static>(
        &mut self,
        bucket: &Resource<OpenBucket>,
        nothing: T,
        work: impl FnOnce(&Directory) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let found = move |place: &Place| Directory::find(place)?.as_ref().map_or(Ok(nothing), work);
        self.work(bucket, found).await
    }

    async fn change<T: Send + 'static>(
        &mut self,
        bucket: &Resource<OpenBucket>,
        work: impl FnOnce(&Directory) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.work(bucket, move |bucket| Directory::change(bucket, work)).await
    }
}

impl store::Host for KeyValue<'_> {
    async fn open(&mut self, identifier: String) -> Result<Resource<OpenBucket>, Error> {
        let bucket = self.buckets.find(&identifier).ok_or(Error::NoSuchStore)?;
        Ok(self.table.push(bucket)?)
    }

    fn convert_error(&mut self, error: Error) -> wasmtime::Result<store::Error> {
        error.told()
    }
}

impl store::HostBucket for KeyValue<'_> {
    async fn get(&mut self, bucket: Resource<OpenBucket>, key: String) -> Result<Option<Vec<u8>>, Error> {
        let file = KeyFile::of(&key)?;
        self.read(&bucket, None, move |directory| directory.read(&file)).await
    }

    async fn set(&mut self, bucket: Resource<OpenBucket>, key: String, value: Vec<u8>) -> Result<(), Error> {
        let file = KeyFile::of(&key)?;
        check_value(&value)?;
        self.change(&bucket, move |directory| directory.write(&file, &value)).await
    }

    async fn delete(&mut self, bucket: Resource<OpenBucket>, key: String) -> Result<(), Error> {
        let file = KeyFile::of(&key)?;
        self.change(&bucket, move |directory| directory.remove(&file.name)).await
    }

    async fn exists(&mut self, bucket: Resource<OpenBucket>, key: String) -> Result<bool, Error> {
        let file = KeyFile::of(&key)?;
        self.read(&bucket, false, move |directory| directory.has(&file)).await
    }

    async fn list_keys(
        &mut self,
        bucket: Resource<OpenBucket>,
        cursor: Option<u64>,
    ) -> Result<store::KeyResponse, Error> {
        let listed =
            self.read(&bucket, Page::default(), move |directory| page(directory, cursor, limits::KEYS_PER_PAGE));
        let Page { keys, cursor } = listed.await?;
        Ok(store::KeyResponse { keys, cursor })
    }

    async fn drop(&mut self, bucket: Resource<OpenBucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for KeyValue<'_> {
    async fn increment(&mut self, bucket: Resource<OpenBucket>, key: String, delta: u64) -> Result<u64, Error> {
        let file = KeyFile::of(&key)?;
        let increment = move |directory: &Directory| {
            let sum = add(directory.read(&file)?.as_deref(), delta)?;
            directory.write(&file, sum.to_string().as_bytes())?;
            Ok(sum)
        };
        self.change(&bucket, increment).await
    }
}

impl batch::Host for KeyValue<'_> {
    async fn get_many(
        &mut self,
        bucket: Resource<OpenBucket>,
        keys: Vec<String>,
    ) -> Result<Vec<Option<(String, Vec<u8>)>>, Error> {
        check_count(keys.len())?;
        let files = keys.iter().map(|key| KeyFile::of(key)).collect::<Result<Vec<_>, _>>()?;
        let nothing = keys.iter().map(|_| None).collect();
        let values = self.read(&bucket, nothing, move |directory| read_many(directory, &files)).await?;
        Ok(keys.into_iter().zip(values).map(|(key, value)| Some((key, value?))).collect())
    }

    /// One after the other, so that a guest that goes leaves no more than one behind.
    async fn set_many(
        &mut self,
        bucket: Resource<OpenBucket>,
        key_values: Vec<(String, Vec<u8>)>,
    ) -> Result<(), Error> {
        check_count(key_values.len())?;
        key_values.iter().try_for_each(|(_, value)| check_value(value))?;
        check_bytes(key_values.iter().map(|(_, value)| value.len()).sum())?;
        let files = key_values.iter().map(|(key, _)| KeyFile::of(key)).collect::<Result<Vec<_>, _>>()?;
        for (file, (_, value)) in files.into_iter().zip(key_values) {
            self.change(&bucket, move |directory| directory.write(&file, &value)).await?;
        }
        Ok(())
    }

    async fn delete_many(&mut self, bucket: Resource<OpenBucket>, keys: Vec<String>) -> Result<(), Error> {
        check_count(keys.len())?;
        let files = keys.iter().map(|key| KeyFile::of(key)).collect::<Result<Vec<_>, _>>()?;
        for file in files {
            self.change(&bucket, move |directory| directory.remove(&file.name)).await?;
        }
        Ok(())
    }
}

/// A counter is a number as text, as wasmtime's own buckets have it.
fn add(value: Option<&[u8]>, delta: u64) -> Result<u64, Error> {
    let text = value.map_or(Ok("0"), str::from_utf8);
    let number: Option<u64> = text.ok().and_then(|text| text.parse().ok());
    let number = number.ok_or_else(|| Error::Other("the value is no number from 0 to 2^64 - 1".into()))?;
    number.checked_add(delta).ok_or_else(|| Error::Other(format!("{number} + {delta} is more than 2^64 - 1")))
}

fn read_many(directory: &Directory, files: &[KeyFile]) -> Result<Vec<Option<Vec<u8>>>, Error> {
    let (mut values, mut bytes) = (Vec::new(), 0);
    for file in files {
        let value = directory.read(file)?;
        bytes += value.as_ref().map_or(0, Vec::len);
        check_bytes(bytes)?;
        values.push(value);
    }
    Ok(values)
}

fn check_bytes(all: usize) -> Result<(), Error> {
    let most = limits::BATCH_LIMIT_BYTES;
    let too_many = || Error::Other(format!("the values have more than {most} bytes together: use several calls"));
    if all <= most { Ok(()) } else { Err(too_many()) }
}

fn check_value(value: &[u8]) -> Result<(), Error> {
    let (has, most) = (value.len(), limits::VALUE_LIMIT_BYTES);
    if has <= most {
        Ok(())
    } else {
        Err(Error::Other(format!("the value has {has} bytes, at most {most} are accepted")))
    }
}

fn check_count(keys: usize) -> Result<(), Error> {
    let most = limits::KEYS_PER_BATCH;
    if keys <= most {
        Ok(())
    } else {
        Err(Error::Other(format!("{keys} keys in one call, at most {most} are accepted")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_text() {
        assert_eq!(add(None, 3).unwrap(), 3);
        assert_eq!(add(Some(b"41"), 1).unwrap(), 42);
        for bad in [&b""[..], b"x", b"-1", b"\xff", b"18446744073709551616"] {
            assert_eq!(add(Some(bad), 1).unwrap_err().to_string(), "the value is no number from 0 to 2^64 - 1");
        }
        let full = u64::MAX.to_string();
        assert_eq!(
            add(Some(full.as_bytes()), 1).unwrap_err().to_string(),
            "18446744073709551615 + 1 is more than 2^64 - 1"
        );
    }
}
