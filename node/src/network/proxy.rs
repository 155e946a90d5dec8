//! Lets the host itself reach Services: listeners at their addresses that copy to a ready endpoint. Host ports of pods
//! are listened on in the same way.
//!
//! Guests don't come this way: their connections are routed as they are made.

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io,
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    endpoints::Protocol,
    table::{Frontend, ServiceTable},
    udp,
};
use crate::events::Subject;

/// Addresses listened on at once. Each costs one descriptor and one task.
const LISTENERS_LIMIT: usize = 16_384;
/// Connections of the host that are copied at once, over all Services: 64 KiB of buffers and two descriptors each.
const CONNECTIONS_LIMIT: usize = 8_192;
/// One direction of one connection.
const BUFFER_BYTES: usize = 32 * 1024;
/// How long an endpoint has to accept.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Endpoints tried for one connection: one may have gone since the informer heard of it.
const CONNECT_ATTEMPTS: usize = 3;
/// How long changes gather before listeners follow.
const FOLLOW_DELAY: Duration = Duration::from_millis(10);
/// How long until an address that could not be bound is tried again.
const RETRY_DELAY: Duration = Duration::from_secs(10);
/// How long accepting rests after the kernel refused it (no descriptors, usually).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Told that a pod, the owner of a host port, can't have it, and why.
pub type Complain = Box<dyn Fn(&Subject, String) + Send + Sync>;

/// Keeps a listener at each address of `table` that is answered, until `shutdown`.
pub async fn run_proxy(table: Arc<ServiceTable>, complain: Complain, shutdown: CancellationToken) {
    let mut changes = table.changes();
    let mut proxy = Proxy {
        table,
        complain,
        listeners: HashMap::new(),
        forbidden: HashSet::new(),
        connections: Arc::new(Semaphore::new(CONNECTIONS_LIMIT)),
    };
    loop {
        changes.borrow_and_update();
        let complete = proxy.follow().await;
        let retry =
            async { if complete { std::future::pending().await } else { tokio::time::sleep(RETRY_DELAY).await } };
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = retry => {}
            () = shutdown.cancelled() => return,
        }
        tokio::time::sleep(FOLLOW_DELAY).await;
    }
}

struct Proxy {
    table: Arc<ServiceTable>,
    complain: Complain,
    listeners: HashMap<Frontend, DropGuard>,
    /// Ports that this process may not listen on, however often it tries.
    forbidden: HashSet<Frontend>,
    connections: Arc<Semaphore>,
}

impl Proxy {
    /// Opens and closes listeners until they are what the table says; false if one could not be opened.
    async fn follow(&mut self) -> bool {
        let wanted = self.table.answered_frontends();
        self.listeners.retain(|frontend, _| wanted.contains(frontend));
        self.forbidden.retain(|frontend| wanted.contains(frontend));
        let mut complete = true;
        for frontend in wanted {
            if self.listeners.contains_key(&frontend) || self.forbidden.contains(&frontend) {
                continue;
            }
            if self.listeners.len() >= LISTENERS_LIMIT {
                tracing::warn!(
                    limit = LISTENERS_LIMIT,
                    "too many addresses of Services and host ports; the host does not reach all of them"
                );
                return false;
            }
            match self.open(frontend).await {
                Ok(stop) => drop(self.listeners.insert(frontend, stop.drop_guard())),
                Err(error) => {
                    let forbidden = error.kind() == io::ErrorKind::PermissionDenied;
                    self.tell(frontend, &error, forbidden);
                    if forbidden {
                        self.forbidden.insert(frontend);
                    } else {
                        complete = false;
                    }
                }
            }
        }
        complete
    }

    /// Tells that nobody listens at an address.
    fn tell(&self, frontend: Frontend, error: &io::Error, forbidden: bool) {
        let address = frontend.address;
        if let Some(owner) = self.table.host_ports().owner(&frontend) {
            (self.complain)(&owner, format!("cannot open hostport {}: listen {address}: {error}", address.port()));
        } else if forbidden {
            tracing::info!(
                %address,
                "this port of a Service needs root (or a lower net.ipv4.ip_unprivileged_port_start) to answer on the \
                 host; pods and node ports are not affected"
            );
        } else if error.kind() == io::ErrorKind::AddrInUse {
            // Another node of the cluster on this machine, usually, which answers as well as this one would.
            tracing::info!(%address, "somebody else listens at a Service's address; trying again");
        } else {
            tracing::warn!(%address, %error, "cannot listen at a Service's address; trying again");
        }
    }

    async fn open(&self, frontend: Frontend) -> io::Result<CancellationToken> {
        let stop = CancellationToken::new();
        match frontend.protocol {
            Protocol::Tcp => {
                let listener = TcpListener::bind(frontend.address).await?;
                let (table, connections) = (Arc::clone(&self.table), Arc::clone(&self.connections));
                tokio::spawn(stop.clone().run_until_cancelled_owned(accept(listener, frontend, table, connections)));
            }
            Protocol::Udp => {
                let socket = tokio::net::UdpSocket::bind(frontend.address).await?;
                let table = Arc::clone(&self.table);
                tokio::spawn(stop.clone().run_until_cancelled_owned(udp::relay(socket, frontend, table)));
            }
        }
        Ok(stop)
    }
}

