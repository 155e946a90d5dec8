//! Servers of so many components, and their processes.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::ListParams;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use super::component::variant;
use crate::bench::node::target::Target;
use crate::pull::scratch;

/// Servers must listen in this time after their start.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How often a server is looked at that does not listen yet.
const POLL: Duration = Duration::from_millis(1);
/// Pods created, and images pushed, at once.
const AT_ONCE: usize = 16;
/// Where pods listen.
const POD_PORT: u16 = 8080;
/// What a pod without a port of its own would be refused for beyond the node's usual number.
const SPARE_PODS: u32 = 10;

/// Servers that are up.
pub struct Fleet {
    addresses: Vec<SocketAddr>,
    servers: Servers,
    /// Where the servers keep things.
    _directory: TempDir,
}

enum Servers {
    /// Pods of a cluster.
    Pods(Box<Target>),
    /// Processes.
    Processes(Vec<Child>),
}

impl Fleet {
    /// A cluster with a pod for each component.
    pub async fn pods(wasm: &[u8], components: u32) -> anyhow::Result<Fleet> {
        let directory = scratch()?;
        let flags = ["--max-pods".to_owned(), (components + SPARE_PODS).to_string()];
        let target = Target::start_with(directory.path(), &flags).await?;
        let create = async |number: u32| {
            let name = format!("component-{number}");
            let image = target.push(&name, variant(wasm, number)).await?;
            let container = json!({ "name": "main", "image": image, "ports": [{ "containerPort": POD_PORT }] });
            target.create(&name, container).await
        };
        futures::stream::iter(0..components).map(create).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
        target.wait("Running", components as usize).await?;
        let pods = target.pods().list(&ListParams::default()).await?.items;
        let address = |pod: k8s_openapi::api::core::v1::Pod| {
            let address = pod.status.and_then(|status| status.pod_ip).context("a pod that runs has no address")?;
            Ok(SocketAddr::new(address.parse()?, POD_PORT))
        };
        let addresses = pods.into_iter().map(address).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Fleet { addresses, servers: Servers::Pods(Box::new(target)), _directory: directory })
    }

    /// One process without Wasm that listens at as many addresses.
    pub async fn plain(servers: u32) -> anyhow::Result<Fleet> {
        let addresses = free_addresses(servers).await?;
        let process = start(plain(&addresses)?, &addresses).await.context("hyper, no Wasm")?;
        Ok(Fleet { addresses, servers: Servers::Processes(vec![process]), _directory: scratch()? })
    }

    /// A `wasmtime serve` for each component.
    pub async fn wasmtime(program: &Path, wasm: &[u8], components: u32) -> anyhow::Result<Fleet> {
        let directory = scratch()?;
        let addresses = free_addresses(components).await?;
        let mut processes = Vec::new();
        for (number, address) in (0..).zip(&addresses) {
            let file = directory.path().join(format!("{number}.wasm"));
            std::fs::write(&file, variant(wasm, number))?;
            let process = start(wasmtime(program, &file, *address), &[*address]).await.context("wasmtime serve")?;
            processes.push(process);
        }
        Ok(Fleet { addresses, servers: Servers::Processes(processes), _directory: directory })
    }

    /// Where they listen.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Ends them.
    pub async fn stop(self) -> anyhow::Result<()> {
        match self.servers {
            Servers::Pods(target) => target.stop().await,
            Servers::Processes(processes) => {
                for mut process in processes {
                    process.kill().await.context("cannot stop a server")?;
                }
                Ok(())
            }
        }
    }
}

/// Whether a program can be started at all.
pub async fn can_start(program: &Path) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).status().await.is_ok()
}

/// The command of the server without Wasm.
pub fn plain(addresses: &[SocketAddr]) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("cannot find this program")?);
    command.args(["bench", "http-plain"]).args(addresses.iter().map(SocketAddr::to_string));
    Ok(command)
}

/// The command of `wasmtime serve`.
pub fn wasmtime(program: &Path, wasm: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(program);
    command.args(["serve", "-Scli", "--addr", &address.to_string()]).arg(wasm);
    command
}

/// The command of one component without a cluster.
pub fn coracle(wasm: &Path, address: SocketAddr) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("cannot find this program")?);
    command.args(["run", "--address", &address.ip().to_string(), "--port", &address.port().to_string()]).arg(wasm);
    Ok(command)
}

/// Addresses nobody listens at, all different.
pub async fn free_addresses(count: u32) -> anyhow::Result<Vec<SocketAddr>> {
    let mut listeners = Vec::new();
    for _ in 0..count {
        listeners.push(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no free port")?);
    }
    listeners.iter().map(|listener| Ok(listener.local_addr()?)).collect()
}

/// Starts a server, and waits until it listens everywhere.
pub async fn start(mut command: Command, addresses: &[SocketAddr]) -> anyhow::Result<Child> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().context("cannot be started")?;
    let begun = Instant::now();
    for address in addresses {
        while TcpStream::connect(address).await.is_err() {
            if let Some(status) = child.try_wait()? {
                bail!("ended at once: {status}");
            }
            if begun.elapsed() > START_TIMEOUT {
                bail!("does not listen on {address} after {} s", START_TIMEOUT.as_secs());
            }
            tokio::time::sleep(POLL).await;
        }
    }
    Ok(child)
}
