//! A request by `wasi:http/outgoing-handler`: the host's client, where `get` has a socket of its own.

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{Fields, IncomingResponse, OutgoingRequest, Scheme};
use wasip2::io::streams::StreamError;

use crate::{Call, Outcome, failed};

/// What is read of an answer at once.
const PIECE_BYTES: u64 = 64 * 1024;

/// Asks for a URL and prints the status and the body.
pub fn fetch(call: &mut Call<'_>) -> Outcome {
    let url = call.arg(0, "the URL")?.to_owned();
    let response = ask(&url).map_err(|why| format!("{url}: {why}"))?;
    call.line(response.status())?;
    let body = response.consume().map_err(|()| "the body is taken")?;
    let stream = body.stream().map_err(|()| "the body is taken")?;
    loop {
        match stream.blocking_read(PIECE_BYTES) {
            Ok(piece) => call.out.write_all(&piece).map_err(failed)?,
            Err(StreamError::Closed) => return Ok(u8::from(response.status() >= 400)),
            Err(StreamError::LastOperationFailed(error)) => return Err(error.to_debug_string()),
        }
    }
}

fn ask(url: &str) -> Result<IncomingResponse, String> {
    let (scheme, rest) = match url.split_once("://") {
        Some(("http", rest)) => (Scheme::Http, rest),
        Some(("https", rest)) => (Scheme::Https, rest),
        _ => return Err("not http:// or https://".to_owned()),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let request = OutgoingRequest::new(Fields::new());
    let invalid = |()| "invalid".to_owned();
    request.set_scheme(Some(&scheme)).map_err(invalid)?;
    request.set_authority(Some(authority)).map_err(invalid)?;
    request.set_path_with_query(Some(if path.is_empty() { "/" } else { path })).map_err(invalid)?;
    let answer = handle(request, None).map_err(|code| format!("{code:?}"))?;
    answer.subscribe().block();
    let answer = answer.get().and_then(Result::ok).ok_or("there is no answer")?;
    answer.map_err(|code| format!("{code:?}"))
}