async fn accept(listener: TcpListener, frontend: Frontend, table: Arc<ServiceTable>, connections: Arc<Semaphore>) {
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((client, from)) => {
                let table = Arc::clone(&table);
                tokio::spawn(async move {
                    if let Err(error) = copy(client, from.ip(), frontend, &table).await {
                        tracing::debug!(service = %frontend.address, client = %from, %error, "connection ended");
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(service = %frontend.address, %error, "cannot accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Copies both directions; the end of one is passed on while the other goes on.
async fn copy(mut client: TcpStream, from: IpAddr, frontend: Frontend, table: &ServiceTable) -> io::Result<()> {
    let mut endpoint = connect(from, frontend, table).await?;
    client.set_nodelay(true)?;
    endpoint.set_nodelay(true)?;
    io::copy_bidirectional_with_sizes(&mut client, &mut endpoint, BUFFER_BYTES, BUFFER_BYTES).await?;
    Ok(())
}

async fn connect(from: IpAddr, frontend: Frontend, table: &ServiceTable) -> io::Result<TcpStream> {
    let mut failure = io::Error::from(io::ErrorKind::ConnectionRefused);
    for _ in 0..CONNECT_ATTEMPTS {
        let Some(endpoint) = endpoint(from, frontend, table) else { break };
        match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(endpoint)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failure = error,
            Err(_) => failure = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(failure)
}

fn endpoint(from: IpAddr, frontend: Frontend, table: &ServiceTable) -> Option<SocketAddr> {
    table.backend(&frontend)?.pick(from)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::{core::v1::Service, discovery::v1::EndpointSlice};
    use serde_json::json;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::network::endpoints::{ServiceEntry, SliceEntry};

    /// A Service at a free port of 127.0.0.1 with one endpoint.
    async fn serve(endpoint: SocketAddr, protocol: &str) -> (SocketAddr, Arc<ServiceTable>, DropGuard) {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let cidr = |text: &str| text.parse().unwrap();
        let table = ServiceTable::new("n1", "127.0.0.9".parse().unwrap(), cidr("127.64.0.0/16"), cidr("127.96.0.0/16"));
        let ports = json!([{"port": free.port(), "protocol": protocol}]);
        let service =
            json!({"metadata": {"name": "a", "namespace": "b"}, "spec": {"clusterIP": "127.0.0.1", "ports": ports}});
        table.apply_service(ServiceEntry::read(&serde_json::from_value::<Service>(service).unwrap()));
        let slice = json!({"metadata": {}, "addressType": "IPv4", "ports": [{"port": endpoint.port(), "protocol": protocol}],
            "endpoints": [{"addresses": [endpoint.ip()]}]});
        let slice = SliceEntry::read(&serde_json::from_value::<EndpointSlice>(slice).unwrap());
        table.apply_slice("b/a-1", Some("b/a".into()), slice);
        let (table, stop) = (Arc::new(table), CancellationToken::new());
        tokio::spawn(run_proxy(Arc::clone(&table), Box::new(|_, _| {}), stop.clone()));
        (free, table, stop.drop_guard())
    }

    async fn connect_soon(to: SocketAddr) -> TcpStream {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
        loop {
            match TcpStream::connect(to).await {
                Ok(stream) => return stream,
                Err(error) => assert!(tokio::time::Instant::now() < deadline, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn a_half_closed_connection_still_carries_the_answer() {
        let endpoint = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (service, table, _stop) = serve(endpoint.local_addr().unwrap(), "TCP").await;
        let server = tokio::spawn(async move {
            let (mut stream, _) = endpoint.accept().await.unwrap();
            let mut request = Vec::new();
            stream.read_to_end(&mut request).await.unwrap();
            stream.write_all(&request).await.unwrap();
        });
        let mut client = connect_soon(service).await;
        client.write_all(b"over and out").await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "over and out");
        server.await.unwrap();
        table.remove_slice("b/a-1");
        let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
        while TcpStream::connect(service).await.is_ok() {
            assert!(tokio::time::Instant::now() < deadline, "a Service without endpoints must refuse");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn datagrams_find_their_way_back() {
        let endpoint = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (service, _table, _stop) = serve(endpoint.local_addr().unwrap(), "UDP").await;
        tokio::spawn(async move {
            let mut datagram = [0; 64];
            while let Ok((size, from)) = endpoint.recv_from(&mut datagram).await {
                endpoint.send_to(&datagram[..size], from).await.unwrap();
            }
        });
        let client = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        client.connect(service).await.unwrap();
        let mut answer = [0; 64];
        let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
        loop {
            let _ = client.send(b"ping").await;
            match tokio::time::timeout(Duration::from_millis(20), client.recv(&mut answer)).await {
                Ok(Ok(size)) => break assert_eq!(&answer[..size], b"ping"),
                _ => assert!(tokio::time::Instant::now() < deadline, "no answer"),
            }
        }
    }
}
