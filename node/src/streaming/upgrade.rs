//! From an HTTP request to a connection of streams: which protocol the client speaks, and the answer that agrees.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{FromRequestParts, Request, ws::WebSocketUpgrade},
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CONNECTION, SEC_WEBSOCKET_PROTOCOL, UPGRADE},
    request::Parts,
};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_util::sync::CancellationToken;

use super::{
    spdy,
    websocket::{self, Encoding, MESSAGE_LIMIT_BYTES},
    wire::Connection,
};

/// What SPDY's clients ask for in `Upgrade`.
const SPDY: &str = "SPDY/3.1";
/// Where SPDY's clients list the protocols they can speak inside, and the server says which it is.
const STREAM_PROTOCOL: &str = "x-stream-protocol-version";
/// The protocols that the server could have spoken, when the client speaks none of them.
const ACCEPTED_PROTOCOLS: &str = "x-accepted-stream-protocol-versions";
/// A subprotocol with this in front is SPDY inside a WebSocket.
const TUNNEL: &str = "SPDY/3.1+";
/// After the server's last word a client has so long to close, so that it gets to read that word.
const LINGER: Duration = Duration::from_secs(5);

/// The last word is given up when a client does not take it within this time.
const GOODBYE: Duration = Duration::from_millis(200);

/// What a route speaks.
#[derive(Debug, Clone, Copy)]
pub struct Offer {
    /// Inside SPDY. A client that names none gets the last.
    pub spdy: &'static [&'static str],
    /// Subprotocols of WebSocket; those that begin with `SPDY/3.1+` are tunnels. A client that names none gets channels
    /// in binary.
    pub websocket: &'static [&'static str],
}

/// A connection that is agreed upon.
pub struct Link {
    /// Its two sides.
    pub connection: Connection,
    /// Whether streams are opened by the client (SPDY) or are there from the beginning (WebSocket).
    pub opens: bool,
    /// What is spoken inside; empty if the client did not say.
    pub protocol: &'static str,
    /// Cancelled when the connection is to end.
    pub closing: CancellationToken,
}

impl Link {
    /// Says goodbye, and lets the client be the one who hangs up, unless the server closes: what the client has not
    /// read yet would be lost.
    pub async fn close(mut connection: Connection, closing: &CancellationToken) {
        let said = tokio::time::timeout(GOODBYE, async { connection.sink.lock().await.close().await }).await;
        if matches!(said, Ok(Ok(()))) {
            let hangs_up = async { while connection.source.next().await.is_some() {} };
            let _ = closing.run_until_cancelled(tokio::time::timeout(LINGER, hangs_up)).await;
        }
    }
}

/// Agrees with the client on a protocol and calls `serve` with the connection, once the answer is out.
///
/// Whatever the caller has put among the request's extensions is kept until the connection is over: that is how the API
/// server counts it. A [`CancellationToken`] there ends it.
pub async fn upgrade<S, F>(request: Request, offer: Offer, serve: S) -> Response
where
    S: FnOnce(Link) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let (parts, _) = request.into_parts();
    if names(&parts.headers, UPGRADE.as_str(), "websocket") {
        return to_websocket(parts, offer.websocket, serve).await;
    }
    if names(&parts.headers, CONNECTION.as_str(), "upgrade") && names(&parts.headers, UPGRADE.as_str(), SPDY) {
        return to_spdy(parts, offer.spdy, serve);
    }
    no_upgrade()
}

fn no_upgrade() -> Response {
    (StatusCode::BAD_REQUEST, "unable to upgrade: missing upgrade headers in request").into_response()
}

/// What ends the connection, if whoever passed the request on has a say in it.
fn closing(parts: &Parts) -> CancellationToken {
    parts.extensions.get::<CancellationToken>().cloned().unwrap_or_default()
}

