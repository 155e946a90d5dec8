//! The `coracle` command: one file per verb. Everything else lives in the crates that the verbs put together.
#![forbid(unsafe_code)]
// A command talks to its user on stdout and stderr.
#![allow(clippy::print_stdout, clippy::print_stderr)]

#[macro_use]
mod output;

mod bench;
mod cluster;
mod failure;
mod files;
mod image;
mod kubeconfig;
mod manifest;
mod node;
mod progress;
mod pull;
mod push;
mod run;
mod sandbox;
mod status;
mod up;

use std::io::IsTerminal as _;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// Runs WebAssembly workloads the way Kubernetes runs containers.
#[derive(Debug, Parser)]
#[command(name = "coracle", version, propagate_version = true)]
struct Cli {
    /// What to log: a level, or `module=level` pairs (also by CORACLE_LOG).
    #[arg(long, global = true, env = "CORACLE_LOG", default_value = "warn", value_name = "FILTER")]
    log: String,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start a whole cluster in this process, and deploy a sample or manifests if some are named.
    Up(Box<up::Args>),
    /// Join a cluster of any Kubernetes API server as a node.
    Node(Box<node::Args>),
    /// Run one Wasm file or image to its end, or until Ctrl-C, without a cluster.
    Run(run::Args),
    /// Show what goes on in a cluster.
    Status(status::Args),
    /// Push a Wasm module or component to a registry.
    Push(push::Args),
    /// Pull a Wasm artifact from a registry into a file.
    Pull(pull::Args),
    /// Look at the images that a node keeps.
    Image(image::Args),
    /// Measure a cluster that this command starts for the purpose.
    Bench(bench::Args),
    /// Run one pod in this process, which a node has started for it.
    #[command(hide = true)]
    Sandbox(sandbox::Args),
}

fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    if let Err(error) = init_logging(&cli.log) {
        note!("error: --log {:?}: {error}", cli.log);
        return std::process::ExitCode::from(2);
    }
    if let Verb::Sandbox(_) = cli.verb {
        return sandbox::run();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            note!("error: cannot start the async runtime: {error}");
            return std::process::ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(dispatch(cli.verb));
    // Whatever still blocks (a compilation, say) must not hold up the exit.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    match done {
        Ok(code) => code,
        Err(error) => {
            note!("error: {}", failure::explain(&error));
            std::process::ExitCode::FAILURE
        }
    }
}

async fn dispatch(verb: Verb) -> anyhow::Result<std::process::ExitCode> {
    match verb {
        Verb::Up(args) => Box::pin(up::run(*args)).await,
        Verb::Node(args) => node::run(*args).await,
        Verb::Run(args) => run::run(args).await,
        Verb::Status(args) => status::run(args).await,
        Verb::Push(args) => push::run(args).await,
        Verb::Pull(args) => pull::run(args).await,
        Verb::Image(args) => image::run(args).await,
        Verb::Bench(args) => Box::pin(bench::run(args)).await,
        Verb::Sandbox(_) => Ok(sandbox::run()),
    }
}

fn init_logging(filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter)?;
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
    Ok(())
}
