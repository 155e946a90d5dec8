use coracle_server::{NodeTransports, Server, ServerConfig, pki};
use coracle_store::{Store, StoreConfig};
#[tokio::main]
async fn main() {
    let dir = std::path::PathBuf::from(std::env::args().nth(1).unwrap());
    let started = std::time::Instant::now();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let authority = pki::Authority::load_or_create(dir.join("pki")).unwrap();
    let identity = authority.server("apiserver", &["127.0.0.1".into(), "localhost".into()]).unwrap();
    let admin = authority.client("admin", "admin", "system:masters").unwrap();
    let store = Store::open(StoreConfig::new(dir.join("store")), coracle_server::lift()).await.unwrap();
    let server = Server::new(store.clone(), ServerConfig::new(address), NodeTransports::default()).await.unwrap();
    let config = pki::kubeconfig("coracle", &format!("https://{address}"), authority.certificate_pem(), "admin", &admin);
    std::fs::write(dir.join("kubeconfig"), config).unwrap();
    println!("{address} {:?}", started.elapsed());
    let stop = tokio_util::sync::CancellationToken::new();
    let s2 = stop.clone();
    tokio::spawn(async move { let _ = tokio::signal::ctrl_c().await; s2.cancel() });
    let t = std::time::Instant::now();
    server.serve(listener, authority.tls(&identity).unwrap(), stop).await.unwrap();
    let _ = t;
    store.shutdown().await.unwrap();
}
