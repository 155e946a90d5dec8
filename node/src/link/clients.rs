//! Clients that know of the link.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use http::{Request, Response};
use http_body_util::{BodyExt as _, BodyStream, StreamBody};
use kube::{Client, client::Body};
use tower::BoxError;

use super::{Away, Link};

/// How long an answer may take before somebody is asked to look after the server.
const SLOW: Duration = Duration::from_secs(2);
/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Fails at once while the server is away, and when it is lost.
pub fn impatient(link: &Arc<Link>, inner: &Client) -> Client {
    let (link, inner) = (Arc::clone(link), inner.clone());
    let ask = move |request: Request<Body>| {
        let (link, inner) = (Arc::clone(&link), inner.clone());
        async move {
            if !link.is_up() {
                return Err(Away::Known.into());
            }
            // The body too: a server may stop in the middle of its answer.
            link.limited(async {
                let (head, body) = inner.send(request).await?.into_parts();
                Ok(Response::from_parts(head, Body::from(body.collect().await?.to_bytes())))
            })
            .await
        }
    };
    Client::new(tower::service_fn(ask), "default")
}

/// Waits while the server is away. Streams end when it is lost.
pub fn patient(link: &Arc<Link>, inner: &Client) -> Client {
    let (link, inner) = (Arc::clone(link), inner.clone());
    let ask = move |request: Request<Body>| {
        let (link, inner) = (Arc::clone(&link), inner.clone());
        async move {
            link.up().await;
            let answer = link.limited(async { Ok(inner.send(request).await?) }).await?;
            let lost = async move { link.lost().await };
            Ok::<_, BoxError>(answer.map(|body| StreamBody::new(BodyStream::new(body).take_until(Box::pin(lost)))))
        }
    };
    Client::new(tower::service_fn(ask), "default")
}

impl Link {
    /// An answer, while there is hope for it. One that fails or takes long raises a doubt.
    async fn limited(
        &self,
        answer: impl Future<Output = Result<Response<Body>, BoxError>>,
    ) -> Result<Response<Body>, BoxError> {
        let late = async {
            tokio::time::sleep(SLOW).await;
            self.doubt();
            tokio::time::sleep(TIMEOUT - SLOW).await;
        };
        let answer = tokio::select! {
            answer = answer => answer,
            () = self.lost() => return Err(Away::Known.into()),
            () = late => Err(Away::Silent(TIMEOUT).into()),
        };
        if answer.as_ref().map_or(true, |answer| answer.status().is_server_error()) {
            self.doubt();
        }
        answer
    }
}
