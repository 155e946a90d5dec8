//! A `wasi:http` component of WASI 0.3: an async handler, whose bodies are streams.
//!
//! It greets and says which pod answered; `/echo` sends the body back as it comes, `/shout` in capital letters, and
//! `/upstream` asks the server that `UPSTREAM` names (`HOST:PORT`). `/files/NAME` is a file of the first directory that the container has.

use wasip3::exports::http::handler::Guest;
use wasip3::filesystem::preopens;
use wasip3::filesystem::types::{DescriptorFlags, OpenFlags, PathFlags};
use wasip3::http::client;
use wasip3::http::types::{ErrorCode, Fields, Request, Response, Scheme};
use wasip3::wit_bindgen::StreamResult;
use wasip3::{cli::environment, spawn_local, wit_future, wit_stream};

/// What is read of a body at once.
const CHUNK_BYTES: usize = 16 * 1024;

struct Hello;

wasip3::http::service::export!(Hello);

impl Guest for Hello {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        match path.as_str() {
            "/echo" => Ok(echo(request)),
            "/shout" => Ok(shout(request)),
            "/upstream" => upstream().await,
            path => match path.strip_prefix("/files/") {
                Some(name) => Ok(file(name).await),
                None => Ok(greet(path)),
            },
        }
    }
}

fn variable(name: &str) -> Option<String> {
    environment::get_environment().into_iter().find_map(|(known, value)| (known == name).then_some(value))
}

fn greet(path: &str) -> Response {
    let pod = variable("POD_NAME").unwrap_or_else(|| "a pod without a name".into());
    let text = format!("Hello from {pod} by WASI 0.3, you asked for {path}\n");
    let headers = Fields::from_list(&[("content-type".into(), b"text/plain; charset=utf-8".to_vec())])
        .expect("the header is valid");
    let (mut body, stream) = wit_stream::new();
    let (_, trailers) = wit_future::new(|| Ok(None));
    // The answer goes out while its body is still being written.
    spawn_local(async move {
        // A client that has gone away is no reason to trap.
        let _ = body.write_all(text.into_bytes()).await;
    });
    Response::new(headers, Some(stream), trailers).0
}

/// The body as it came: the guest only joins its ends.
fn echo(request: Request) -> Response {
    let (_, received) = wit_future::new(|| Ok(()));
    let (body, trailers) = Request::consume_body(request, received);
    Response::new(Fields::new(), Some(body), trailers).0
}

/// Each piece of the body is answered when it comes.
fn shout(request: Request) -> Response {
    let (_, received) = wit_future::new(|| Ok(()));
    let (mut body, trailers) = Request::consume_body(request, received);
    let (mut answer, stream) = wit_stream::new();
    spawn_local(async move {
        loop {
            let (result, mut piece) = body.read(Vec::with_capacity(CHUNK_BYTES)).await;
            piece.make_ascii_uppercase();
            let unread = answer.write_all(piece).await;
            if !unread.is_empty() || matches!(result, StreamResult::Dropped | StreamResult::Cancelled) {
                break;
            }
        }
    });
    Response::new(Fields::new(), Some(stream), trailers).0
}

/// A file flows to the client without the guest: its stream is the body.
async fn file(name: &str) -> Response {
    let (_, trailers) = wit_future::new(|| Ok(None));
    let directory = preopens::get_directories().into_iter().next();
    let opened = match directory {
        Some((directory, _)) => {
            let how = (PathFlags::SYMLINK_FOLLOW, OpenFlags::empty(), DescriptorFlags::READ);
            directory.open_at(how.0, name.to_owned(), how.1, how.2).await.ok()
        }
        None => None,
    };
    match opened {
        Some(file) => Response::new(Fields::new(), Some(file.read_via_stream(0).0), trailers).0,
        None => {
            let missing = Response::new(Fields::new(), None, trailers).0;
            missing.set_status_code(404).expect("404 is a status");
            missing
        }
    }
}

async fn upstream() -> Result<Response, ErrorCode> {
    let (_, trailers) = wit_future::new(|| Ok(None));
    let request = Request::new(Fields::new(), None, trailers, None).0;
    let invalid = |()| ErrorCode::HttpRequestUriInvalid;
    request.set_scheme(Some(&Scheme::Http)).map_err(invalid)?;
    request.set_authority(variable("UPSTREAM").as_deref()).map_err(invalid)?;
    request.set_path_with_query(Some("/")).map_err(invalid)?;
    let response = client::send(request).await?;
    let (_, received) = wit_future::new(|| Ok(()));
    let (body, trailers) = Response::consume_body(response, received);
    Ok(Response::new(Fields::new(), Some(body), trailers).0)
}
