//! Users whom an OpenID provider vouches for: kubectl with an ID token, at the API server and at a node's own port.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use k8s_openapi::jiff::Timestamp;
use rcgen::{KeyPair, SigningKey as _};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use super::{EdgeNode, field};
use crate::harness::{Cluster, Finished, Options, eventually, run};

/// A provider at the host's localhost, whose one key is on P-256.
struct IdProvider {
    url: String,
    certificate: String,
    key: KeyPair,
}

impl IdProvider {
    fn start() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_string()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let signer = KeyPair::generate().unwrap();
        let (x, y) = signer.public_key_raw()[1..].split_at(32);
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let keys = json!({ "keys": [{ "kty": "EC", "crv": "P-256", "kid": "k", "x": encode(x), "y": encode(y) }] });
        let about = json!({ "issuer": url, "jwks_uri": format!("{url}/keys") });
        let config = Arc::new(config);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // Who breaks off is the asking one's business.
                let _ = answer(Arc::clone(&config), stream, &about, &keys);
            }
        });
        Self { url, certificate: made.cert.pem(), key: signer }
    }

    /// A token for `kubectl`, for an hour.
    fn token(&self, name: &str, group: &str) -> String {
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let expires = Timestamp::now().as_second() + 3600;
        let claims =
            json!({ "iss": self.url, "aud": "kubectl", "exp": expires, "email": name, "groups": [group], "jti": "t1" });
        let signed = format!("{}.{}", encode(&json!({ "alg": "ES256", "kid": "k" })), encode(&claims));
        let signature = fixed(&self.key.sign(signed.as_bytes()).unwrap());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Both numbers of an ECDSA signature in DER, in 32 bytes each as JOSE wants them.
fn fixed(der: &[u8]) -> Vec<u8> {
    let mut rest = &der[2..];
    let mut fixed = Vec::new();
    for _ in 0..2 {
        let (number, after) = rest[2..].split_at(usize::from(rest[1]));
        let number = &number[number.len().saturating_sub(32)..];
        fixed.extend(std::iter::repeat_n(0, 32 - number.len()));
        fixed.extend(number);
        rest = after;
    }
    fixed
}

fn answer(config: Arc<ServerConfig>, stream: TcpStream, about: &Value, keys: &Value) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    let mut asked = String::new();
    stream.read_line(&mut asked)?;
    let mut line = String::new();
    while stream.read_line(&mut line)? > 2 {
        line.clear();
    }
    let body = if asked.starts_with("GET /keys ") { keys } else { about }.to_string();
    let stream = stream.get_mut();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", body.len())?;
    write!(stream, "Connection: close\r\n\r\n{body}")?;
    stream.conn.send_close_notify();
    stream.flush()
}

/// kubectl with nothing but a token: a certificate would say who it is.
fn with_token(cluster: &Cluster, server: &str, token: &str, words: &[&str]) -> Finished {
    let authority = cluster.data_dir().join("pki").join("ca.crt").display().to_string();
    let mut command = cluster.kubectl_command();
    command.env("KUBECONFIG", "/dev/null").args(["--server", server, "--certificate-authority", &authority]);
    run(command.args(["--token", token]).args(words))
}

#[test]
fn an_id_token_is_as_good_as_a_certificate() {
    let provider = IdProvider::start();
    let mut cluster = Cluster::unstarted(Options::default());
    let ca = cluster.scratch().join("issuer.crt");
    std::fs::write(&ca, &provider.certificate).unwrap();
    let flags = [
        ("--oidc-issuer-url", provider.url.as_str()),
        ("--oidc-client-id", "kubectl"),
        ("--oidc-username-claim", "email"),
        ("--oidc-groups-claim", "groups"),
        ("--oidc-groups-prefix", "oidc:"),
        ("--oidc-signing-algs", "ES256"),
        ("--oidc-ca-file", ca.to_str().unwrap()),
    ];
    cluster.options.flags = flags.iter().flat_map(|(flag, value)| [flag.to_string(), value.to_string()]).collect();
    cluster.boot();
    let api = cluster.kubectl("config view -o jsonpath={.clusters[0].cluster.server}").ok();
    let jane = provider.token("jane@example.com", "dev");
    let who = eventually("the issuer is known", || {
        with_token(&cluster, &api, &jane, &["auth", "whoami", "-o", "json"]).result()
    });
    let who: Value = serde_json::from_str(&who).unwrap();
    let (name, groups) = (&who["status"]["userInfo"]["username"], &who["status"]["userInfo"]["groups"]);
    assert_eq!((name, groups), (&json!("jane@example.com"), &json!(["oidc:dev", "system:authenticated"])));
    let refused = with_token(&cluster, &api, &jane, &["get", "pods"]).failed();
    assert!(refused.contains("User \"jane@example.com\" cannot list resource \"pods\""), "{refused}");
    cluster.kubectl("create rolebinding dev --clusterrole=view --group=oidc:dev").ok();
    eventually("the role has its rules", || with_token(&cluster, &api, &jane, &["get", "pods"]).result());

    // A node asks the API server whose token it is.
    let edge = EdgeNode::join(&cluster, "edge");
    let port = field(&cluster, "node edge", ".status.daemonEndpoints.kubeletEndpoint.Port");
    let server = format!("https://{}:{port}", edge.line("address"));
    let mut command = cluster.kubectl_command();
    command.env("KUBECONFIG", "/dev/null").args(["--server", &server, "--insecure-skip-tls-verify"]);
    let refused = run(command.args(["--token", &jane, "get", "--raw", "/pods"])).failed();
    assert!(refused.contains("Forbidden (user=jane@example.com, verb=get, resource=nodes"), "{refused}");
}
