//! An admission webhook: a server with TLS that gives each review the same answer.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

/// The most that a review has.
const REVIEW_BYTES: usize = 1024 * 1024;

/// A webhook at the host's localhost.
pub struct Webhook {
    /// Where it is asked.
    pub url: String,
    /// By whom its certificate is signed, PEM: by itself.
    pub certificate: String,
}

impl Webhook {
    /// One that puts `response` into its reviews.
    pub fn start(response: Value) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_string()]).expect("a certificate");
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.expect("versions").with_no_client_auth();
        let config = Arc::new(config.with_single_cert(vec![made.cert.der().clone()], key).expect("a pair"));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("it is bound").port();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // Who breaks off is the asked one's business.
                let _ = answer(Arc::clone(&config), stream, &response);
            }
        });
        Self { url: format!("https://localhost:{port}/review"), certificate: made.cert.pem() }
    }
}

fn answer(config: Arc<ServerConfig>, stream: TcpStream, response: &Value) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().map_err(std::io::Error::other)?;
            }
            Some(_) => {}
            None if line.trim_end().is_empty() => break,
            None => {}
        }
    }
    let mut review = vec![0; length.min(REVIEW_BYTES)];
    stream.read_exact(&mut review)?;
    let mut review: Value = serde_json::from_slice(&review)?;
    let mut response = response.clone();
    response["uid"] = review["request"]["uid"].take();
    let body =
        json!({ "apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response }).to_string();
    let stream = stream.get_mut();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", body.len())?;
    write!(stream, "Connection: close\r\n\r\n{body}")?;
    stream.conn.send_close_notify();
    stream.flush()
}
