//! Compat images: unpacked once, then searched for the module that their entrypoint names.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::error::PullError;
use crate::files::{self, Part};
use crate::image::{Image, ImageConfig, Module};
use crate::manifest::Descriptor;
use crate::scoped;
use crate::store::{InUse, Inner};

/// Unpacks the image unless it is, and stores its module as a blob of its own. Blocks.
pub(crate) fn module(inner: &Inner, image: &Image, parts: &[(Descriptor, Part)]) -> Result<(Module, InUse), PullError> {
    let name = &image.reference;
    let io = |error: io::Error| PullError::io(name, error);
    let rootfs = files::make(inner, name, &image.manifest_digest, parts)?;
    let (path, file) =
        find(&rootfs, &image.config).map_err(|detail| PullError::NoModule { reference: name.clone(), detail })?;
    let bytes = read_module(inner, name, &file)?;
    let digest = Digest::of(&bytes);
    let in_use = inner.hold(&digest);
    inner.blobs.put(&bytes).map_err(io)?;
    let module = Module { digest: digest.to_string(), size_bytes: bytes.len() as u64, path: Some(path) };
    Ok((module, in_use))
}

fn read_module(inner: &Inner, name: &str, file: &Path) -> Result<Vec<u8>, PullError> {
    let limit = inner.limits.module_bytes;
    let io = |error| PullError::io(name, error);
    let mut bytes = Vec::new();
    fs::File::open(file).map_err(io)?.take(limit + 1).read_to_end(&mut bytes).map_err(io)?;
    match bytes.len() as u64 {
        size if size > limit => {
            Err(PullError::TooLarge { reference: name.into(), what: "module (bytes)".into(), size, limit })
        }
        _ => Ok(bytes),
    }
}

/// The module: what the entrypoint names, else the command; else the only `.wasm` file at the top.
fn find(rootfs: &Path, config: &ImageConfig) -> Result<(String, PathBuf), String> {
    if let Some(named) = config.entrypoint.first().or(config.cmd.first()) {
        let path = Path::new(&config.working_dir).join(named);
        return match scoped::resolve(rootfs, &path, false) {
            Ok(file) if file.is_file() => Ok((named.clone(), file)),
            Ok(_) => Err(format!("its entrypoint {named:?} is no file in the image")),
            Err(error) => Err(format!("its entrypoint {named:?}: {error}")),
        };
    }
    let entries = fs::read_dir(rootfs).map_err(|error| error.to_string())?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut modules: Vec<String> = names.filter(|name| name.ends_with(".wasm")).collect();
    match (modules.pop(), modules.is_empty()) {
        (Some(only), true) => match scoped::resolve(rootfs, Path::new(&only), false) {
            Ok(file) if file.is_file() => Ok((format!("/{only}"), file)),
            _ => Err(format!("{only:?} at its top is no file")),
        },
        (None, _) => Err("it has no entrypoint, and no .wasm file at its top".to_owned()),
        (Some(_), false) => Err("it has no entrypoint, and several .wasm files at its top".to_owned()),
    }
}
