//! Starting a container in a child: everything that it may have is opened here and handed over.

use std::{io, net::SocketAddr, os::fd::OwnedFd, sync::Arc};

use super::{
    directories,
    link::Link,
    memory_file,
    message::{BucketOf, Directory, Start, ToChild},
    pod::IsolatedPod,
    pumps,
    remote::{Plan, Remote},
};
use crate::{ContainerConfig, Engine, Program, StartError, limits, server::Listener};

/// Starts it, and waits until the child has.
pub(super) async fn start(pod: &IsolatedPod, link: Arc<Link>, spec: ContainerConfig) -> Result<Remote, StartError> {
    let directories = open_directories(&spec)?;
    let (listener, address) = listener(pod, &spec)?.unzip();
    let program = program_file(&spec.program, *link.key()).await?;
    let (output, childs_output) = pumps::output_pipe().map_err(failed)?;
    let (childs_stdin, stdin) = spec.stdin.as_ref().map(|_| pumps::stdin_pipe()).transpose().map_err(failed)?.unzip();
    let what = memory_file::write_value(&message(&spec, listener.is_some())).map_err(failed)?;
    let descriptors = [what, program, childs_output].into_iter().chain(childs_stdin).chain(listener).chain(directories);
    let (id, entry, started) = link.register(spec.cpu_shares);
    link.order(ToChild::Start(id), descriptors.collect());
    let plan = Plan {
        output: (output, Arc::clone(&spec.output)),
        stdin: stdin.zip(spec.stdin.clone()),
        program: Some(spec.program),
        terminal: spec.terminal,
        preopens: spec.preopens,
        address,
    };
    let remote = Remote::new(&pod.engine, link, id, entry, plan);
    let answer = tokio::select! {
        biased;
        answer = started => answer.ok(),
        // The child was lost before it said anything: that is the end of the container.
        _ = remote.wait() => None,
    };
    match answer {
        Some(Err(message)) => Err(StartError::Isolated(message)),
        Some(Ok(())) | None => Ok(remote),
    }
}

fn failed(error: io::Error) -> StartError {
    StartError::Isolated(error.to_string())
}

fn open_directories(spec: &ContainerConfig) -> Result<Vec<OwnedFd>, StartError> {
    let most = limits::ISOLATED_DESCRIPTORS_PER_MESSAGE - limits::ISOLATED_DESCRIPTORS_OF_START;
    let mounted = spec.preopens.len() + spec.buckets.len();
    if mounted > most {
        let message = format!("{mounted} directories and buckets are mounted, at most {most} can be handed over");
        return Err(StartError::Isolated(message));
    }
    let wanted = spec.preopens.iter().filter(|_| spec.program.opens_files());
    let directories = wanted.map(|preopen| (&preopen.host_path, preopen.guest_path.clone()));
    let volumes = spec.buckets.iter().map(|bucket| (&bucket.host_path, format!("the bucket {:?}", bucket.name)));
    let opened = directories.chain(volumes).map(|(path, guest_path)| {
        let failed =
            |error: io::Error| StartError::Preopen { path: path.clone(), guest_path, message: error.to_string() };
        directories::for_child(path).map_err(failed)
    });
    opened.collect()
}

/// A server's socket, bound: the child has no right to low ports.
fn listener(pod: &IsolatedPod, spec: &ContainerConfig) -> Result<Option<(OwnedFd, SocketAddr)>, StartError> {
    if !spec.program.kind().serves() {
        return Ok(None);
    }
    let address = SocketAddr::new(pod.config.address, spec.http_port);
    let bound = Listener::bind(address).map_err(|source| StartError::Bind { address, source })?;
    let address = bound.address();
    let socket = bound.give_away().map_err(|source| StartError::Bind { address, source })?;
    Ok(Some((socket.into(), address)))
}

/// The compiled program under the child's own key.
async fn program_file(program: &Program, key: [u8; 32]) -> Result<OwnedFd, StartError> {
    let program = program.clone();
    let written = tokio::task::spawn_blocking(move || {
        let bytes = Engine::serialize_under(&key, &program).map_err(io::Error::other)?;
        memory_file::write(&bytes)
    });
    written.await.map_err(io::Error::other).and_then(|written| written).map_err(failed)
}

fn message(spec: &ContainerConfig, has_listener: bool) -> Start {
    let preopens = spec.preopens.iter().filter(|_| spec.program.opens_files());
    let directory =
        |preopen: &crate::Preopen| Directory { guest_path: preopen.guest_path.clone(), read_only: preopen.read_only };
    let bucket = |bucket: &crate::Bucket| BucketOf { name: bucket.name.clone(), read_only: bucket.read_only };
    Start {
        name: spec.name.clone(),
        args: spec.args.clone(),
        env: spec.env.clone(),
        config: spec.config.clone(),
        working_dir: spec.working_dir.clone(),
        directories: preopens.map(directory).collect(),
        buckets: spec.buckets.iter().map(bucket).collect(),
        terminal: spec.terminal,
        has_stdin: spec.stdin.is_some(),
        has_listener,
        memory_limit_bytes: spec.memory_limit_bytes,
        cpu_limit_millis: spec.cpu_limit_millis,
        cpu_shares: spec.cpu_shares,
        reuse: spec.reuse,
    }
}
