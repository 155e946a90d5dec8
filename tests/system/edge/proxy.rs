//! A way to the API server that can be cut.

use std::io::copy;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::spawn;

use crate::harness::Cluster;

/// Forwards connections to a cluster's API server, or none.
pub struct Proxy {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    cut: bool,
    /// Connections that were refused since it was cut.
    refused: u32,
    connections: Vec<TcpStream>,
}

impl Proxy {
    /// A way to the cluster.
    pub fn to(cluster: &Cluster) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it has an address");
        let (state, server) = (Arc::new(Mutex::<State>::default()), server(cluster));
        let shared = Arc::clone(&state);
        // It ends with the process: nobody connects to it after the test.
        spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                forward(&shared, client, server);
            }
        });
        Self { address, state }
    }

    /// The cluster's kubeconfig by this way.
    pub fn kubeconfig(&self, cluster: &Cluster) -> PathBuf {
        let text = std::fs::read_to_string(cluster.kubeconfig()).expect("`up` has written it");
        let path = cluster.scratch().join("kubeconfig-by-proxy");
        let text = text.replace(&server(cluster).to_string(), &self.address.to_string());
        std::fs::write(&path, text).expect("the scratch directory can be written");
        path
    }

    /// Cuts what is connected, and everything that tries to.
    pub fn cut(&self) {
        let mut state = self.state.lock().expect("nobody has panicked");
        (state.cut, state.refused) = (true, 0);
        for connection in state.connections.drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Connections that have been refused since the way was cut.
    pub fn refused(&self) -> u32 {
        self.state.lock().expect("nobody has panicked").refused
    }

    /// The way is open again.
    pub fn mend(&self) {
        self.state.lock().expect("nobody has panicked").cut = false;
    }
}

/// Where the cluster's API server listens.
fn server(cluster: &Cluster) -> SocketAddr {
    let url = cluster.kubectl("config view --minify -o jsonpath={.clusters[0].cluster.server}").ok();
    url.trim_start_matches("https://").parse().expect("an address and a port")
}

fn forward(state: &Mutex<State>, client: TcpStream, server: SocketAddr) {
    let mut state = state.lock().expect("nobody has panicked");
    if state.cut {
        state.refused += 1;
        return;
    }
    let Ok(server) = TcpStream::connect(server) else { return };
    let twice = |stream: &TcpStream| stream.try_clone().expect("a descriptor is free");
    for (mut from, mut to) in [(twice(&client), twice(&server)), (twice(&server), twice(&client))] {
        spawn(move || {
            let _ = copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
    state.connections.extend([client, server]);
}
