//! A client of the API server whose certificate changes while it is used.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::StreamExt as _;
use http::{Request, Uri};
use http_body_util::{BodyStream, StreamBody};
use kube::{Client, Config, client::Body};
use parking_lot::RwLock;
use tokio_util::sync::CancellationToken;
use tower::BoxError;

use super::{CredentialError, Pair};

/// Where requests go. Clones share it.
#[derive(Clone)]
pub struct Transport {
    config: Arc<Config>,
    current: Arc<RwLock<Generation>>,
}

/// The connections with one certificate.
struct Generation {
    client: Client,
    /// There is a newer one: watches, which would go on for ever, begin anew with that.
    retired: CancellationToken,
}

impl Transport {
    /// To the cluster of a configuration, with this pair instead of the one there.
    ///
    /// # Errors
    /// When the configuration makes no client.
    pub fn new(config: Config, pair: &Pair) -> Result<Transport, CredentialError> {
        let current = Generation::new(&config, pair)?;
        Ok(Transport { config: Arc::new(config), current: Arc::new(RwLock::new(current)) })
    }

    /// A client whose requests are made with whatever certificate is the current one.
    pub fn client(&self) -> Client {
        let current = Arc::clone(&self.current);
        let ask = move |request: Request<Body>| {
            let current = Arc::clone(&current);
            async move {
                let (client, retired) = {
                    let current = current.read();
                    (current.client.clone(), current.retired.clone())
                };
                let is_watch = is_watch(request.uri());
                let answer = client.send(request).await?;
                // What ends by itself may: nobody likes half an answer.
                let end = async move {
                    match is_watch {
                        true => retired.cancelled().await,
                        false => std::future::pending().await,
                    }
                };
                Ok::<_, BoxError>(answer.map(|body| StreamBody::new(BodyStream::new(body).take_until(Box::pin(end)))))
            }
        };
        Client::new(tower::service_fn(ask), self.config.default_namespace.clone())
    }

    /// From now on requests are made with this pair, on new connections. Old ones end with what is on them; watches end
    /// now and begin anew, as kubelet closes all its connections.
    ///
    /// # Errors
    /// When the pair makes no client: the old one stays.
    pub fn turn(&self, pair: &Pair) -> Result<(), CredentialError> {
        let next = Generation::new(&self.config, pair)?;
        let old = std::mem::replace(&mut *self.current.write(), next);
        old.retired.cancel();
        Ok(())
    }
}

impl Generation {
    fn new(config: &Config, pair: &Pair) -> Result<Generation, CredentialError> {
        let mut config = config.clone();
        let user = &mut config.auth_info;
        (user.client_certificate, user.client_key) = (None, None);
        user.client_certificate_data = Some(STANDARD.encode(pair.certificate_pem()));
        user.client_key_data = Some(STANDARD.encode(pair.key_pem()).into());
        let client = Client::try_from(config).map_err(|error| CredentialError::Client(Box::new(error)))?;
        Ok(Generation { client, retired: CancellationToken::new() })
    }
}

fn is_watch(uri: &Uri) -> bool {
    let query = uri.query().unwrap_or_default();
    query.split('&').any(|part| matches!(part, "watch" | "watch=true" | "watch=1"))
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, net::SocketAddr, time::Duration};

    use axum::body::Body as ServerBody;
    use bytes::Bytes;
    use http::Response;
    use http_body_util::BodyExt as _;
    use hyper::{body::Incoming, service::service_fn};
    use hyper_util::rt::TokioIo;
    use rustls::pki_types::{CertificateDer, pem::PemObject as _};
    use tokio::{net::TcpListener, time::timeout};
    use tokio_rustls::TlsAcceptor;
    use x509_parser::prelude::{FromDer, X509Certificate};

    use super::{super::test_authority::Authority, *};
    use crate::serve::testing::{Shown, tls};

    const PATIENCE: Duration = Duration::from_secs(30);

    /// Says who has connected; a watch says so and goes on for ever.
    async fn answer(request: Request<Incoming>, peer: String) -> Result<Response<ServerBody>, Infallible> {
        let first = futures::stream::iter([Ok::<_, Infallible>(Bytes::from(peer))]);
        Ok(Response::new(match is_watch(request.uri()) {
            true => ServerBody::from_stream(first.chain(futures::stream::pending())),
            false => ServerBody::from_stream(first),
        }))
    }

    /// A server that shows a certificate which may change.
    async fn server(shown: Arc<Shown>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, acceptor) = (listener.local_addr().unwrap(), TlsAcceptor::from(Arc::new(tls(shown).unwrap())));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let chain = stream.get_ref().1.peer_certificates().unwrap();
                    let (_, certificate) = X509Certificate::from_der(&chain[0]).unwrap();
                    let peer = certificate.subject().iter_common_name().next().unwrap().as_str().unwrap().to_owned();
                    let service = service_fn(move |request| answer(request, peer.clone()));
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        address
    }

    fn get(path: &str) -> Request<Body> {
        Request::get(path).body(Body::empty()).unwrap()
    }

    async fn who(client: &Client) -> String {
        let answer = timeout(PATIENCE, client.send(get("/who"))).await.unwrap().unwrap();
        String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn requests_are_made_with_the_newest_pair_and_watches_begin_anew() {
        let authority = Authority::new();
        let shown = Shown::certified(authority.server().certified());
        let address = server(Arc::clone(&shown)).await;
        let mut config = Config::new(format!("https://{address}").parse().unwrap());
        config.root_cert = Some(vec![CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap().to_vec()]);
        let hour = Duration::from_secs(3600);
        let transport = Transport::new(config, &authority.pair("one", hour)).unwrap();
        let client = transport.client();
        assert_eq!(who(&client).await, "one");
        let mut watch = client.send(get("/pods?watch=true")).await.unwrap().into_body();
        let first = timeout(PATIENCE, watch.frame()).await.unwrap().unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), "one");

        transport.turn(&authority.pair("two", hour)).unwrap();
        assert!(timeout(PATIENCE, watch.frame()).await.unwrap().is_none());
        // By the client that was there, and by new ones.
        assert_eq!((who(&client).await, who(&transport.client()).await), ("two".into(), "two".into()));

        // The port changes as well: one that another authority has signed is not trusted from the next connection on.
        shown.show(Authority::new().server().certified());
        transport.turn(&authority.pair("three", hour)).unwrap();
        assert!(timeout(PATIENCE, client.send(get("/who"))).await.unwrap().is_err());
        shown.show(authority.server().certified());
        assert_eq!(who(&client).await, "three");
    }

    #[test]
    fn watches_are_told_from_lists() {
        for (uri, expected) in [
            ("/api/v1/pods?watch=true&resourceVersion=1", true),
            ("/api/v1/pods?allowWatchBookmarks=true&watch=1", true),
            ("/api/v1/pods?limit=500", false),
            ("/api/v1/pods?labelSelector=watch%3Dtrue", false),
            ("/api/v1/pods", false),
        ] {
            assert_eq!(is_watch(&uri.parse().unwrap()), expected, "{uri}");
        }
    }
}
