//! A stream of bytes as the messages of a WebSocket, as Kubernetes has it for logs.

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

/// Subprotocols: the bytes as they are, or as text in base 64.
const BINARY: &str = "binary.k8s.io";
const BASE64: &str = "base64.binary.k8s.io";

/// Whether the request asks for a WebSocket.
pub(super) fn is_asked_for(headers: &HeaderMap) -> bool {
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

/// The answer that sends `body`, message by message.
pub(super) async fn stream(hub: &Hub, mut parts: Parts, body: Body) -> ApiResult<Response<Body>> {
    let protocol = chosen(&parts.headers)?;
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
    let mut upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(refusal) => return Ok(refusal.into_response()),
    };
    if let Some(protocol) = protocol {
        upgrade.set_selected_protocol(HeaderValue::from_static(protocol));
    }
    let closing = hub.closing.clone();
    let text = protocol == Some(BASE64);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let _ = closing.run_until_cancelled(send(socket, body, text)).await;
    }))
}

/// Sends until the body ends or the client goes.
async fn send(mut socket: WebSocket, body: Body, text: bool) {
    let mut pieces = body.into_data_stream();
    loop {
        tokio::select! {
            piece = pieces.next() => match piece {
                Some(Ok(piece)) => if socket.send(message(piece, text)).await.is_err() { return },
                Some(Err(_)) | None => break,
            },
            said = socket.recv() => if !matches!(said, Some(Ok(_))) { return },
        }
    }
    let farewell = CloseFrame { code: close_code::NORMAL, reason: "".into() };
    if socket.send(Message::Close(Some(farewell))).await.is_ok() {
        // The client hangs up: what it has not read yet would be lost otherwise.
        let _ = tokio::time::timeout(crate::tls::DRAIN, async { while let Some(Ok(_)) = socket.recv().await {} }).await;
    }
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
