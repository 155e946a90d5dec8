//! Answers: JSON or YAML bytes with the headers that Kubernetes clients expect.

use std::convert::Infallible;

use axum::body::Body;
use bytes::Bytes;
use coracle_api::{ApiError, ApiResult, protobuf};
use futures::{Stream, StreamExt};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WARNING};
use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::{Accept, Format};

/// Characters of all warnings in one answer; beyond that each is cut to its beginning, and the last are left out
/// (kube-apiserver's `truncateAtTotalRunes`, `truncateItemRunes`).
const MAX_WARNING_CHARACTERS: usize = 4 * 1024;
const TRUNCATED_WARNING_CHARACTERS: usize = 256;

/// Warnings in one answer: Kubernetes has no bound for very short ones, HTTP/1 clients take about a hundred headers.
const MAX_WARNINGS: usize = 64;

/// Larger answers are compressed for clients that take it: kube-apiserver's own threshold.
pub(crate) const COMPRESS_ABOVE_BYTES: usize = 128 * 1024;

/// Marks an answer that may be compressed: large, and not a stream that somebody waits on.
#[derive(Clone, Copy)]
pub(crate) struct Compressible;

/// Bytes that are JSON already.
pub(crate) fn json_bytes(code: StatusCode, bytes: impl Into<Body>) -> Response<Body> {
    with_type(code, "application/json", bytes.into())
}

/// A JSON document.
pub(crate) fn value(code: StatusCode, value: &Value) -> Response<Body> {
    json_bytes(code, value.to_string())
}

/// An object or list in the negotiated format, with warnings.
pub(crate) fn object(
    code: StatusCode,
    json: Bytes,
    accept: Accept,
    pretty: bool,
    warnings: &[String],
) -> Response<Body> {
    let large = json.len() > COMPRESS_ABOVE_BYTES;
    let mut response = match (accept.format, pretty) {
        (Format::Json, false) => json_bytes(code, json),
        (Format::Json, true) => json_bytes(code, indented(&json).unwrap_or(json)),
        (Format::Protobuf, _) => match protobuf_of(&json) {
            Ok(bytes) => with_type(code, protobuf::MEDIA_TYPE, bytes.into()),
            Err(failure) => error(&failure),
        },
        (Format::Yaml, _) => match yaml(&json) {
            Some(text) => with_type(code, "application/yaml", text.into()),
            None => error(&ApiError::internal("the object cannot be written as YAML")),
        },
    };
    if large {
        response.extensions_mut().insert(Compressible);
    }
    warn(&mut response, warnings);
    response
}

fn protobuf_of(json: &[u8]) -> ApiResult<Vec<u8>> {
    let value: Value = serde_json::from_slice(json).map_err(ApiError::internal)?;
    Ok(protobuf::encode(&value)?)
}

fn indented(json: &[u8]) -> Option<Bytes> {
    let value: Value = serde_json::from_slice(json).ok()?;
    let mut text = serde_json::to_vec_pretty(&value).ok()?;
    text.push(b'\n');
    Some(text.into())
}

fn yaml(json: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(json).ok()?;
    serde_yaml::to_string(&value).ok()
}

/// JSON that is written as it is made.
pub(crate) fn streamed<S>(stream: S) -> Response<Body>
where
    S: Stream<Item = Result<Bytes, Infallible>> + Send + 'static,
{
    // Fused: compression asks once more after the end.
    json_bytes(StatusCode::OK, Body::from_stream(stream.fuse()))
}

/// The events of a watch, given as JSON lines, as protobuf frames.
pub(crate) fn framed<S>(lines: S) -> Response<Body>
where
    S: Stream<Item = Result<Bytes, Infallible>> + Send + 'static,
{
    let frames = lines.map(|lines| lines.map(|lines| Bytes::from(frames_of(&lines))));
    with_type(StatusCode::OK, protobuf::WATCH_MEDIA_TYPE, Body::from_stream(frames.fuse()))
}

/// The frames of whole lines. An event that has no protobuf form was never promised to the client.
fn frames_of(lines: &[u8]) -> Vec<u8> {
    let events = lines.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let frame = |event: Value| protobuf::encode_event(event["type"].as_str()?, &event["object"]).ok();
    events.filter_map(frame).flatten().collect()
}

/// Plain text.
pub(crate) fn text(code: StatusCode, text: impl Into<Body>) -> Response<Body> {
    with_type(code, "text/plain; charset=utf-8", text.into())
}

/// An error as a Status, or as the bare text that Kubernetes has for paths outside of the API.
pub(crate) fn error(error: &ApiError) -> Response<Body> {
    error_in(error, Format::Json)
}

