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
    use super::*;

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