async fn to_websocket<S, F>(mut parts: Parts, offered: &[&'static str], serve: S) -> Response
where
    S: FnOnce(Link) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let Some(protocol) = choose(&parts.headers, SEC_WEBSOCKET_PROTOCOL.as_str(), offered) else {
        return none_in_common(&parts.headers, SEC_WEBSOCKET_PROTOCOL.as_str(), offered);
    };
    let mut socket = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(socket) => socket.max_message_size(MESSAGE_LIMIT_BYTES).max_frame_size(MESSAGE_LIMIT_BYTES),
        Err(refusal) => return refusal.into_response(),
    };
    if !protocol.is_empty() {
        socket.set_selected_protocol(HeaderValue::from_static(protocol));
    }
    let (closing, kept) = (closing(&parts), parts.extensions);
    socket.on_upgrade(move |socket| async move {
        let link = match protocol.strip_prefix(TUNNEL) {
            Some(protocol) => {
                let (reader, writer) = websocket::tunnel(socket);
                Link { connection: spdy::connect(reader, writer), opens: true, protocol, closing }
            }
            None => {
                let connection = websocket::connect(socket, Encoding::of(protocol));
                Link { connection, opens: false, protocol, closing }
            }
        };
        serve(link).await;
        drop(kept);
    })
}

fn to_spdy<S, F>(mut parts: Parts, offered: &[&'static str], serve: S) -> Response
where
    S: FnOnce(Link) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let Some(waiting) = parts.extensions.remove::<OnUpgrade>() else { return no_upgrade() };
    let Some(protocol) = choose(&parts.headers, STREAM_PROTOCOL, offered) else {
        return none_in_common(&parts.headers, STREAM_PROTOCOL, offered);
    };
    let (closing, kept) = (closing(&parts), parts.extensions);
    tokio::spawn(async move {
        if let Ok(upgraded) = waiting.await {
            let (reader, writer) = tokio::io::split(TokioIo::new(upgraded));
            serve(Link { connection: spdy::connect(reader, writer), opens: true, protocol, closing }).await;
        }
        drop(kept);
    });
    switching(protocol)
}

/// Whether the client asks for channels in a WebSocket, and not for a tunnel.
pub fn is_channels(headers: &HeaderMap) -> bool {
    let first = values(headers, SEC_WEBSOCKET_PROTOCOL.as_str()).next();
    names(headers, UPGRADE.as_str(), "websocket") && !first.is_some_and(|first| first.starts_with(TUNNEL))
}

/// The answer that agrees to SPDY.
fn switching(protocol: &'static str) -> Response {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(SPDY));
    if !protocol.is_empty() {
        headers.insert(STREAM_PROTOCOL, HeaderValue::from_static(protocol));
    }
    answer
}

/// The values of a header that is a list.
fn values<'h>(headers: &'h HeaderMap, name: &'static str) -> impl Iterator<Item = &'h str> {
    let lines = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|value| !value.is_empty())
}

fn names(headers: &HeaderMap, name: &'static str, value: &str) -> bool {
    values(headers, name).any(|given| given.eq_ignore_ascii_case(value))
}

/// The first protocol of the client's that is offered; the empty one if the client says nothing.
fn choose(headers: &HeaderMap, name: &'static str, offered: &[&'static str]) -> Option<&'static str> {
    let mut wanted = values(headers, name).peekable();
    if wanted.peek().is_none() {
        return Some("");
    }
    wanted.find_map(|wanted| offered.iter().find(|offered| **offered == wanted)).copied()
}

fn none_in_common(headers: &HeaderMap, name: &'static str, offered: &[&'static str]) -> Response {
    let client: Vec<&str> = values(headers, name).collect();
    let text = format!(
        "unable to upgrade: unable to negotiate protocol: client supports [{}], server accepts [{}]",
        client.join(" "),
        offered.join(" ")
    );
    let mut refusal = (StatusCode::BAD_REQUEST, text).into_response();
    for offered in offered {
        refusal.headers_mut().append(ACCEPTED_PROTOCOLS, HeaderValue::from_static(offered));
    }
    refusal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(values: &[&'static str]) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(STREAM_PROTOCOL, HeaderValue::from_static(value));
        }
        choose(&headers, STREAM_PROTOCOL, &["v4", "v3"])
    }

    #[test]
    fn the_clients_order_decides() {
        assert_eq!(chosen(&["v5, v3, v4"]), Some("v3"));
        assert_eq!(chosen(&["v5", "v4", "v3"]), Some("v4"));
        assert_eq!(chosen(&[]), Some(""));
        assert_eq!(chosen(&["v9"]), None);
    }

    #[tokio::test]
    async fn a_request_that_asks_for_no_upgrade_is_told_so() {
        let offer = Offer { spdy: &["v4"], websocket: &["v4"] };
        let request = Request::get("/").header("upgrade", "SPDY/3.1").body(Body::empty()).unwrap();
        assert_eq!(upgrade(request, offer, |_| async {}).await.status(), StatusCode::BAD_REQUEST);
    }
}
