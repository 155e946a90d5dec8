//! `coracle image`: what the node's image store holds, and what a Wasm artifact is made of.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use coracle_oci::{Image, ImageStore, Limits, PullOptions, Reference, WasmInfo};

use crate::cluster::default_data_dir;
use crate::files::read_wasm;
use crate::pull::{RegistryArgs, scratch};

/// Verbs of `coracle image`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List the images that the node has.
    Ls {
        /// Data directory of the cluster [default: as for `up`].
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
    /// Show what a file or an image is: its kind, its imports and exports, its configuration.
    Inspect {
        /// A file (.wasm or .wat), an image that the node has, or one in a registry.
        target: String,
        /// Data directory of the cluster [default: as for `up`].
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
        #[command(flatten)]
        registry: RegistryArgs,
    },
}

/// Runs the verb.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.verb {
        Verb::Ls { data_dir } => list(data_dir)?,
        Verb::Inspect { target, data_dir, registry } => inspect(&target, data_dir, &registry).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Opening the store only reads: a running node is not disturbed.
fn open_store(data_dir: Option<PathBuf>) -> anyhow::Result<Option<ImageStore>> {
    let directory = data_dir.unwrap_or_else(default_data_dir).join("images");
    if !directory.is_dir() {
        return Ok(None);
    }
    Ok(Some(ImageStore::open(&directory, Limits::default())?))
}

fn list(data_dir: Option<PathBuf>) -> anyhow::Result<()> {
    let images = open_store(data_dir)?.map(|store| store.list()).unwrap_or_default();
    let width = images.iter().map(|i| i.reference.len()).max().unwrap_or(0).max("IMAGE".len());
    say!("{:width$}   {:19}   SIZE", "IMAGE", "DIGEST");
    for image in images {
        say!("{:width$}   {:19}   {}", image.reference, short(&image.digest), human_bytes(image.size_bytes));
    }
    Ok(())
}

async fn inspect(target: &str, data_dir: Option<PathBuf>, registry: &RegistryArgs) -> anyhow::Result<()> {
    let path = Path::new(target);
    if path.exists() {
        let info = coracle_oci::inspect_wasm(&coracle_oci::assemble(read_wasm(path)?)?);
        print_module(&info.with_context(|| path.display().to_string())?);
        return Ok(());
    }
    let reference: Reference =
        target.parse().with_context(|| format!("{target:?} is neither a file nor an image reference"))?;
    if let Some(store) = open_store(data_dir)?
        && let Some(image) = store.resolve(&reference)
    {
        return print_image(&store, &image);
    }
    let directory = scratch()?;
    let store = ImageStore::open(directory.path(), Limits::default())?;
    let options = PullOptions { auth: registry.auth()?, registries: registry.registries(&reference), progress: None };
    let image = store.pull(&reference, &options).await?;
    print_image(&store, &image)
}

fn print_image(store: &ImageStore, image: &Image) -> anyhow::Result<()> {
    say!("image:      {}", image.reference);
    say!("digest:     {}", image.digest);
    say!("size:       {}", human_bytes(image.size_bytes));
    say!("format:     {}", image.format);
    for (label, words) in [("entrypoint", &image.config.entrypoint), ("cmd", &image.config.cmd)] {
        if !words.is_empty() {
            say!("{label:11} {}", words.join(" "));
        }
    }
    print_module(&coracle_oci::inspect_wasm(&store.module(image)?)?);
    Ok(())
}

fn print_module(info: &WasmInfo) {
    say!("kind:       {}", info.kind);
    if let Some(version) = info.wasi() {
        say!("wasi:       {version}");
    }
    for (title, names) in [("imports", &info.imports), ("exports", &info.exports)] {
        say!("{title}:");
        for name in names {
            say!("  {name}");
        }
    }
}

fn short(digest: &str) -> String {
    digest.chars().take("sha256:".len() + 12).collect()
}

/// `1.5 MiB`
fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["B", "KiB", "MiB", "GiB"];
    let mut scaled = bytes * 10;
    let mut unit = 0;
    while scaled >= 10_240 && unit + 1 < UNITS.len() {
        scaled /= 1024;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{}.{} {}", scaled / 10, scaled % 10, UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        assert_eq!(human_bytes(999), "999 B");
        assert_eq!(human_bytes(1536), "1.5 KiB");
        assert_eq!(human_bytes(3 << 30), "3.0 GiB");
    }
}
