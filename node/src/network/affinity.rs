//! Session affinity: a client keeps the endpoint it was given (Service `sessionAffinity: ClientIP`).

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// Clients remembered for one Service port. Beyond it the ones not seen for longest are forgotten, which costs
/// them their affinity, not their connection.
const CLIENTS_LIMIT: usize = 10_000;

/// Which endpoint each client of one Service port was given.
pub struct Affinity {
    timeout: Duration,
    clients: Mutex<HashMap<IpAddr, (SocketAddr, Instant)>>,
}

impl Affinity {
    /// Affinity that ends after `timeout` without a connection.
    pub fn new(timeout: Duration) -> Affinity {
        Affinity { timeout, clients: Mutex::new(HashMap::new()) }
    }

    /// The timeout it was made with.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The endpoint of `client`: the one it had, if it is still in `endpoints` and recent, otherwise what `choose` says.
    pub fn endpoint(
        &self,
        client: IpAddr,
        endpoints: &[SocketAddr],
        now: Instant,
        choose: impl FnOnce() -> Option<SocketAddr>,
    ) -> Option<SocketAddr> {
        let mut clients = self.clients.lock();
        let known = clients
            .get(&client)
            .filter(|(endpoint, seen)| now.duration_since(*seen) < self.timeout && endpoints.contains(endpoint));
        let endpoint = known.map(|(endpoint, _)| *endpoint).or_else(choose)?;
        if clients.len() >= CLIENTS_LIMIT && !clients.contains_key(&client) {
            forget_oldest(&mut clients, now, self.timeout);
        }
        clients.insert(client, (endpoint, now));
        Some(endpoint)
    }
}

/// Forgets what has timed out, and the older half if that was not enough.
fn forget_oldest(clients: &mut HashMap<IpAddr, (SocketAddr, Instant)>, now: Instant, timeout: Duration) {
    clients.retain(|_, (_, seen)| now.duration_since(*seen) < timeout);
    if clients.len() < CLIENTS_LIMIT {
        return;
    }
    let mut seen: Vec<Instant> = clients.values().map(|(_, seen)| *seen).collect();
    seen.sort_unstable();
    let median = seen[seen.len() / 2];
    clients.retain(|_, (_, seen)| *seen > median);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_stays_until_the_timeout_or_until_its_endpoint_is_gone() {
        let affinity = Affinity::new(Duration::from_secs(100));
        let (a, b) = ("127.1.0.1:80".parse().unwrap(), "127.1.0.2:80".parse().unwrap());
        let client = "127.5.0.1".parse().unwrap();
        let now = Instant::now();
        assert_eq!(affinity.endpoint(client, &[a, b], now, || Some(a)), Some(a));
        assert_eq!(affinity.endpoint(client, &[a, b], now, || Some(b)), Some(a));
        assert_eq!(affinity.endpoint(client, &[b], now, || Some(b)), Some(b));
        let later = now + Duration::from_secs(101);
        assert_eq!(affinity.endpoint(client, &[a, b], later, || Some(a)), Some(a));
        assert_eq!(affinity.endpoint(client, &[], later, || None), None);
    }

    #[test]
    fn the_memory_of_clients_is_bounded() {
        let affinity = Affinity::new(Duration::from_secs(100));
        let a = "127.1.0.1:80".parse().unwrap();
        let start = Instant::now();
        for n in 0..CLIENTS_LIMIT as u32 + 10 {
            let now = start + Duration::from_micros(n.into());
            affinity.endpoint(IpAddr::V4((0x0a00_0000 + n).into()), &[a], now, || Some(a));
        }
        assert!(affinity.clients.lock().len() <= CLIENTS_LIMIT);
    }
}
