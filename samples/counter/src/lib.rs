//! A `wasi:http` component that counts its requests in a bucket (`wasi:keyvalue`) and greets with words from a ConfigMap
//! (`wasi:config`). Run as a command, it looks into its configuration and its buckets; see [`tools`].

mod tools;

use bindings::wasi::config::store as config;
use bindings::wasi::keyvalue::{atomics, store};
use wasip2::exports::cli::run::Guest as Command;
use wasip2::exports::http::incoming_handler::Guest as Handler;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

/// The interfaces that are in `wit`.
mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "counter", generate_all });
}

/// The key of the number of requests.
const REQUESTS: &str = "requests";

struct Counter;

wasip2::http::proxy::export!(Counter);
wasip2::cli::command::export!(Counter);

impl Handler for Counter {
    fn handle(_request: IncomingRequest, response_out: ResponseOutparam) {
        let (status, text) = match greet() {
            Ok(text) => (200, text),
            Err(why) => (500, format!("{why}\n")),
        };
        let response = OutgoingResponse::new(Fields::new());
        response.set_status_code(status).expect("it is a status");
        let body = response.body().expect("the body is taken once");
        ResponseOutparam::set(response_out, Ok(response));
        let stream = body.write().expect("the stream is taken once");
        let _ = stream.blocking_write_and_flush(text.as_bytes());
        drop(stream);
        let _ = OutgoingBody::finish(body, None);
    }
}

impl Command for Counter {
    fn run() -> Result<(), ()> {
        let words = wasip2::cli::environment::get_arguments();
        let words: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        match tools::run(&words) {
            Ok(text) => print!("{text}"),
            Err(why) => {
                eprintln!("{why}");
                return Err(());
            }
        }
        Ok(())
    }
}

fn greet() -> Result<String, String> {
    let greeting = config::get("GREETING").map_err(tools::upstream)?;
    // The bucket that has no name is on the volume `keyvalue`.
    let bucket = store::open("").map_err(said)?;
    let number = atomics::increment(&bucket, REQUESTS, 1).map_err(said)?;
    Ok(format!("{}, you are number {number}\n", greeting.as_deref().unwrap_or("Hello")))
}

/// An error of a bucket in words.
fn said(error: store::Error) -> String {
    match error {
        store::Error::NoSuchStore => "no such store".into(),
        store::Error::AccessDenied => "access denied".into(),
        store::Error::Other(why) => why,
    }
}
