//! `coracle pull`: the Wasm of an OCI artifact becomes a file.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use coracle_oci::{Auth, Limits, PullOptions, Reference, Registries};

use crate::progress::Transfer;

/// How to talk to a registry.
#[derive(Debug, clap::Args)]
pub struct RegistryArgs {
    /// User name for the registry.
    #[arg(long, value_name = "NAME", requires = "password_file")]
    username: Option<String>,
    /// File that holds the password: on a command line everybody could read it.
    #[arg(long, value_name = "FILE", requires = "username")]
    password_file: Option<PathBuf>,
    /// Speak plain HTTP. Registries on this machine's loopback addresses need no flag.
    #[arg(long)]
    plain_http: bool,
}

impl RegistryArgs {
    /// The credentials, or none.
    pub fn auth(&self) -> anyhow::Result<Auth> {
        let (Some(username), Some(file)) = (&self.username, &self.password_file) else { return Ok(Auth::Anonymous) };
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok(Auth::Basic { username: username.clone(), password: text.trim_end_matches(['\r', '\n']).to_string() })
    }

    /// The registries as these flags describe them.
    pub fn registries(&self, reference: &Reference) -> Arc<Registries> {
        let registries = Registries::new();
        if self.plain_http {
            registries.allow_plain_http(reference.registry());
        }
        Arc::new(registries)
    }
}

/// Flags of `coracle pull`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to pull, such as 127.0.0.1:5000/hello:1.0.
    reference: Reference,
    /// File to write [default: the last part of the name with .wasm].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the file if it exists.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    registry: RegistryArgs,
}

/// Pulls the artifact and prints where it is and what it is.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let name = args.reference.repository().rsplit('/').next().unwrap_or("module").to_string();
    let file = args.output.clone().unwrap_or_else(|| format!("{name}.wasm").into());
    if file.exists() && !args.force {
        bail!("{} exists; name another file with --output, or replace it with --force", file.display());
    }
    let options = PullOptions {
        auth: args.registry.auth()?,
        registries: args.registry.registries(&args.reference),
        progress: Some(Arc::new(Transfer::new())),
    };
    let image = coracle_oci::pull_to_file(&args.reference, &file, &options, Limits::default()).await?;
    say!("{}\ndigest: {}", file.display(), image.digest);
    Ok(ExitCode::SUCCESS)
}

/// A directory that goes away again: what is pulled into a file is not kept as an image.
pub fn scratch() -> anyhow::Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix("coracle-").tempdir().context("cannot make a temporary directory")
}
