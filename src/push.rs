//! `coracle push`: a Wasm file becomes an OCI artifact in a registry.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use coracle_oci::{PushOptions, Reference};

use crate::files::read_wasm;
use crate::progress::Transfer;
use crate::pull::RegistryArgs;

/// Flags of `coracle push`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A module or component, binary (.wasm) or text (.wat).
    file: PathBuf,
    /// Where it goes, such as 127.0.0.1:5000/hello:1.0.
    reference: Reference,
    #[command(flatten)]
    registry: RegistryArgs,
}

/// Pushes the file and prints its digest.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let wasm = read_wasm(&args.file)?;
    let options = PushOptions {
        auth: args.registry.auth()?,
        registries: args.registry.registries(&args.reference),
        progress: Some(Arc::new(Transfer::new())),
        ..PushOptions::default()
    };
    let pushed =
        coracle_oci::push(wasm, &args.reference, &options).await.with_context(|| format!("{}", args.file.display()))?;
    say!("{}\ndigest: {}\nsize: {} bytes", pushed.reference, pushed.digest, pushed.size_bytes);
    Ok(ExitCode::SUCCESS)
}
