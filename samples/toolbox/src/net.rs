//! Tools for names and connections.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs as _};

use crate::{Call, Outcome, failed};

/// The longest request that is read.
const REQUEST_LIMIT_BYTES: u64 = 64 * 1024;

/// Prints the addresses of names.
pub fn resolve(call: &mut Call<'_>) -> Outcome {
    for name in call.args {
        let addresses = (name.as_str(), 0).to_socket_addrs().map_err(|error| format!("{name}: {error}"))?;
        for address in addresses {
            call.line(address.ip())?;
        }
    }
    Ok(0)
}

fn connect(place: &str) -> Result<TcpStream, String> {
    TcpStream::connect(place).map_err(|error| format!("{place}: {error}"))
}

/// Connects to `HOST:PORT`, sends the words after it, and prints what comes back until the end.
pub fn dial(call: &mut Call<'_>) -> Outcome {
    let mut stream = connect(call.arg(0, "HOST:PORT")?)?;
    let words = call.args[1..].join(" ");
    if !words.is_empty() {
        writeln!(stream, "{words}").map_err(failed)?;
        stream.shutdown(std::net::Shutdown::Write).map_err(failed)?;
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map_err(failed)?;
    call.out.write_all(&answer).map_err(failed)?;
    Ok(0)
}

/// Sends every connection back what it sends, one connection after the other.
pub fn listen(call: &mut Call<'_>) -> Outcome {
    let port: u16 = call.number(0, "the port")?;
    let listener = TcpListener::bind(("0.0.0.0", port)).map_err(failed)?;
    call.line(format!("listening on port {port}"))?;
    call.out.flush().map_err(failed)?;
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        // A client that breaks off is its own affair.
        let _ = std::io::copy(&mut &stream, &mut &stream);
    }
    Ok(0)
}

/// A small HTTP server: `/hostname`, `/file/PATH`, and `/status/CODE`; anything else is told what it asked for.
pub fn serve(call: &mut Call<'_>) -> Outcome {
    let port: u16 = call.number(0, "the port")?;
    let listener = TcpListener::bind(("0.0.0.0", port)).map_err(failed)?;
    call.line(format!("serving on port {port}"))?;
    call.out.flush().map_err(failed)?;
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { continue };
        if let Some(path) = request(&stream) {
            call.line(format!("GET {path}"))?;
            call.out.flush().map_err(failed)?;
            let _ = answer(&mut stream, &path);
        }
    }
    Ok(0)
}

/// The path that a client asks for. Reads the whole head, so that closing does not reset the connection.
fn request(stream: &TcpStream) -> Option<String> {
    let mut lines = BufReader::new(stream.take(REQUEST_LIMIT_BYTES)).lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
    lines.take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty())).for_each(drop);
    Some(path)
}

fn answer(stream: &mut TcpStream, path: &str) -> std::io::Result<()> {
    let (code, body) = match path.split_once('/').and_then(|(_, rest)| rest.split_once('/')) {
        Some(("file", file)) => match std::fs::read_to_string(format!("/{file}")) {
            Ok(content) => (200, content),
            Err(error) => (404, format!("{error}\n")),
        },
        Some(("status", code)) => (code.parse().unwrap_or(400), String::new()),
        _ if path == "/hostname" => (200, std::env::var("HOSTNAME").unwrap_or_default()),
        _ => (200, format!("{path}\n")),
    };
    write!(stream, "HTTP/1.1 {code} -\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// Asks `HOST:PORT/PATH` by HTTP, prints the body, and fails unless the status is 200.
pub fn get(call: &mut Call<'_>) -> Outcome {
    let place = call.arg(0, "HOST:PORT/PATH")?;
    let (host, path) = place.split_once('/').unwrap_or((place, ""));
    let mut stream = connect(host)?;
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").map_err(failed)?;
    let mut text = String::new();
    stream.read_to_string(&mut text).map_err(failed)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("no HTTP answer")?;
    write!(call.out, "{body}").map_err(failed)?;
    Ok(u8::from(head.split(' ').nth(1) != Some("200")))
}
