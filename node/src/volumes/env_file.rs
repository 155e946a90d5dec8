//! Variables out of files that a pod's volume has (`fileKeyRef`).

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use super::{
    no_links::{hold_file, path_of},
    sub_path::inside,
    volume_set::Volumes,
};

/// The largest file that is read (kubelet's limit is 64 KiB).
const FILE_LIMIT_BYTES: u64 = 64 << 10;

impl Volumes {
    /// The value of `key` in the file at `path` of a volume; None if the file or the key isn't there.
    pub fn variable(&self, volume: &str, path: &str, key: &str) -> io::Result<Option<String>> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, format!("cannot find volume {volume:?}"));
        let dir = &self.get(volume).ok_or_else(missing)?.path;
        let file = match inside(dir, Path::new(path), false) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => fs::File::open(path_of(&hold_file(&file?)?))?,
        };
        let mut text = String::new();
        file.take(FILE_LIMIT_BYTES).read_to_string(&mut text)?;
        Ok(value(&text, key))
    }
}

/// Lines are `NAME=value` or `NAME='value'`; empty ones and those that begin with `#` say nothing. The last one counts.
fn value(text: &str, key: &str) -> Option<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let mut pairs = lines.filter_map(|line| line.split_once('='));
    let (_, value) = pairs.rfind(|(name, _)| name.trim_end() == key)?;
    let value = value.trim_start();
    let quoted = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\''));
    Some(quoted.unwrap_or(value).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_variables() {
        let text = "# A=no\nA=1\n\n  B = 'two words' \nA=2\nC=\nnonsense\nD='it=is'\n";
        let all = ["A", "B", "C", "D", "E"].map(|key| value(text, key));
        let all = all.each_ref().map(Option::as_deref);
        assert_eq!(all, [Some("2"), Some("two words"), Some(""), Some("it=is"), None]);
    }
}
