//! Stands before the node API: finds out who asks, and whether they may.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
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
        Ok(()) => next.run(Request::from_parts(request, body)).await,
        Err(refusal) => refusal.into_response(),
    }
}
