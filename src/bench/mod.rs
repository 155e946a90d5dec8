//! `coracle bench`: whole-system measurements, each on a cluster of its own in a temporary directory.

mod api;
mod cpu;
mod http;
mod load;
mod memory;
mod node;
mod pods;
mod process;
mod scale;
mod soak;
mod start;
mod statistics;
mod up;

use std::process::ExitCode;

/// What can be measured.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// API create to Ready: one pod after the other, then many replicas; resident memory per pod.
    Pods(pods::Args),
    /// wasi:http requests per second, beside `wasmtime serve` and a server without Wasm.
    Http(http::Args),
    /// The server without Wasm that `http` compares with.
    #[command(hide = true)]
    HttpPlain {
        /// Where it listens.
        #[arg(required = true)]
        addresses: Vec<std::net::SocketAddr>,
    },
    /// The API server: durable creates, lists, watches, patches, memory per object.
    Api(api::Args),
    /// The node: how soon exits are seen, what probes cost, how fast a guest may write to its log.
    Node(node::Args),
    /// CPU time: how exactly limits are kept, what shares by requests are worth, how fair it is among many busy guests.
    Cpu(cpu::Args),
    /// Many pods on one node: time to Ready, memory and processor time, what is left after them, a restart.
    Scale(scale::Args),
    /// Pods that come and go under load for a long time, and what that leaves behind.
    Soak(soak::Args),
    /// Time from nothing to /readyz, and resident memory when idle.
    Start(start::Args),
}

/// Runs the measurement and prints its figures.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Pods(args) => pods::run(args).await?,
        What::Http(args) => http::run(args).await?,
        What::HttpPlain { addresses } => http::serve_plain(addresses).await?,
        What::Api(args) => api::run(args).await?,
        What::Node(args) => node::run(args).await?,
        What::Cpu(args) => cpu::run(args).await?,
        What::Scale(args) => scale::run(args).await?,
        What::Soak(args) => soak::run(args).await?,
        What::Start(args) => start::run(args).await?,
    }
    Ok(ExitCode::SUCCESS)
}
