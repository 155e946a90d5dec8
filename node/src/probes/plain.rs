//! A GET over plain HTTP/1.1 on a connection of its own, as little as a probe needs: thousands of these are asked every
//! second, and a client with pools, tasks and buffers of its own would cost more than the answer.

use std::{io, time::Duration};

use tokio::time::{Instant, sleep_until, timeout};

use super::dial::dial;

/// The most an answer's status line and headers may be (Go's client stops reading at 10 MiB; no probe needs a thousandth).
const HEAD_LIMIT_BYTES: usize = 16 * 1024;
/// Header fields of an answer.
const HEADERS_LIMIT: usize = 100;
/// What most heads fit in.
const HEAD_BYTES: usize = 1024;
/// Where plain HTTP is spoken if nothing else is said.
const DEFAULT_PORT: u16 = 80;

/// Where a GET goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address<'a> {
    /// The host, for the connection.
    pub host: &'a str,
    /// The port, for the connection.
    pub port: u16,
    /// The `Host` field.
    pub authority: &'a str,
    /// Path and query; never empty.
    pub path: &'a str,
}

/// What came back: enough to judge it.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// `Location`, if the answer has one.
    pub location: Option<String>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Failure {
    /// No connection.
    Dial(io::Error),
    /// The connection broke, or what came was no HTTP.
    Talk(String),
    /// It took too long.
    Timeout,
}

/// The parts of an `http` URL. None: it is another kind of URL, or none.
pub fn address(url: &str) -> Option<Address<'_>> {
    let rest = url.strip_prefix("http://")?;
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(at);
    // What a URL must have escaped would end a line of the request.
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    let fits =
        !authority.is_empty() && !authority.contains('@') && plain(authority) && plain(path) && !path.contains('#');
    if !fits || path.starts_with('?') {
        return None;
    }
    let (host, port) = match authority.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
        Some((host, "")) => (host, DEFAULT_PORT),
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, DEFAULT_PORT),
    };
    let path = if path.is_empty() { "/" } else { path };
    Some(Address { host, port, authority, path })
}

/// Sends one GET and reads the head of its answer; `look` is when the answer is looked for first (None: at once).
pub async fn get(
    address: &Address<'_>,
    fields: &str,
    limit: Duration,
    look: Option<Instant>,
) -> Result<Answer, Failure> {
    timeout(limit, exchange(address, fields, look)).await.unwrap_or(Err(Failure::Timeout))
}

async fn exchange(address: &Address<'_>, fields: &str, look: Option<Instant>) -> Result<Answer, Failure> {
    let connection = dial(address.host, address.port).await.map_err(Failure::Dial)?;
    let request = format!("GET {} HTTP/1.1\r\n{fields}Connection: close\r\n\r\n", address.path);
    let talk = |error: io::Error| Failure::Talk(error.to_string());
    let mut connection = connection.send(request.as_bytes()).await.map_err(talk)?;
    if let Some(moment) = look {
        sleep_until(moment).await;
    }
    let mut head = Vec::new();
    loop {
        let before = head.len();
        head.reserve(HEAD_BYTES);
        connection = connection.read(&mut head).await.map_err(talk)?;
        if let Some(answer) = parse(&head)? {
            return Ok(answer);
        }
        if head.len() == before {
            return Err(Failure::Talk("EOF".to_owned()));
        }
        if head.len() > HEAD_LIMIT_BYTES {
            return Err(Failure::Talk(format!("server response headers exceeded {HEAD_LIMIT_BYTES} bytes; aborted")));
        }
    }
}

/// The answer, once its head is complete. What precedes it (1xx) is passed over.
fn parse(mut head: &[u8]) -> Result<Option<Answer>, Failure> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_LIMIT];
        let mut response = httparse::Response::new(&mut headers);
        let malformed = |error: httparse::Error| Failure::Talk(format!("malformed HTTP response: {error}"));
        let httparse::Status::Complete(length) = response.parse(head).map_err(malformed)? else { return Ok(None) };
        let status = response.code.unwrap_or_default();
        if (100..200).contains(&status) {
            head = &head[length..];
            continue;
        }
        let location = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("location"));
        let location = location.and_then(|header| std::str::from_utf8(header.value).ok()).map(str::to_owned);
        return Ok(Some(Answer { status, location }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart_or_left_to_others() {
        let parts = |url| address(url).map(|it| (it.host, it.port, it.authority, it.path));
        assert_eq!(parts("http://10.0.0.1:80/a?b=c"), Some(("10.0.0.1", 80, "10.0.0.1:80", "/a?b=c")));
        assert_eq!(parts("http://h"), Some(("h", 80, "h", "/")));
        assert_eq!(parts("http://[::1]:8080/"), Some(("[::1]", 8080, "[::1]:8080", "/")));
        assert_eq!(parts("http://[::1]/"), Some(("[::1]", 80, "[::1]", "/")));
        for other in [
            "https://h/",
            "http://",
            "http://h/a b",
            "http://h/\r\nX: y",
            "http://u@h/",
            "http://h?x",
            "ftp://h",
            "http://h:99999/",
        ] {
            assert_eq!(parts(other), None, "{other}");
        }
    }

    #[test]
    fn heads_are_read_once_complete_and_interim_ones_passed_over() {
        assert!(parse(b"HTTP/1.1 200 OK\r\nA: b\r\n").unwrap().is_none());
        let moved = parse(b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 302 Found\r\nlocation: /x\r\n\r\nbody").unwrap();
        assert_eq!(moved, Some(Answer { status: 302, location: Some("/x".into()) }));
        assert!(matches!(parse(b"SSH-2.0-x\r\n"), Err(Failure::Talk(why)) if why.starts_with("malformed")));
    }
}
