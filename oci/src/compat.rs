//! Compat images: unpacked once, then searched for the module that their entrypoint, or a container's command, names.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::error::PullError;
use crate::files::{self, Part};
use crate::image::{Image, ImageConfig, Module};
use crate::limits::Limits;
use crate::manifest::Descriptor;
use crate::scoped;
use crate::store::{InUse, Inner};

/// Where a bare name is looked for in an image that does not say (containerd's default).
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Unpacks the image unless it is, and stores the module that its configuration leads to as a blob of its own. An image
/// without one may be mounted, or run by a container that names a file. Blocks.
pub(crate) fn module(
    inner: &Inner,
    image: &Image,
    parts: &[(Descriptor, Part)],
) -> Result<Option<(Module, InUse)>, PullError> {
    let name = &image.reference;
    let io = |error: io::Error| PullError::io(name, error);
    let rootfs = files::make(inner, name, &image.manifest_digest, parts)?;
    let Ok((path, file)) = find(&rootfs, &image.config) else { return Ok(None) };
    let limit = inner.limits.module_bytes;
    let Some(bytes) = read(&file, &inner.limits).map_err(io)? else {
        let (what, size) = ("module (bytes)".into(), limit.saturating_add(1));
        return Err(PullError::TooLarge { reference: name.clone(), what, size, limit });
    };
    let digest = Digest::of(&bytes);
    let in_use = inner.hold(&digest);
    inner.blobs.put(&bytes).map_err(io)?;
    Ok(Some((described(path, &digest, &bytes), in_use)))
}

fn described(path: String, digest: &Digest, bytes: &[u8]) -> Module {
    Module { digest: digest.to_string(), size_bytes: bytes.len() as u64, path: Some(path) }
}

/// A file, unless it is larger than a module may be.
fn read(file: &Path, limits: &Limits) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    fs::File::open(file)?.take(limits.module_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limits.module_bytes).then_some(bytes))
}

/// The module at `path` of an unpacked image, if it is still the one described.
pub(crate) fn read_again(rootfs: &Path, module: &Module, limits: &Limits) -> io::Result<Vec<u8>> {
    let path = Path::new(module.path.as_deref().unwrap_or_default());
    let bytes = read(&scoped::resolve(rootfs, path, false)?, limits)?;
    let same = bytes.filter(|bytes| Digest::of(bytes).as_str() == module.digest);
    same.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "damaged on disk"))
}

/// What a container's command names in an image.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// A file of it.
    Module(Module),
    /// No file.
    Nothing,
    /// A file that is larger than a module may be.
    TooLarge,
}

/// The file that `command` names, seen from the directory `dir`; a bare name is looked for on the image's `PATH`, too.
/// Blocks.
pub(crate) fn named(
    rootfs: &Path,
    config: &ImageConfig,
    command: &str,
    dir: &str,
    limits: &Limits,
) -> io::Result<Named> {
    let path = config.env.iter().find(|(name, _)| name == "PATH").map_or(DEFAULT_PATH, |(_, value)| value);
    let elsewhere = path.split(':').filter(|_| !command.contains('/'));
    for dir in std::iter::once(dir).chain(elsewhere) {
        let path = Path::new("/").join(dir).join(command);
        let Ok(file) = scoped::resolve(rootfs, &path, false) else { continue };
        if file.is_file() {
            let found = read(&file, limits)?;
            let named = |bytes: Vec<u8>| described(path.to_string_lossy().into_owned(), &Digest::of(&bytes), &bytes);
            return Ok(found.map_or(Named::TooLarge, |bytes| Named::Module(named(bytes))));
        }
    }
    Ok(Named::Nothing)
}

/// The module: what the entrypoint names, else the command; else the only `.wasm` file at the top.
pub(crate) fn find(rootfs: &Path, config: &ImageConfig) -> Result<(String, PathBuf), String> {
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_command_names_a_file_as_a_shell_would_find_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("usr/bin")).unwrap();
        fs::create_dir_all(root.join("app")).unwrap();
        fs::write(root.join("usr/bin/tool"), b"tool").unwrap();
        fs::write(root.join("app/main.wasm"), b"main").unwrap();
        symlink("/usr/bin/tool", root.join("app/link")).unwrap();
        let limits = Limits { module_bytes: 4, ..Limits::default() };
        let mut config = ImageConfig::default();
        let found = |config: &ImageConfig, command: &str, dir: &str| match named(root, config, command, dir, &limits) {
            Ok(Named::Module(module)) => {
                let bytes = read_again(root, &module, &limits).unwrap();
                Some(String::from_utf8(bytes).unwrap())
            }
            other => {
                assert_eq!(other.unwrap(), Named::Nothing);
                None
            }
        };
        for (command, dir, wanted) in [
            ("/app/main.wasm", "", Some("main")),
            ("main.wasm", "/app", Some("main")),
            ("./main.wasm", "app", Some("main")),
            ("../../../usr/bin/tool", "/app", Some("tool")),
            ("tool", "/app", Some("tool")),
            ("link", "/app", Some("tool")),
            ("bin/tool", "/app", None),
            ("main.wasm", "", None),
            ("/app", "", None),
            ("sh", "/", None),
        ] {
            assert_eq!(found(&config, command, dir).as_deref(), wanted, "{command} in {dir:?}");
        }
        config.env = vec![("PATH".into(), "/bin:/app".into())];
        assert_eq!(found(&config, "main.wasm", "").as_deref(), Some("main"));
        assert_eq!(found(&config, "tool", ""), None);
        let narrow = Limits { module_bytes: 3, ..Limits::default() };
        assert_eq!(named(root, &config, "/app/main.wasm", "", &narrow).unwrap(), Named::TooLarge);
    }
}
