//! The containers of a child: started, told, watched and reported.

use std::{
    collections::HashMap,
    fs::File,
    future::Future,
    io,
    net::TcpListener,
    os::fd::OwnedFd,
    path::PathBuf,
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
};

use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::{output::PipeOutput, stdin};
use crate::{
    Bucket, ContainerConfig, Exec, Exit, Preopen, ProgramKind, StdinPipe, Usage,
    container::{Held, Local},
    isolated::{
        memory_file,
        message::{self, BucketOf, Directory, FromChild, Id, Start, ToChild},
    },
    limits,
    pod::Pod,
    server::Listener,
};

/// All containers of the pod, and runs beside them.
pub(super) struct Containers {
    pod: Arc<Pod>,
    news: mpsc::Sender<FromChild>,
    running: Arc<Mutex<HashMap<Id, Running>>>,
}

struct Running {
    container: Local,
    told: Usage,
}

impl Containers {
    pub(super) fn new(pod: Arc<Pod>, news: mpsc::Sender<FromChild>) -> Containers {
        Containers { pod, news, running: Arc::default() }
    }

    /// Does what the parent says. Containers that are over need not do anything any more.
    pub(super) async fn obey(&self, order: ToChild, descriptors: Vec<OwnedFd>) {
        match order {
            ToChild::Start(id) => {
                let started = self.start(id, descriptors).map_err(|error| error.to_string());
                self.tell(FromChild::Started(id, started)).await;
            }
            ToChild::Exec(id) => {
                if let Err(error) = self.exec(id, descriptors) {
                    let exit = Exit::not_started(format!("it cannot be started: {error}"));
                    self.tell(FromChild::Ended(id, exit, Usage::default())).await;
                }
            }
            ToChild::Stop(id, grace) => self.with(id, |container| {
                // The first look at the future gives the order, and all that waits for it is told by its end.
                let _ = pin!(container.stop(grace)).poll(&mut Context::from_waker(Waker::noop()));
            }),
            ToChild::Interrupt(id, signal) => self.with(id, |container| container.interrupt(signal)),
            ToChild::SetLimits { id, memory_bytes, cpu_millis } => {
                self.with(id, |container| container.set_limits(memory_bytes, cpu_millis));
            }
            ToChild::SetShares(id, shares) => self.with(id, |container| container.set_cpu_shares(shares)),
            ToChild::SetPodLimits(limits) => self.pod.set_limits(limits),
            // Asked of the network.
            ToChild::Found(..) => {}
        }
    }

    async fn tell(&self, message: FromChild) {
        // Without a parent to listen this process ends.
        let _ = self.news.send(message).await;
    }

    fn with(&self, id: Id, act: impl FnOnce(&Local)) {
        let container = self.running.lock().get(&id).map(|running| running.container.clone());
        if let Some(container) = container {
            act(&container);
        }
    }

    fn start(&self, id: Id, descriptors: Vec<OwnedFd>) -> Result<(), Box<dyn std::error::Error>> {
        let mut given = Given(descriptors.into_iter());
        let start: Start = memory_file::read_value(given.next()?)?;
        let program = self.pod.engine.deserialize(&memory_file::read(given.next()?)?)?;
        let output = Arc::new(PipeOutput::new(given.next()?)?);
        let stdin = start.has_stdin.then(|| given.stdin()).transpose()?;
        let listener = start.has_listener.then(|| given.next()).transpose()?;
        let listener = listener.map(|socket| self.adopt(socket, program.kind())).transpose()?;
        let mut open = given.0.map(File::from);
        let directories: Arc<[File]> = open.by_ref().take(start.directories.len()).collect();
        let volumes = open.take(start.buckets.len()).collect();
        let config = ContainerConfig {
            name: start.name,
            program,
            args: start.args,
            env: start.env,
            config: start.config,
            working_dir: start.working_dir,
            preopens: start.directories.into_iter().map(preopen).collect(),
            buckets: start.buckets.into_iter().map(bucket).collect(),
            stdin,
            terminal: start.terminal,
            output: Arc::clone(&output) as Arc<dyn crate::Output>,
            memory_limit_bytes: start.memory_limit_bytes,
            cpu_limit_millis: start.cpu_limit_millis,
            cpu_shares: start.cpu_shares,
            http_port: 0,
            reuse: start.reuse,
        };
        let held = Held { listener, directories: Some(directories), volumes: Some(volumes) };
        self.watch(id, Local::start(Arc::clone(&self.pod), config, held)?, output);
        Ok(())
    }

