//! The smallest HTTP client and server that a test needs.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);

/// The body of `GET http://HOST:PORT/PATH`, if the answer is 200.
pub fn get(url: &str) -> Result<String, String> {
    match request("GET", url, "text/plain", b"")? {
        (200, body) => Ok(body),
        (code, body) => Err(format!("{url}: {code}: {body}")),
    }
}

/// Code and body of the answer to any request.
pub fn request(method: &str, url: &str, content_type: &str, content: &[u8]) -> Result<(u16, String), String> {
    let rest = url.strip_prefix("http://").ok_or_else(|| format!("{url:?} is no http URL"))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let address: SocketAddr = host.parse().map_err(|e| format!("{host}: {e}"))?;
    let exchange = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        write!(stream, "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n")?;
        write!(stream, "Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n", content.len())?;
        stream.write_all(content)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = exchange().map_err(|e| format!("{url}: {e}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| format!("{url}: no HTTP answer: {answer:?}"))?;
    let code = head.strip_prefix("HTTP/1.1 ").and_then(|line| line.get(..3)?.parse().ok());
    let code = code.ok_or_else(|| format!("{url}: no HTTP answer: {head:?}"))?;
    let chunked = head.to_lowercase().contains("transfer-encoding: chunked");
    Ok((code, if chunked { unchunk(body) } else { body.to_string() }))
}

/// Gives everybody the same answer: its status line's end, and its body. Returns its address, and the first lines of what it
/// was asked.
pub fn answering(status: &'static str, body: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            log.lock().unwrap().push(lines.next().unwrap_or_default());
            while lines.next().is_some_and(|line| !line.is_empty()) {}
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close", body.len());
            let _ = write!(stream, "{head}\r\n\r\n{body}");
        }
    });
    (address, asked)
}

fn unchunk(body: &str) -> String {
    let mut rest = body;
    let mut text = String::new();
    while let Some((size, tail)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 || size > tail.len() {
            break;
        }
        text.push_str(&tail[..size]);
        rest = tail[size..].trim_start_matches("\r\n");
    }
    text
}
