//! Asking once: a GET or a connection, with the words kubelet uses for what went wrong.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use coracle_wasi_host::Container;
use reqwest::{Client, header, redirect};
use tokio::{sync::Semaphore, time::Instant};

use super::{
    dial::dial,
    grpc,
    plain::{self, Answer},
    spec::{Action, Probe},
    words::{describe, not_dialled, told},
};
use crate::command::{CommandFailure, run_command};

/// Redirects followed, on the same host only (kubelet's `maxRespBodyLength` companion: Go's client stops after 10).
const REDIRECTS_LIMIT: usize = 10;
/// Probes under way at once on the node; the rest wait their turn, so that ten thousand probes with one period don't
/// open ten thousand connections in one moment.
const CONCURRENT_LIMIT: usize = 512;
/// Probes are repeated at multiples of this time, those of all pods together: asking and answering one after the other
/// costs a fraction of what as many wake-ups of sleeping threads do.
const BEAT: Duration = Duration::from_millis(20);
/// What an answer is given at least before it is looked for at a beat.
const ANSWER_TIME: Duration = Duration::from_millis(5);
/// How kubelet introduces itself.
pub(super) const USER_AGENT: &str = "kube-probe/1.36";

/// Why a probe did not succeed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// The answer is no, or there is none.
    #[error("{0}")]
    Failed(String),
    /// The question could not be asked; nothing follows from it (kubelet: `Unknown`).
    #[error("{0}")]
    Unknown(String),
}

/// When an answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// As soon as it is there.
    AtOnce,
    /// On the next beat: what is asked counts as well already, and looking at all answers together saves a wake-up for
    /// each of them.
    NextBeat,
}

/// Asks containers. One for the whole node.
pub struct Prober {
    client: Client,
    turns: Semaphore,
    /// When the beat began.
    since: Instant,
}

impl Prober {
    /// Makes the prober. Certificates aren't verified: what is asked is whether it answers, not who (API reference).
    pub fn new() -> Result<Arc<Prober>, reqwest::Error> {
        // Another part of the process may have installed it; then that one serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let same_host = redirect::Policy::custom(|attempt| {
            let first = attempt.previous().first().and_then(|url| url.host_str());
            if attempt.previous().len() > REDIRECTS_LIMIT || first != attempt.url().host_str() {
                attempt.stop()
            } else {
                attempt.follow()
            }
        });
        let client = Client::builder()
            .danger_accept_invalid_certs(true)
            .no_proxy()
            .pool_max_idle_per_host(0)
            .redirect(same_host)
            .user_agent(USER_AGENT)
            .build()?;
        Ok(Arc::new(Prober { client, turns: Semaphore::new(CONCURRENT_LIMIT), since: Instant::now() }))
    }

    /// The first moment from `time` on at which probes are repeated.
    pub fn turn_after(&self, time: Instant) -> Instant {
        let past = time.saturating_duration_since(self.since).as_nanos() % BEAT.as_nanos();
        let past = Duration::from_nanos(u64::try_from(past).unwrap_or_default());
        if past.is_zero() { time } else { time + (BEAT - past) }
    }

    /// Asks once, when it is the probe's turn.
    pub async fn ask(&self, probe: &Probe, container: Option<&Container>, urgency: Urgency) -> Result<(), ProbeError> {
        let _turn = self.turns.acquire().await;
        self.act(&probe.action, container, probe.timeout, urgency).await
    }

    /// Does what a probe or a hook asks for.
    pub async fn act(
        &self,
        action: &Action,
        container: Option<&Container>,
        limit: Duration,
        urgency: Urgency,
    ) -> Result<(), ProbeError> {
        let answer = match action {
            Action::Http { url, headers } => self.get(url, headers, limit, urgency).await,
            Action::Tcp { host, port } => connect(host, *port, limit).await,
            Action::Grpc { host, port, service } => grpc::check(host, *port, service, limit).await,
            Action::Exec { command } => return exec(container, command, limit).await,
            Action::Impossible(why) => return Err(ProbeError::Unknown(why.clone())),
        };
        answer.map_err(ProbeError::Failed)
    }

    /// A GET; any status from 200 to 399 is a success.
    async fn get(
        &self,
        url: &str,
        headers: &[(String, String)],
        timeout: Duration,
        urgency: Urgency,
    ) -> Result<(), String> {
        let begun = Instant::now();
        let mut place = url.to_owned();
        for _ in 0..=REDIRECTS_LIMIT {
            let Some(address) = plain::address(&place) else {
                return self.get_by_client(&place, headers, timeout.saturating_sub(begun.elapsed())).await;
            };
            let fields = fields(address.authority, headers);
            let look = (urgency == Urgency::NextBeat).then(|| self.turn_after(Instant::now() + ANSWER_TIME));
            let answer = plain::get(&address, &fields, timeout.saturating_sub(begun.elapsed()), look).await;
            let answer = answer.map_err(|failure| told(&place, &address, &failure))?;
            match redirected(&place, &answer) {
                Some(next) => place = next,
                None => return judge(answer.status),
            }
        }
        Err(format!("Get {place:?}: stopped after {REDIRECTS_LIMIT} redirects"))
    }

    /// The same by a whole client, for TLS and what else is not plain.
    async fn get_by_client(&self, url: &str, headers: &[(String, String)], timeout: Duration) -> Result<(), String> {
        let mut request = self.client.get(url).timeout(timeout);
        if !has_field(headers, "accept") {
            request = request.header(header::ACCEPT, "*/*");
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let status = request.send().await.map_err(|error| describe(url, &error))?.status();
        judge(status.as_u16())
    }
}

