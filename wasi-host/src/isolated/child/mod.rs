//! The child: a process that shuts itself in and then runs one pod.

mod containers;
mod filter;
mod network;
mod output;
mod stdin;
mod walls;

use std::{
    fs::{self, File},
    io,
    os::fd::{AsFd, OwnedFd, RawFd},
    process::ExitCode,
    sync::Arc,
};

use tokio::sync::mpsc;

use self::{containers::Containers, network::RemoteNetwork};
use super::{
    channel::{self, Channel},
    message::{FromChild, Setup, ToChild},
};
use crate::{Engine, EngineConfig, PodConfig, limits, outgoing::open_trust_store, pod::Pod};

/// The whole life of a child, which its parent has started with one socket at stdin and another at stdout. The program
/// calls it before it has made any thread: walls are built around one.
#[must_use]
pub fn run_child() -> ExitCode {
    match live() {
        Ok(()) => ExitCode::SUCCESS,
        // The parent has been told, if there is one.
        Err(_) => ExitCode::FAILURE,
    }
}

fn live() -> io::Result<()> {
    close_inherited()?;
    let (control, routes) = sockets()?;
    let Some((setup, _)) = channel::receive_blocking::<Setup>(control.as_fd())? else { return Ok(()) };
    let engine = match shut_in(&setup) {
        Ok(engine) => engine,
        Err(why) => {
            channel::send_blocking(control.as_fd(), &FromChild::Refused(why.clone()))?;
            return Err(io::Error::other(why));
        }
    };
    channel::send_blocking(control.as_fd(), &FromChild::Ready)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let ended = runtime.block_on(serve(control, routes, engine, setup));
    // Guests may be in the midst of something; nobody is there any more who would want it.
    runtime.shutdown_background();
    ended
}

/// Closes what the node had open without knowing it, such as files of whoever started it.
fn close_inherited() -> io::Result<()> {
    let number = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse::<RawFd>().ok();
    let open: Vec<RawFd> = fs::read_dir("/proc/self/fd")?.filter_map(number).collect();
    for descriptor in open.into_iter().filter(|descriptor| *descriptor > libc::STDERR_FILENO) {
        // One of them was the directory itself.
        let _ = nix::unistd::close(descriptor);
    }
    Ok(())
}

/// The two sockets, and nothing in their place.
fn sockets() -> io::Result<(OwnedFd, OwnedFd)> {
    let control = io::stdin().as_fd().try_clone_to_owned()?;
    let routes = io::stdout().as_fd().try_clone_to_owned()?;
    let nowhere = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nowhere)?;
    rustix::stdio::dup2_stdout(&nowhere)?;
    Ok((control, routes))
}

/// Raises the walls, then makes the engine behind them.
fn shut_in(setup: &Setup) -> Result<Engine, String> {
    // The last thing that is opened by a path.
    open_trust_store();
    let files = walls::raise().map_err(|error| error.to_string())?;
    let config = EngineConfig {
        max_instances: limits::ISOLATED_INSTANCES,
        max_memory_bytes: setup.max_memory_bytes,
        max_descriptors: files.saturating_sub(limits::ISOLATED_OWN_FILES),
        http_idle_timeout: limits::HTTP_IDLE_TIMEOUT,
        epoch_tick: setup.epoch_tick,
        wasi_p3: setup.wasi_p3,
        cache_key: setup.key,
    };
    Engine::new(config).map_err(|error| error.to_string())
}

/// Does what the parent says, until it says no more.
async fn serve(control: OwnedFd, routes: OwnedFd, engine: Engine, setup: Setup) -> io::Result<()> {
    let control = Arc::new(Channel::of_child(control)?);
    let (news, mut to_tell) = mpsc::channel(limits::ISOLATED_ORDERS);
    let network = Arc::new(RemoteNetwork::new(routes, news.clone())?);
    let config = PodConfig {
        name: setup.name,
        hostname: setup.hostname,
        address: setup.address,
        network: Arc::clone(&network) as Arc<dyn crate::Network>,
        limits: setup.limits,
    };
    let pod = Arc::new(Pod::new(engine, config));
    let containers = Containers::new(pod, news);
    let telling = async {
        while let Some(message) = to_tell.recv().await {
            control.send(&message, &[]).await?;
        }
        Ok(())
    };
    let obeying = async {
        while let Some((order, descriptors)) = control.receive().await? {
            match order {
                ToChild::Found(call, found) => network.found(call, found),
                order => containers.obey(order, descriptors).await,
            }
        }
        Ok(())
    };
    tokio::select! {
        ended = telling => ended,
        ended = obeying => ended,
        () = containers.report_usage() => Ok(()),
    }
}