/// The same in the format that the client reads.
pub(crate) fn error_in(error: &ApiError, format: Format) -> Response<Body> {
    if error.is_no_such_path() {
        return no_such_path();
    }
    let code = StatusCode::from_u16(error.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let status = error.to_status();
    let text = if format == Format::Yaml { serde_yaml::to_string(&status).ok() } else { None };
    let mut response = match text {
        Some(text) => with_type(code, "application/yaml", text.into()),
        None => value(code, &status),
    };
    if let Some(seconds) = error.details.get("retryAfterSeconds").and_then(Value::as_u64) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// What Go's own HTTP server says; client-go makes its message of it, with what it had asked for.
pub(crate) fn no_such_path() -> Response<Body> {
    text(StatusCode::NOT_FOUND, "404 page not found\n")
}

/// The Status that says that something was done and there is no object to show for it.
pub(crate) fn status_success(code: StatusCode, details: Map<String, Value>) -> Response<Body> {
    let mut status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success" });
    if !details.is_empty() {
        status["details"] = Value::Object(details);
    }
    if code == StatusCode::CREATED {
        status["code"] = json!(201);
    }
    value(code, &status)
}

/// What an answer's headers warn of already, before anything was cut.
#[derive(Clone, Default)]
struct Told(Vec<String>);

/// Adds warnings as headers: `299 - "text"` (RFC 9111 §5.5, KEP-1693), each once. They are bounded together with those
/// that are there: clients print them all, proxies cap headers.
pub(crate) fn warn<S: AsRef<str>>(response: &mut Response<Body>, warnings: &[S]) {
    let mut told = response.extensions_mut().remove::<Told>().unwrap_or_default().0;
    for text in warnings.iter().map(AsRef::as_ref).filter(|text| !text.is_empty()) {
        if told.len() < MAX_WARNINGS && !told.iter().any(|known| known == text) {
            told.push(text.to_string());
        }
    }
    if told.is_empty() {
        return;
    }
    response.headers_mut().remove(WARNING);
    let limit = if characters(&told) > MAX_WARNING_CHARACTERS { TRUNCATED_WARNING_CHARACTERS } else { usize::MAX };
    let mut written = 0;
    for text in told.iter().take_while(|text| {
        let room = written < MAX_WARNING_CHARACTERS;
        written += text.chars().count().min(limit);
        room
    }) {
        if let Ok(header) = HeaderValue::from_bytes(format!("299 - \"{}\"", quoted(text, limit)).as_bytes()) {
            response.headers_mut().append(WARNING, header);
        }
    }
    response.extensions_mut().insert(Told(told));
}

fn characters(texts: &[String]) -> usize {
    texts.iter().map(|text| text.chars().count()).sum()
}

/// The beginning of a text, as it may stand between quotes in a header.
fn quoted(text: &str, limit: usize) -> String {
    let mut quoted = String::with_capacity(text.len() + 8);
    for character in text.chars().take(limit) {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted
}

fn with_type(code: StatusCode, media: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    // Answers depend on who asks and on now.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_quoted_and_cannot_break_out_of_their_header() {
        let warnings = ["unknown field \"spec.foo\"\r\nX: y".to_string()];
        let response = object(StatusCode::OK, Bytes::from_static(b"{}"), Accept::JSON, false, &warnings);
        let header = response.headers().get(WARNING).unwrap().to_str().unwrap();
        assert_eq!(header, "299 - \"unknown field \\\"spec.foo\\\"  X: y\"");
    }

    #[test]
    fn many_words_of_warning_are_cut() {
        let headers = |warnings: &[String]| {
            let mut response = Response::new(Body::empty());
            // In two parts, as the parts of a server have them.
            let (first, second) = warnings.split_at(warnings.len() / 2);
            warn(&mut response, first);
            warn(&mut response, second);
            let all = response.headers().get_all(WARNING).iter();
            all.map(|header| String::from_utf8_lossy(header.as_bytes()).chars().count()).collect::<Vec<_>>()
        };
        let around = "299 - \"\"".len();
        let long = |n: usize| format!("{n:03}{}", "ä".repeat(2_045));
        assert_eq!(headers(&[long(1), long(2)]), [2_048 + around; 2], "all in all no more than fits");
        assert_eq!(headers(&[long(1), long(2), long(3)]), [256 + around; 3]);
        assert_eq!(headers(&(0..40).map(long).collect::<Vec<_>>()), [256 + around; 16]);
        assert_eq!(headers(&vec![long(1); 40]), [2_048 + around], "each is told once");
    }

    #[test]
    fn yaml_is_yaml() {
        let accept = Accept { format: Format::Yaml, ..Accept::JSON };
        let response = object(StatusCode::OK, Bytes::from_static(br#"{"a":[1]}"#), accept, false, &[]);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/yaml");
    }
}
