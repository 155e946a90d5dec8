//! Stands before the node API: finds out who asks, and whether they may.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use coracle_listen::Guest;
use http::{StatusCode, request::Parts};
use kube::Client;

use super::{
    attributes::{subresources, verb},
    authentication::{Tokens, token},
    authorization::Decisions,
    user::User,
};

/// Who comes by a verified client certificate, among a request's extensions.
#[derive(Clone)]
pub struct Certified(pub User);

/// What the guard asks.
pub struct Guard {
    tokens: Tokens,
    decisions: Decisions,
}

impl Guard {
    /// For the Node `node`, by the API server behind `client`.
    pub fn new(client: Client, node: String) -> Guard {
        Guard { tokens: Tokens::new(client.clone()), decisions: Decisions::new(client, node) }
    }

    /// Who asks. Nobody, if that can't be found out.
    async fn user(&self, request: &Parts) -> Option<User> {
        if let Some(Certified(user)) = request.extensions.get() {
            return Some(user.clone());
        }
        let token = token(&request.headers)?;
        let user = self.tokens.user(token).await;
        user.inspect_err(|error| tracing::warn!(%error, "cannot ask the API server whose a token is")).ok()?
    }

    /// Whether the user may; otherwise the kubelet's answer.
    async fn allow(&self, user: &User, request: &Parts) -> Result<(), (StatusCode, String)> {
        let path = request.uri.path();
        let (verb, subresources) = (verb(&request.method, path), subresources(path));
        let about =
            |subresource: &str| format!("(user={}, verb={verb}, resource=nodes, subresource={subresource})", user.name);
        for subresource in &subresources {
            match self.decisions.allows(user, verb, subresource).await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) => {
                    let about = about(subresource);
                    tracing::warn!(%error, about, "cannot ask the API server whether somebody may");
                    return Err((StatusCode::INTERNAL_SERVER_ERROR, format!("Authorization error {about}")));
                }
            }
        }
        Err((StatusCode::FORBIDDEN, format!("Forbidden {}", about(subresources.last().copied().unwrap_or_default()))))
    }
}

/// Lets a request through, or answers it.
pub async fn admit(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let (request, body) = request.into_parts();
    let Some(user) = guard.user(&request).await else {
        return (StatusCode::UNAUTHORIZED, "Unauthorized").into_response();
    };
    match guard.allow(&user, &request).await {
        Ok(()) => {
            if let Some(guest) = request.extensions.get::<Guest>() {
                guest.known(&user.name);
            }
            next.run(Request::from_parts(request, body)).await
        }
        Err(refusal) => refusal.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::{Router, body::Body, routing::get};
    use coracle_listen::{Places, Users};
    use futures::FutureExt as _;
    use http::Response as Answer;
    use serde_json::json;
    use tower::ServiceExt as _;

    use super::*;

    /// Knows everybody who brings a token, and lets `boss` do everything.
    fn cluster() -> Client {
        let answer = |request: http::Request<kube::client::Body>| async move {
            let path = request.uri().path().to_owned();
            let asked = request.into_body().collect_bytes().await.unwrap();
            let asked: serde_json::Value = serde_json::from_slice(&asked).unwrap();
            let status = match path.ends_with("tokenreviews") {
                true => json!({"authenticated": true, "user": {"username": asked["spec"]["token"]}}),
                false => json!({"allowed": asked["spec"]["user"] == "boss"}),
            };
            let review = json!({"metadata": {}, "spec": asked["spec"], "status": status});
            Ok::<_, Infallible>(Answer::new(Body::from(review.to_string())))
        };
        Client::new(tower::service_fn(answer), "default")
    }

    /// What who brings `token` is told, and whether he makes room for the next who comes.
    async fn visit(token: &str) -> (StatusCode, bool) {
        let guard = Arc::new(Guard::new(cluster(), "node".to_owned()));
        let router = Router::new().route("/pods", get(|| async {}));
        let router = router.layer(axum::middleware::from_fn_with_state(guard, admit));
        let places = Places::new(1, Users::Stay, || {});
        let place = places.take().await;
        let request = http::Request::get("/pods").header("authorization", format!("Bearer {token}"));
        let request = request.extension(place.guest()).body(Body::empty()).unwrap();
        let status = router.oneshot(request).await.unwrap().status();
        assert!(places.take().now_or_never().is_none());
        (status, place.gone.is_cancelled())
    }

    #[tokio::test]
    async fn whoever_is_let_in_is_no_stranger_any_more() {
        assert_eq!(visit("boss").await, (StatusCode::OK, false));
        assert_eq!(visit("jane").await, (StatusCode::FORBIDDEN, true));
    }
}