fn judge(status: u16) -> Result<(), String> {
    if (200..400).contains(&status) { Ok(()) } else { Err(format!("HTTP probe failed with statuscode: {status}")) }
}

fn has_field(headers: &[(String, String)], name: &str) -> bool {
    headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
}

/// The header section of a request, without its end: the probe's own fields, and what kubelet adds to them.
fn fields(authority: &str, headers: &[(String, String)]) -> String {
    let mut text = String::with_capacity(128);
    let mut add = |name: &str, value: &str| {
        // The API server has validated them; a line break would smuggle in another request all the same.
        let clean = |text: &str| text.bytes().all(|byte| byte == b'\t' || (0x20..0x7f).contains(&byte) || byte >= 0x80);
        if clean(name) && clean(value) {
            let _ = write!(text, "{name}: {value}\r\n");
        }
    };
    for (name, value) in [("Host", authority), ("User-Agent", USER_AGENT), ("Accept", "*/*")] {
        if !has_field(headers, name) {
            add(name, value);
        }
    }
    headers.iter().for_each(|(name, value)| add(name, value));
    text
}

/// Where an answer sends the probe, if that is on the same host; elsewhere it does not follow.
fn redirected(from: &str, answer: &Answer) -> Option<String> {
    let location = answer.location.as_deref().filter(|_| matches!(answer.status, 301 | 302 | 303 | 307 | 308))?;
    let base = url::Url::parse(from).ok()?;
    let target = base.join(location).ok()?;
    (target.host_str() == base.host_str() && matches!(target.scheme(), "http" | "https")).then(|| target.into())
}

/// A command that must end with code 0, and in time.
async fn exec(container: Option<&Container>, command: &[String], limit: Duration) -> Result<(), ProbeError> {
    let Some(container) = container else { return Err(ProbeError::Unknown("the container is not running".to_owned())) };
    match run_command(container, command, limit).await {
        Ok(finished) if finished.code == 0 => Ok(()),
        Ok(finished) => Err(ProbeError::Failed(finished.output)),
        Err(late @ CommandFailure::Timeout { .. }) => Err(ProbeError::Failed(late.to_string())),
        Err(CommandFailure::Exec(why)) => Err(ProbeError::Unknown(why.to_string())),
    }
}

/// A connection that is made and closed.
async fn connect(host: &str, port: u16, timeout: Duration) -> Result<(), String> {
    match tokio::time::timeout(timeout, dial(host, port)).await {
        Ok(connected) => connected.map(drop).map_err(|error| not_dialled(&format!("{host}:{port}"), &error)),
        Err(_) => Err(format!("dial tcp {host}:{port}: i/o timeout")),
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, http::StatusCode, response::Redirect, routing::get};

    use super::*;

    async fn serve() -> String {
        let router = Router::new()
            .route("/ok", get(|| async { "ok" }))
            .route("/bad", get(|| async { (StatusCode::INTERNAL_SERVER_ERROR, "bad") }))
            .route("/slow", get(std::future::pending::<()>))
            .route("/moved", get(|| async { Redirect::temporary("/bad") }))
            .route("/away", get(|| async { Redirect::temporary("http://192.0.2.1/") }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    #[tokio::test]
    async fn answers_count_as_kubelet_counts_them() {
        let (prober, base) = (Prober::new().unwrap(), serve().await);
        let ask = async |path: &str, urgency| {
            prober.get(&format!("{base}{path}"), &[], Duration::from_millis(500), urgency).await
        };
        for urgency in [Urgency::AtOnce, Urgency::NextBeat] {
            assert_eq!(ask("/ok", urgency).await, Ok(()));
            assert_eq!(ask("/bad", urgency).await.unwrap_err(), "HTTP probe failed with statuscode: 500");
            assert_eq!(ask("/moved", urgency).await.unwrap_err(), "HTTP probe failed with statuscode: 500");
            assert_eq!(ask("/away", urgency).await, Ok(()), "a redirect elsewhere is not followed, and no failure");
            assert!(ask("/slow", urgency).await.unwrap_err().contains("context deadline exceeded"));
        }
    }

    #[test]
    fn turns_are_on_the_beat() {
        let prober = Prober::new().unwrap();
        let after = |millis| prober.turn_after(prober.since + Duration::from_millis(millis)) - prober.since;
        assert_eq!([after(0), after(1), after(20), after(1001)].map(|it| it.as_millis()), [0, 20, 20, 1020]);
    }

    #[tokio::test]
    async fn nobody_there_is_a_refused_connection() {
        let prober = Prober::new().unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let refused = format!("dial tcp {free}: connect: connection refused");
        let url = format!("http://{free}/");
        let failure = prober.get(&url, &[], Duration::from_secs(1), Urgency::AtOnce).await.unwrap_err();
        assert_eq!(failure, format!("Get {url:?}: {refused}"));
        assert_eq!(connect("127.0.0.1", free.port(), Duration::from_secs(1)).await, Err(refused));
    }
}
