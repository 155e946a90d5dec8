//! `wasi:http` requests per second and time to the first byte, beside `wasmtime serve` with the same components and a
//! bare hyper server.
//!
//! Each server is a process of its own (`wasmtime serve` has one component, so it is a process each); this process is
//! the client, the same for all. On a machine of few cores the client takes a good part of them, so the ratios say more
//! than the figures.

mod cold;
mod component;
mod fleet;
mod load;
mod plain;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

use fleet::Fleet;
pub use plain::serve as serve_plain;

/// Before anything is counted; every server is asked in this time.
const WARM_UP: Duration = Duration::from_secs(2);
/// More processes of `wasmtime serve` than this are no fair comparison: they'd fight for memory.
const PEER_PROCESSES_MAX: u32 = 100;

/// Flags of `coracle bench http`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A component that exports wasi:http/incoming-handler.
    #[arg(long, value_name = "FILE", default_value = "samples/hello/hello.wasm")]
    wasm: PathBuf,
    /// How many different components are served at once, each by a pod of its own; measured one after the other.
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "1,100,1000",
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    components: Vec<u32>,
    /// Connections with a request under way.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1024))]
    connections: u32,
    /// How long each server is loaded.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=120))]
    seconds: u32,
    /// Cold starts of each server; 0 leaves them out.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    cold: u32,
    /// The `wasmtime` program to compare with; left out when it can't be started.
    #[arg(long, value_name = "PROGRAM", default_value = "wasmtime")]
    wasmtime: PathBuf,
}

/// Measures all servers in turn and prints the ratios.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let wasm = std::fs::read(&args.wasm).with_context(|| format!("cannot read {}", args.wasm.display()))?;
    let peer = fleet::can_start(&args.wasmtime).await;
    if !peer {
        println!("`{}` can't be started, so there is no comparison with it", args.wasmtime.display());
    }
    for &components in &args.components {
        println!("{components} different components, {} connections:", args.connections);
        let coracle = measure(&args, "coracle pods", Fleet::pods(&wasm, components).await?).await?;
        let plain = measure(&args, "hyper, no Wasm", Fleet::plain(components).await?).await?;
        println!("  coracle / hyper: {:.2}", coracle / plain);
        if peer && components <= PEER_PROCESSES_MAX {
            let fleet = Fleet::wasmtime(&args.wasmtime, &wasm, components).await?;
            let wasmtime = measure(&args, "wasmtime serve", fleet).await?;
            println!("  coracle / wasmtime serve: {:.2}", coracle / wasmtime);
        }
    }
    if args.cold > 0 {
        cold::measure(&wasm, args.cold, peer.then_some(args.wasmtime.as_path())).await?;
    }
    Ok(())
}

/// Requests per second of one fleet, which ends with it.
async fn measure(args: &Args, name: &str, fleet: Fleet) -> anyhow::Result<f64> {
    let measured = async {
        load::load(fleet.addresses(), args.connections, WARM_UP).await?;
        let duration = Duration::from_secs(u64::from(args.seconds));
        let mut sample = load::load(fleet.addresses(), args.connections, duration).await?;
        let rate = sample.len() as f64 / duration.as_secs_f64();
        println!("  {name}: {rate:.0} requests/s, {}", sample.summary());
        Ok(rate)
    };
    let measured = measured.await;
    fleet.stop().await?;
    measured
}
