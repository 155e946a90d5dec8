//! HTTP components: a listener at the pod's address, an instance for every request, a drain at the end.

mod admission;
mod connection;
mod idle;
mod kept;
mod listener;
mod p3;
mod p3_body;
mod reply;
mod request;

use std::{convert::Infallible, future::Future, panic::AssertUnwindSafe, pin::pin, sync::Arc};

use futures::FutureExt;

use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use parking_lot::Mutex;
use tokio::{
    net::TcpStream,
    sync::{Semaphore, oneshot},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use wasmtime_wasi_http::{p2::bindings::ProxyPre, p3::bindings::ServicePre};

pub use self::kept::InstanceReuse;
pub(crate) use self::listener::Listener;
use self::{
    admission::Admission,
    connection::Connection,
    idle::{Activity, Answer},
    kept::{Kept, warm},
};
use crate::{
    Exit,
    container::{Surroundings, panic_message},
    limits,
    sandbox::Sandbox,
    stopping::{StopSignal, interrupted},
};

/// How the program is asked.
pub(crate) enum Handles {
    /// By `wasi:http/incoming-handler@0.2`.
    P2(ProxyPre<Sandbox>),
    /// By `wasi:http/handler@0.3`.
    P3(ServicePre<Sandbox>),
}

impl Handles {
    /// The engine that it was compiled by.
    fn engine(&self) -> &wasmtime::Engine {
        match self {
            Handles::P2(pre) => pre.engine(),
            Handles::P3(pre) => pre.engine(),
        }
    }
}

/// The server of one container.
pub(crate) struct Server {
    handler: Arc<Handler>,
    fatal: oneshot::Receiver<Exit>,
}

/// What every request needs.
struct Handler {
    handles: Handles,
    surroundings: Arc<Surroundings>,
    admission: Admission,
    kept: Kept,
    /// Connections and guests at work: what a drain waits for.
    tasks: TaskTracker,
    /// No new requests: connections end after the one they have.
    drain: CancellationToken,
    /// The end: whatever still works is dropped.
    cancel: CancellationToken,
    /// The first message ends the container; then there is nobody to tell any more.
    fatal: Mutex<Option<oneshot::Sender<Exit>>>,
}

impl Handler {
    /// Spawns a task that a drain waits for, that ends with the server, and whose panic ends the container.
    fn spawn(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let handler = self.clone();
        self.tasks.spawn(async move {
            let guarded = AssertUnwindSafe(task).catch_unwind();
            if let Some(Err(panic)) = handler.cancel.run_until_cancelled(guarded).await {
                handler.end(Exit::host_panic(panic_message(&*panic)));
            }
        });
    }

    /// Ends the container. The first cause counts.
    fn end(&self, exit: Exit) {
        if let Some(fatal) = self.fatal.lock().take() {
            let _ = fatal.send(exit);
        }
    }
}

impl Server {
    pub(crate) fn new(handles: Handles, surroundings: Arc<Surroundings>) -> Server {
        let (fatal_sender, fatal) = oneshot::channel();
        let concurrency = concurrency(&surroundings);
        let warm = warm(surroundings.spec.reuse, concurrency);
        let handler = Arc::new(Handler {
            handles,
            admission: Admission::new(concurrency - warm),
            kept: Kept::new(InstanceReuse { warm, ..surroundings.spec.reuse }),
            surroundings,
            tasks: TaskTracker::new(),
            drain: CancellationToken::new(),
            cancel: CancellationToken::new(),
            fatal: Mutex::new(Some(fatal_sender)),
        });
        Server { handler, fatal }
    }

    /// Serves until the container is stopped or must end.
    pub(crate) async fn run(mut self, listener: Listener, mut stop: StopSignal) -> Exit {
        let _cancel = self.handler.cancel.clone().drop_guard();
        self.handler.refill();
        let asked = async {
            // An error means that nobody is left who could ask.
            if stop.wait_for(Option::is_some).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            Ok(exit) = &mut self.fatal => return exit,
            () = asked => {}
            () = accept_all(listener, &self.handler) => {}
        }
        self.drain(stop).await
    }

    async fn drain(mut self, stop: StopSignal) -> Exit {
        self.handler.drain.cancel();
        self.handler.kept.clear();
        self.handler.tasks.close();
        tokio::select! {
            biased;
            Ok(exit) = &mut self.fatal => exit,
            () = self.handler.tasks.wait() => Exit::terminated(),
            exit = interrupted(stop) => exit,
        }
    }
}

/// Instances that may live at once: under a memory limit only as many as fit with room to grow to twice what
/// they begin with, so that a burst of requests waits instead of ending the container.
fn concurrency(surroundings: &Surroundings) -> usize {
    let initial_bytes = surroundings.spec.program.initial_memory_bytes().unwrap_or(0);
    let limit_bytes = surroundings.memory.limit_bytes().min(surroundings.pod.memory.limit_bytes());
    let fit = limit_bytes / initial_bytes.saturating_mul(2).max(1);
    usize::try_from(fit).unwrap_or(usize::MAX).clamp(1, limits::HTTP_CONCURRENCY)
}

async fn accept_all(listener: Listener, handler: &Arc<Handler>) {
    let connections = Arc::new(Semaphore::new(limits::HTTP_CONNECTIONS));
    loop {
        let Ok(place) = connections.clone().acquire_owned().await else { return };
        match listener.accept(&handler.surroundings.descriptors).await {
            Ok((stream, descriptor)) => {
                // In its box now, before it is wrapped again and again and moved each time.
                let connection = Box::pin(serve_connection(stream, handler.clone()));
                handler.spawn(async move {
                    let _held = (place, descriptor);
                    connection.await;
                });
            }
            Err(error) => {
                // Out of descriptors or memory, or a client that has gone again: it passes.
                tracing::debug!("{error}");
                tokio::time::sleep(limits::ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves one connection until its client leaves (whatever is unread then) or has long asked nothing, or until it has answered
/// what it has when the server drains.
async fn serve_connection(stream: TcpStream, handler: Arc<Handler>) {
    let executor = HandlerExecutor(handler.clone());
    let (drain, activity) = (handler.drain.clone(), Arc::new(Activity::default()));
    let timeout = handler.surroundings.pod.engine.config().http_idle_timeout;
    let unused = activity.clone().unused(timeout);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (handler, request_under_way) = (handler.clone(), activity.begin());
        async move {
            let response = handler.handle(request).await;
            Ok::<_, Infallible>(response.map(|body| Answer::new(body, request_under_way)))
        }
    });
    let builder = builder(executor);
    let (stream, watch) = Connection::new(stream);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let served = async {
        tokio::select! {
            ended = &mut connection => ended,
            () = drain.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
            () = unused => {
                connection.as_mut().graceful_shutdown();
                // Who does not even read the farewell is left without.
                tokio::time::timeout(limits::HTTP_FAREWELL_TIMEOUT, connection).await.unwrap_or(Ok(()))
            }
        }
    };
    let ended = tokio::select! {
        // What was asked before the client left may be answered in this turn.
        biased;
        ended = served => ended,
        () = watch.left() => Ok(()),
    };
    if let Err(error) = ended {
        tracing::trace!("a connection ended with an error: {error}");
    }
}

fn builder(executor: HandlerExecutor) -> auto::Builder<HandlerExecutor> {
    let mut builder = auto::Builder::new(executor);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HTTP_HEADER_TIMEOUT)
        .max_headers(limits::HTTP_HEADERS)
        .max_buf_size(limits::HTTP_HEADER_LIMIT_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits::HTTP2_STREAMS)
        .max_header_list_size(limits::HTTP_HEADER_LIMIT_BYTES as u32);
    builder
}

/// Spawns the tasks of HTTP/2 streams as the server's own.
#[derive(Clone)]
struct HandlerExecutor(Arc<Handler>);

impl<F> hyper::rt::Executor<F> for HandlerExecutor
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, task: F) {
        self.0.spawn(task.map(drop));
    }
}
