//! Functions of WASI 0.3 that take paths. In 0.2 an instance makes one call at a time; here thousands wait at once, each
//! with its arguments in the host. So a path is refused before anything is begun with it, if it is too long for any system.

use wasmtime::component::{Accessor, LinkerInstance, Resource};
use wasmtime_wasi::{
    filesystem::WasiFilesystem,
    p3::{
        bindings::filesystem::types::{Descriptor, ErrorCode, HostDescriptorWithStore, NewTimestamp, PathFlags},
        filesystem::FilesystemResult,
    },
};

use super::p3::files;
use crate::{limits, sandbox::Sandbox};

/// Whether a path is longer than any system takes.
pub(super) fn is_too_long(path: &str) -> bool {
    path.len() > limits::PATH_LIMIT_BYTES
}

/// The error of the file system as the guest is told it, or one that ends the guest.
pub(super) fn answer<T>(result: FilesystemResult<T>) -> wasmtime::Result<(Result<T, ErrorCode>,)> {
    match result {
        Ok(value) => Ok((Ok(value),)),
        Err(error) => Ok((Err(error.downcast()?),)),
    }
}

/// Puts before each function of wasmtime's the check of the arguments that are listed as paths.
macro_rules! check_paths {
    ($interface:ident: $($name:literal $function:ident($($argument:ident: $type:ty),*) $paths:tt;)*) => {$(
        $interface.func_wrap_concurrent(
            concat!("[method]descriptor.", $name),
            |store: &Accessor<Sandbox>, (file, $($argument),*): (Resource<Descriptor>, $($type),*)| {
                Box::pin(async move {
                    let paths: &[&String] = &check_paths!(@list $paths);
                    if paths.iter().any(|path| is_too_long(path)) {
                        return Ok((Err(ErrorCode::NameTooLong),));
                    }
                    let below = store.with_getter::<WasiFilesystem>(files);
                    answer(
                        <WasiFilesystem as HostDescriptorWithStore<Sandbox>>::$function(&below, file, $($argument),*)
                            .await,
                    )
                })
            },
        )?;
    )*};
    (@list [$($path:ident),*]) => { [$(&$path),*] };
}

/// Puts the functions that check in the place of wasmtime's. The linker must allow shadowing.
pub(super) fn add_to_linker(interface: &mut LinkerInstance<'_, Sandbox>) -> wasmtime::Result<()> {
    check_paths! { interface:
        "create-directory-at" create_directory_at(path: String) [path];
        "stat-at" stat_at(follow: PathFlags, path: String) [path];
        "set-times-at" set_times_at(
            follow: PathFlags, path: String, accessed: NewTimestamp, modified: NewTimestamp
        ) [path];
        "link-at" link_at(
            follow: PathFlags, old: String, dir: Resource<Descriptor>, new: String
        ) [old, new];
        "readlink-at" readlink_at(path: String) [path];
        "remove-directory-at" remove_directory_at(path: String) [path];
        "rename-at" rename_at(old: String, dir: Resource<Descriptor>, new: String) [old, new];
        "symlink-at" symlink_at(old: String, new: String) [old, new];
        "unlink-file-at" unlink_file_at(path: String) [path];
        "metadata-hash-at" metadata_hash_at(follow: PathFlags, path: String) [path];
    }
    Ok(())
}
