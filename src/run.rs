//! `coracle run`: one program, no cluster.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use coracle_oci::{ImageStore, Limits, PullOptions, Reference};
use coracle_wasi_host::{
    Bucket, ContainerConfig, Engine, EngineConfig, InstanceReuse, Network, NetworkError, Output, PodConfig, PodContext,
    PodLimits, Preopen, Program, Stream,
};
use tokio::signal::unix::{SignalKind, signal};

use crate::files::read_wasm;
use crate::progress::Transfer;
use crate::pull::{RegistryArgs, scratch};

/// Instances that a single program may have at once: `up` is for more.
const MAX_INSTANCES: u32 = 256;
/// After Ctrl-C a program has this long to end by itself.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// Flags of `coracle run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A file (.wasm or .wat), or an image such as 127.0.0.1:5000/hello:1.0.
    program: String,
    /// Arguments for the program.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
    /// A variable for the program; nothing of the environment is handed on by itself.
    #[arg(short, long = "env", value_name = "NAME=VALUE", value_parser = parse_variable)]
    env: Vec<(String, String)>,
    /// A directory for the program, optionally under another name, optionally read-only. The last part of that name is
    /// the bucket's that it has there (wasi:keyvalue).
    #[arg(long = "dir", value_name = "HOST[:GUEST[:ro]]", value_parser = parse_directory)]
    directories: Vec<Preopen>,
    /// Where a wasi:http component listens; 0 picks a free port.
    #[arg(short, long, value_name = "PORT", default_value_t = 8080)]
    port: u16,
    /// The address that is the program's own.
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    address: IpAddr,
    /// Memory that the program may have, in MiB.
    #[arg(long, value_name = "MIB")]
    memory_mib: Option<u64>,
    #[command(flatten)]
    registry: RegistryArgs,
}

/// Runs the program; its exit code becomes ours.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let (name, wasm, mut argv) = load(&args).await?;
    argv.extend(args.args.clone());
    let engine = Engine::new(EngineConfig { max_instances: MAX_INSTANCES, ..EngineConfig::default() })?;
    let program = compile(&engine, wasm).await.with_context(|| args.program.clone())?;
    let kind = program.kind();
    let memory_limit_bytes = args.memory_mib.map(|mib| mib << 20);
    let http_port = if kind.serves() { choose_port(&args)? } else { args.port };
    let pod = PodContext::new(
        &engine,
        PodConfig {
            name: name.clone(),
            hostname: name.clone(),
            address: args.address,
            network: Arc::new(HostNetwork),
            limits: PodLimits { memory_bytes: memory_limit_bytes, cpu_millis: None },
        },
    );
    let container = pod
        .start(ContainerConfig {
            name,
            program,
            args: argv,
            config: args.env.clone(),
            env: args.env,
            working_dir: None,
            buckets: args.directories.iter().filter_map(bucket).collect(),
            preopens: args.directories,
            stdin: None,
            terminal: false,
            output: Arc::new(Console),
            memory_limit_bytes,
            cpu_limit_millis: None,
            cpu_shares: coracle_wasi_host::limits::CPU_SHARES_MIN,
            http_port,
            reuse: InstanceReuse::default(),
        })
        .await?;
    if kind.serves() {
        note!("listening on http://{}", SocketAddr::new(args.address, http_port));
    }
    let exit = tokio::select! {
        exit = container.wait() => exit,
        _ = interrupt.recv() => container.stop(STOP_GRACE).await,
        _ = terminate.recv() => container.stop(STOP_GRACE).await,
    };
    Ok(u8::try_from(exit.code).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The port for a server, one of the kernel's choice for 0: a guest's listener has to be told which.
fn choose_port(args: &Args) -> anyhow::Result<u16> {
    if args.port != 0 {
        return Ok(args.port);
    }
    let probe = std::net::TcpListener::bind((args.address, 0));
    let port =
        probe.and_then(|probe| probe.local_addr()).with_context(|| format!("cannot listen on {}", args.address))?;
    Ok(port.port())
}

/// The program's name, its bytes, and the start of its argument list.
async fn load(args: &Args) -> anyhow::Result<(String, Vec<u8>, Vec<String>)> {
    let path = Path::new(&args.program);
    if path.exists() {
        let wasm = read_wasm(path)?;
        let name = path.file_stem().map_or_else(|| "program".into(), |stem| stem.to_string_lossy().into_owned());
        return Ok((name.clone(), wasm, vec![name]));
    }
    let looks_like_file = matches!(path.extension().and_then(|e| e.to_str()), Some("wasm" | "wat"));
    if looks_like_file || args.program.starts_with(['.', '/']) {
        bail!("there is no file {}", path.display());
    }
    let reference: Reference =
        args.program.parse().with_context(|| format!("{:?} is neither a file nor an image reference", args.program))?;
    pull(args, &reference).await
}

async fn pull(args: &Args, reference: &Reference) -> anyhow::Result<(String, Vec<u8>, Vec<String>)> {
    let directory = scratch()?;
    let store = ImageStore::open(directory.path(), Limits::default())?;
    let options = PullOptions {
        auth: args.registry.auth()?,
        registries: args.registry.registries(reference),
        progress: Some(Arc::new(Transfer::new())),
    };
    let image = store.pull(reference, &options).await?;
    let name = reference.repository().rsplit('/').next().unwrap_or("program").to_string();
    let mut argv: Vec<String> = image.config.entrypoint.iter().chain(&image.config.cmd).cloned().collect();
    if argv.is_empty() {
        argv.push(name.clone());
    }
    Ok((name, store.module(&image)?.to_vec(), argv))
}

async fn compile(engine: &Engine, wasm: Vec<u8>) -> anyhow::Result<Program> {
    let engine = engine.clone();
    let compiled = tokio::task::spawn_blocking(move || engine.compile(&wasm)).await;
    Ok(compiled.context("the compiler panicked")??)
}

fn parse_variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err(format!("{text:?} should be NAME=VALUE")),
    }
}

