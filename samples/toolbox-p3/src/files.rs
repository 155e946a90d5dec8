//! Files in the directories that the program was given.

use wasip3::cli::stdout;
use wasip3::filesystem::preopens;
use wasip3::filesystem::types::{Descriptor, DescriptorFlags, OpenFlags, PathFlags};

use crate::{Outcome, streams};

/// Opens `path` in the directory that holds it.
async fn open(path: &str, how: OpenFlags, flags: DescriptorFlags) -> Result<Descriptor, String> {
    let holds = |directory: &str| path.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/'));
    let directories = preopens::get_directories();
    let (directory, rest) = directories
        .iter()
        .filter_map(|(descriptor, name)| Some((descriptor, holds(name)?)))
        .min_by_key(|(_, rest)| rest.len())
        .ok_or_else(|| format!("{path}: no directory holds it"))?;
    let opened = directory.open_at(PathFlags::SYMLINK_FOLLOW, rest.to_owned(), how, flags).await;
    opened.map_err(|error| format!("{path}: {error:?}"))
}

/// Prints a file.
pub async fn cat(path: &str) -> Outcome {
    let file = open(path, OpenFlags::empty(), DescriptorFlags::READ).await?;
    let (content, read) = file.read_via_stream(0);
    stdout::write_via_stream(content).await.map_err(|error| format!("stdout: {error:?}"))?;
    read.await.map_err(|error| format!("{path}: {error:?}"))?;
    Ok(0)
}

/// Writes a file anew.
pub async fn write(path: &str, text: &str) -> Outcome {
    let file = open(path, OpenFlags::CREATE | OpenFlags::TRUNCATE, DescriptorFlags::WRITE).await?;
    file.write_via_stream(streams::of(text), 0).await.map_err(|error| format!("{path}: {error:?}"))?;
    Ok(0)
}
