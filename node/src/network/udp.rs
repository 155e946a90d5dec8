//! Datagrams from the host to a Service: each client gets a socket of its own towards its endpoint, so that answers
//! find their way back.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{io, net::UdpSocket, time::Instant};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::table::{Frontend, ServiceTable};

/// Clients of one Service address that are remembered at once; the one silent for longest makes room.
const FLOWS_LIMIT: usize = 1_024;
/// How long a flow may be silent (the kernel's `nf_conntrack_udp_timeout_stream`).
const IDLE_TIMEOUT: Duration = Duration::from_secs(120);
/// How long receiving rests after the kernel refused it.
const ERROR_PAUSE: Duration = Duration::from_millis(1);
/// The largest datagram.
const DATAGRAM_BYTES: usize = 65_536;

struct Flow {
    endpoint: Arc<UdpSocket>,
    last_seen: Instant,
    /// Ends the task that carries answers back.
    _answers: DropGuard,
}

/// Relays datagrams that come to `socket`. Ends with its caller's interest.
pub async fn relay(socket: UdpSocket, frontend: Frontend, table: Arc<ServiceTable>) {
    let socket = Arc::new(socket);
    let mut flows: HashMap<SocketAddr, Flow> = HashMap::new();
    let mut datagram = vec![0; DATAGRAM_BYTES];
    loop {
        let Ok((size, client)) = socket.recv_from(&mut datagram).await else {
            // An ICMP error of an earlier datagram, or the kernel is out of memory: neither is worth a busy loop.
            tokio::time::sleep(ERROR_PAUSE).await;
            continue;
        };
        let now = Instant::now();
        if flows.get(&client).is_none_or(|flow| now.duration_since(flow.last_seen) >= IDLE_TIMEOUT) {
            make_room(&mut flows, now);
            match open(&socket, client, frontend, &table).await {
                Ok(flow) => drop(flows.insert(client, flow)),
                Err(error) => {
                    tracing::debug!(service = %frontend.address, %client, %error, "datagram dropped");
                    continue;
                }
            }
        }
        if let Some(flow) = flows.get_mut(&client) {
            flow.last_seen = now;
            if flow.endpoint.send(&datagram[..size]).await.is_err() {
                // The endpoint is gone (its host said "port unreachable"); the next datagram finds another one.
                flows.remove(&client);
            }
        }
    }
}

fn make_room(flows: &mut HashMap<SocketAddr, Flow>, now: Instant) {
    if flows.len() < FLOWS_LIMIT {
        return;
    }
    flows.retain(|_, flow| now.duration_since(flow.last_seen) < IDLE_TIMEOUT);
    while flows.len() >= FLOWS_LIMIT {
        let Some(oldest) = flows.iter().min_by_key(|(_, flow)| flow.last_seen).map(|(client, _)| *client) else {
            return;
        };
        flows.remove(&oldest);
    }
}

async fn open(back: &Arc<UdpSocket>, client: SocketAddr, frontend: Frontend, table: &ServiceTable) -> io::Result<Flow> {
    let backend = table.backend(&frontend).and_then(|backend| backend.pick(client.ip()));
    let address = backend.ok_or(io::ErrorKind::ConnectionRefused)?;
    let any = if address.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
    let endpoint = Arc::new(UdpSocket::bind((any, 0)).await?);
    endpoint.connect(address).await?;
    let stop = CancellationToken::new();
    let answers = answers(Arc::clone(&endpoint), Arc::clone(back), client);
    tokio::spawn(stop.clone().run_until_cancelled_owned(answers));
    Ok(Flow { endpoint, last_seen: Instant::now(), _answers: stop.drop_guard() })
}

async fn answers(endpoint: Arc<UdpSocket>, back: Arc<UdpSocket>, client: SocketAddr) {
    let mut datagram = vec![0; DATAGRAM_BYTES];
    while let Ok(Ok(size)) = tokio::time::timeout(IDLE_TIMEOUT, endpoint.recv(&mut datagram)).await {
        if back.send_to(&datagram[..size], client).await.is_err() {
            return;
        }
    }
}