fn parse_directory(text: &str) -> Result<Preopen, String> {
    let mut parts = text.split(':');
    let host = parts.next().filter(|h| !h.is_empty()).ok_or("a directory must be named")?;
    let guest = parts.next().unwrap_or(host);
    let read_only = match parts.next() {
        None | Some("rw") => false,
        Some("ro") => true,
        Some(other) => return Err(format!("{other:?} should be ro or rw")),
    };
    // One that isn't there is an error of the start, which says so.
    let host_path = std::fs::canonicalize(host).unwrap_or_else(|_| PathBuf::from(host));
    Ok(Preopen { host_path, guest_path: guest.into(), read_only })
}

/// A program that opens the bucket `data` (`wasi:keyvalue`) finds it in the directory that it sees as `/data`.
fn bucket(directory: &Preopen) -> Option<Bucket> {
    let Preopen { host_path, guest_path, read_only } = directory;
    let name = Path::new(guest_path).file_name()?.to_str()?.to_owned();
    Some(Bucket { name, host_path: host_path.clone(), read_only: *read_only })
}

/// Without a cluster there are no Services: names and addresses are the host's.
struct HostNetwork;

#[async_trait::async_trait]
impl Network for HostNetwork {
    async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, NetworkError> {
        let found = tokio::net::lookup_host((name, 0)).await.map_err(|_| NetworkError::NotFound)?;
        Ok(found.map(|address| address.ip()).collect())
    }

    fn route(&self, _from: IpAddr, to: SocketAddr) -> Result<SocketAddr, NetworkError> {
        Ok(to)
    }
}

/// The program's output is this command's own.
struct Console;

impl Output for Console {
    fn write(&self, stream: Stream, bytes: &[u8]) {
        // A closed pipe is the reader's decision; the program need not end for it.
        let _ = match stream {
            Stream::Stdout => std::io::stdout().write_all(bytes).and_then(|()| std::io::stdout().flush()),
            Stream::Stderr => std::io::stderr().write_all(bytes),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_may_be_renamed_and_read_only() {
        let preopen = parse_directory("/srv/data:/data:ro").unwrap();
        assert_eq!(preopen.guest_path, "/data");
        assert!(preopen.read_only);
        assert_eq!(bucket(&preopen).unwrap().name, "data");
        assert_eq!(parse_directory("a").unwrap().guest_path, "a");
        assert!(parse_directory("a:b:c").is_err());
    }

    #[test]
    fn variables_need_a_name() {
        assert!(parse_variable("=x").is_err());
        assert_eq!(parse_variable("A=b=c").unwrap(), ("A".into(), "b=c".into()));
    }
}
