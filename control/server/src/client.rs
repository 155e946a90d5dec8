//! The in-process client: the server's own router as a `tower::Service`, with an identity. No socket, no TLS.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use tower::Service;

use crate::identity::User;

/// The router, as one user sees it.
#[derive(Clone)]
pub(crate) struct InProcess {
    router: Router,
    user: User,
}

impl InProcess {
    pub(crate) fn new(router: Router, user: User) -> Self {
        Self { router, user }
    }
}

impl Service<Request<kube::client::Body>> for InProcess {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A router is always ready; backpressure is the server's own limits.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<kube::client::Body>) -> Self::Future {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(self.user.clone());
        let answer = self.router.call(request);
        Box::pin(answer)
    }
}
