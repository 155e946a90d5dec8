//! The command: what is in the configuration and in buckets.

use super::bindings::wasi::config::store as config;
use super::bindings::wasi::keyvalue::store::{self, Bucket};
use super::bindings::wasi::keyvalue::{atomics, batch};
use super::said;

const HELP: &str = "\
config                        the names of what wasi:config has
config NAME                   a value of it
get BUCKET KEY…               values
set BUCKET KEY VALUE…         sets values
fill BUCKET KEY BYTES         sets a value of so many bytes
delete BUCKET KEY…            deletes
exists BUCKET KEY             true or false
keys BUCKET                   all keys, a page to a line
add BUCKET KEY DELTA [TIMES]  increments, and says the sum
";

/// Does what the words say; what is to be printed.
pub fn run(words: &[&str]) -> Result<String, String> {
    match words {
        ["config"] => names(),
        ["config", name] => Ok(shown(config::get(name).map_err(upstream)?.map(String::into_bytes))),
        ["get", bucket, key] => Ok(shown(open(bucket)?.get(key).map_err(said)?)),
        ["get", bucket, keys @ ..] => get_many(&open(bucket)?, keys),
        ["set", bucket, key, value] => done(open(bucket)?.set(key, value.as_bytes())),
        ["set", bucket, pairs @ ..] => set_many(&open(bucket)?, pairs),
        ["fill", bucket, key, bytes] => done(open(bucket)?.set(key, &vec![b'x'; number(bytes)?])),
        ["delete", bucket, key] => done(open(bucket)?.delete(key)),
        ["delete", bucket, keys @ ..] => done(batch::delete_many(&open(bucket)?, &owned(keys))),
        ["exists", bucket, key] => Ok(format!("{}\n", open(bucket)?.exists(key).map_err(said)?)),
        ["keys", bucket] => keys(&open(bucket)?),
        ["add", bucket, key, delta] => add(&open(bucket)?, key, number(delta)?, 1),
        ["add", bucket, key, delta, times] => add(&open(bucket)?, key, number(delta)?, number(times)?),
        _ => Err(HELP.into()),
    }
}

fn open(name: &str) -> Result<Bucket, String> {
    store::open(name).map_err(said)
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn done(result: Result<(), store::Error>) -> Result<String, String> {
    result.map(|()| String::new()).map_err(said)
}

fn shown(value: Option<Vec<u8>>) -> String {
    value.map_or("(none)\n".into(), |value| format!("{}\n", String::from_utf8_lossy(&value)))
}

fn names() -> Result<String, String> {
    let mut all = config::get_all().map_err(upstream)?;
    all.sort();
    Ok(all.iter().map(|(name, _)| format!("{name}\n")).collect())
}

pub fn upstream(error: config::Error) -> String {
    match error {
        config::Error::Upstream(why) | config::Error::Io(why) => why,
    }
}

fn get_many(bucket: &Bucket, keys: &[&str]) -> Result<String, String> {
    let pairs = batch::get_many(bucket, &owned(keys)).map_err(said)?;
    let line = |pair: Option<(String, Vec<u8>)>| match pair {
        Some((key, value)) => format!("{key}={}", shown(Some(value))),
        None => shown(None),
    };
    Ok(pairs.into_iter().map(line).collect())
}

fn set_many(bucket: &Bucket, words: &[&str]) -> Result<String, String> {
    let pairs = words.chunks(2).map(|pair| match pair {
        [key, value] => Ok(((*key).to_owned(), value.as_bytes().to_vec())),
        _ => Err(HELP.to_owned()),
    });
    done(batch::set_many(bucket, &pairs.collect::<Result<Vec<_>, _>>()?))
}

fn keys(bucket: &Bucket) -> Result<String, String> {
    let (mut lines, mut cursor) = (String::new(), None);
    loop {
        let page = bucket.list_keys(cursor).map_err(said)?;
        lines.push_str(&page.keys.join(" "));
        lines.push('\n');
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(lines);
        }
    }
}

fn add(bucket: &Bucket, key: &str, delta: u64, times: u32) -> Result<String, String> {
    let mut sum = 0;
    for _ in 0..times {
        sum = atomics::increment(bucket, key, delta).map_err(said)?;
    }
    Ok(format!("{sum}\n"))
}
