//! A `wasi:http` component that shows what a ConfigMap and a Secret gave it.

use std::env;

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

struct Config;

wasip2::http::proxy::export!(Config);

impl Guest for Config {
    fn handle(_request: IncomingRequest, response_out: ResponseOutparam) {
        let response = OutgoingResponse::new(Fields::new());
        let body = response.body().expect("the body is taken once");
        ResponseOutparam::set(response_out, Ok(response));
        let stream = body.write().expect("the stream is taken once");
        let _ = stream.blocking_write_and_flush(report().as_bytes());
        drop(stream);
        let _ = OutgoingBody::finish(body, None);
    }
}

/// Secrets are counted, never shown.
fn report() -> String {
    let value = |name: &str| env::var(name).unwrap_or_else(|_| "(not set)".into());
    let secret = env::var("API_TOKEN").map_or("(not set)".into(), |token| format!("{} characters", token.len()));
    format!(
        "greeting: {}\nlog level: {}\napi token: {secret}\nnode: {}\n",
        value("GREETING"),
        value("LOG_LEVEL"),
        value("NODE_NAME"),
    )
}