    /// Takes a listener over, where its connections will be accepted.
    fn adopt(&self, socket: OwnedFd, kind: ProgramKind) -> io::Result<Listener> {
        let _threads = self.pod.engine.threads(kind).enter();
        Listener::adopt(TcpListener::from(socket))
    }

    fn exec(&self, id: Id, descriptors: Vec<OwnedFd>) -> Result<(), Box<dyn std::error::Error>> {
        let mut given = Given(descriptors.into_iter());
        let exec: message::Exec = memory_file::read_value(given.next()?)?;
        let output = Arc::new(PipeOutput::new(given.next()?)?);
        let stdin = exec.has_stdin.then(|| given.stdin()).transpose()?;
        let container = self.running.lock().get(&exec.of).map(|running| running.container.clone());
        let container = container.ok_or(crate::ExecError::Ended)?;
        let sink = Arc::clone(&output) as Arc<dyn crate::Output>;
        let command = container.exec(Exec { args: exec.args, stdin, terminal: exec.terminal, output: sink })?;
        self.watch(id, command, output);
        Ok(())
    }

    /// Tells the end of a container when it and its output are over.
    fn watch(&self, id: Id, container: Local, output: Arc<PipeOutput>) {
        self.running.lock().insert(id, Running { container: container.clone(), told: Usage::default() });
        let (running, news) = (Arc::clone(&self.running), self.news.clone());
        tokio::spawn(async move {
            let exit = container.wait().await;
            output.finish().await;
            running.lock().remove(&id);
            let _ = news.send(FromChild::Ended(id, exit.bounded(), container.usage())).await;
        });
    }

    /// Says again and again what containers use that use something else than before.
    pub(super) async fn report_usage(&self) {
        let mut looks = tokio::time::interval(limits::ISOLATED_USAGE_INTERVAL);
        loop {
            looks.tick().await;
            for (id, usage) in self.changed() {
                self.tell(FromChild::Uses(id, usage)).await;
            }
        }
    }

    fn changed(&self) -> Vec<(Id, Usage)> {
        let mut running = self.running.lock();
        let look = |(id, running): (&Id, &mut Running)| {
            let usage = running.container.usage();
            (std::mem::replace(&mut running.told, usage) != usage).then_some((*id, usage))
        };
        running.iter_mut().filter_map(look).collect()
    }
}

/// What came with an order, in its order.
struct Given(std::vec::IntoIter<OwnedFd>);

impl Given {
    fn next(&mut self) -> io::Result<OwnedFd> {
        self.0.next().ok_or_else(|| io::Error::other("a descriptor is missing"))
    }

    fn stdin(&mut self) -> io::Result<StdinPipe> {
        let pipe = StdinPipe::new();
        tokio::spawn(stdin::carry(self.next()?, pipe.clone()));
        Ok(pipe)
    }
}

/// It is not opened by its path either.
fn bucket(BucketOf { name, read_only }: BucketOf) -> Bucket {
    Bucket { name, host_path: PathBuf::new(), read_only }
}

/// It is not opened by its path, which only the parent knows.
fn preopen(Directory { guest_path, read_only }: Directory) -> Preopen {
    Preopen { host_path: PathBuf::from(&guest_path), guest_path, read_only }
}

#[cfg(test)]
mod tests;
