//! Tools for files and directories.

use std::fs;

use crate::{Call, Outcome, failed};

/// Prints files.
pub fn cat(call: &mut Call<'_>) -> Outcome {
    for path in call.args {
        let content = fs::read(path).map_err(|error| format!("{path}: {error}"))?;
        call.out.write_all(&content).map_err(failed)?;
    }
    Ok(0)
}

/// Lists directories: type, size and name of each entry.
pub fn ls(call: &mut Call<'_>) -> Outcome {
    let here = [".".to_owned()];
    for path in if call.args.is_empty() { &here[..] } else { call.args } {
        let told = |error: std::io::Error| format!("{path}: {error}");
        let mut names: Vec<_> = match fs::metadata(path).map_err(told)?.is_dir() {
            true => fs::read_dir(path).map_err(told)?.flatten().map(|entry| entry.path()).collect(),
            false => vec![path.into()],
        };
        names.sort();
        for name in names {
            let kind = match fs::symlink_metadata(&name).map_err(failed)?.file_type() {
                kind if kind.is_symlink() => "link",
                kind if kind.is_dir() => "directory",
                _ => "file",
            };
            let size = fs::metadata(&name).map_or(0, |it| it.len());
            let shown = name.file_name().map_or_else(|| name.display().to_string(), |it| it.to_string_lossy().into());
            call.line(format!("{kind} {size} {shown}"))?;
        }
    }
    Ok(0)
}

/// Writes words to a file, without a line end.
pub fn write(call: &mut Call<'_>) -> Outcome {
    let path = call.arg(0, "the file")?;
    let text = call.args[1..].join(" ");
    fs::write(path, text).map_err(|error| format!("{path}: {error}"))?;
    Ok(0)
}

/// Tells of files what Kubernetes' own test image of this name tells: `--file_type=PATH`, and `--new_file=PATH`, which
/// writes one and reads it back. WASI knows no permission bits.
pub fn mounttest(call: &mut Call<'_>) -> Outcome {
    for arg in call.args {
        let told = |error: std::io::Error| format!("{arg}: {error}");
        match arg.split_once('=') {
            Some(("--file_type", path)) => {
                let kind = if fs::metadata(path).map_err(told)?.is_dir() { "directory" } else { "file" };
                call.line(format!("type of {path:?}: {kind}"))?;
            }
            Some(("--new_file", path)) => {
                fs::write(path, "mount-tester new file\n").map_err(told)?;
                let content = fs::read_to_string(path).map_err(told)?;
                call.line(format!("content of file {path:?}: {content}"))?;
            }
            _ => return Err(format!("{arg} is unknown")),
        }
    }
    Ok(0)
}

/// Makes files that are not there.
pub fn touch(call: &mut Call<'_>) -> Outcome {
    each(call, |path| fs::OpenOptions::new().create(true).append(true).open(path).map(drop))
}

/// Removes files.
pub fn rm(call: &mut Call<'_>) -> Outcome {
    each(call, |path| fs::remove_file(path))
}

/// Makes directories, with those above them.
pub fn mkdir(call: &mut Call<'_>) -> Outcome {
    each(call, |path| fs::create_dir_all(path))
}

fn each(call: &mut Call<'_>, work: impl Fn(&str) -> std::io::Result<()>) -> Outcome {
    // Flags such as `-p` and `-f` say what these do anyway.
    for path in call.args.iter().filter(|arg| !arg.starts_with('-')) {
        work(path).map_err(|error| format!("{path}: {error}"))?;
    }
    Ok(0)
}
