//! A stream of bytes as the messages of a WebSocket, as Kubernetes has it for logs.

use std::time::Duration;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use coracle_api::{ApiError, ApiResult};
use futures::StreamExt;
use http::header::{CONNECTION, HeaderMap, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::request::Parts;
use http::{HeaderValue, Response};

use crate::http::{list, names};
use crate::hub::Hub;
use crate::metrics::Held;
use crate::pace::PIECE_BYTES;

/// Subprotocols: the bytes as they are, or as text in base 64.
const BINARY: &str = "binary.k8s.io";
const BASE64: &str = "base64.binary.k8s.io";

/// Bytes of a message from the client, which has nothing to say but that it is there, or leaves.
const MAX_SAID_BYTES: usize = 4 << 10;

/// Why nothing more is sent.
enum Ended {
    /// The client is not there any more.
    Gone,
    /// It has not taken a piece in time.
    Stalled,
}

/// Whether the request asks for a WebSocket.
pub(crate) fn is_asked_for(headers: &HeaderMap) -> bool {
    names(headers, &CONNECTION, "upgrade") && names(headers, &UPGRADE, "websocket")
}

/// The first of the client's subprotocols that is known here, if it names any.
fn chosen(headers: &HeaderMap) -> ApiResult<Option<&'static str>> {
    let mut wanted = list(headers, &SEC_WEBSOCKET_PROTOCOL).peekable();
    if wanted.peek().is_none() {
        return Ok(None);
    }
    let found = wanted.find_map(|wanted| [BINARY, BASE64].into_iter().find(|known| *known == wanted));
    found.map(Some).ok_or_else(|| ApiError::bad_request("none of the subprotocols of the WebSocket is known here"))
}

/// The answer that sends `body`, message by message. It is counted for as long as the socket is open.
pub(super) async fn stream(hub: &Hub, mut parts: Parts, body: Body, held: Held) -> ApiResult<Response<Body>> {
    let protocol = chosen(&parts.headers)?;
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
    let mut upgrade = match upgrade {
        Ok(upgrade) => upgrade.max_message_size(MAX_SAID_BYTES).max_frame_size(MAX_SAID_BYTES),
        Err(refusal) => return Ok(refusal.into_response()),
    };
    if let Some(protocol) = protocol {
        upgrade.set_selected_protocol(HeaderValue::from_static(protocol));
    }
    let (closing, metrics, stall) = (hub.closing.clone(), hub.metrics.clone(), hub.config.limits.answer_stall);
    let text = protocol == Some(BASE64);
    Ok(upgrade.on_upgrade(move |socket| async move {
        if let Some(Err(Ended::Stalled)) = closing.run_until_cancelled(send(socket, body, text, stall)).await {
            metrics.stalled();
        }
        drop(held);
    }))
}

/// Sends until the body ends or the client goes.
async fn send(mut socket: WebSocket, body: Body, text: bool, stall: Duration) -> Result<(), Ended> {
    let mut pieces = body.into_data_stream();
    loop {
        tokio::select! {
            piece = pieces.next() => match piece {
                Some(Ok(mut piece)) => while !piece.is_empty() {
                    let part = piece.split_to(piece.len().min(PIECE_BYTES));
                    say(&mut socket, message(part, text), stall).await?;
                },
                Some(Err(_)) | None => break,
            },
            said = socket.recv() => if !matches!(said, Some(Ok(_))) { return Err(Ended::Gone) },
        }
    }
    let farewell = CloseFrame { code: close_code::NORMAL, reason: "".into() };
    say(&mut socket, Message::Close(Some(farewell)), stall).await?;
    // The client hangs up: what it has not read yet would be lost otherwise.
    let _ = tokio::time::timeout(crate::tls::DRAIN, async { while let Some(Ok(_)) = socket.recv().await {} }).await;
    Ok(())
}

/// Sends a message, which the client takes in time.
async fn say(socket: &mut WebSocket, message: Message, stall: Duration) -> Result<(), Ended> {
    let sent = tokio::time::timeout(stall, socket.send(message)).await.map_err(|_| Ended::Stalled)?;
    sent.map_err(|_| Ended::Gone)
}

fn message(piece: Bytes, text: bool) -> Message {
    if text { Message::Text(STANDARD.encode(&piece).into()) } else { Message::Binary(piece) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_websocket_is_asked_for_in_two_headers() {
        let mut headers = HeaderMap::new();
        headers.insert(UPGRADE, HeaderValue::from_static("WebSocket"));
        assert!(!is_asked_for(&headers));
        headers.insert(CONNECTION, HeaderValue::from_static("keep-alive, Upgrade"));
        assert!(is_asked_for(&headers));
    }

    #[test]
    fn pieces_are_messages() {
        assert_eq!(message(Bytes::from_static(b"hello"), true), Message::Text("aGVsbG8=".into()));
        assert_eq!(message(Bytes::from_static(b"hello"), false), Message::Binary(Bytes::from_static(b"hello")));
    }
}
