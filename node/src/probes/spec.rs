//! A probe as the pod's YAML gives it, with names resolved and defaults filled in.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use coracle_api::pod::expand;
use k8s_openapi::{
    api::core::v1::{Container, ExecAction, HTTPGetAction, Probe as Wire, TCPSocketAction},
    apimachinery::pkg::util::intstr::IntOrString,
};

use crate::network::{port_number, resolve_port};

/// What a probe is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeKind {
    /// Has it started? The other two wait for it.
    Startup,
    /// May it get requests?
    Readiness,
    /// Must it be started again?
    Liveness,
}

impl ProbeKind {
    /// The word events begin with.
    pub fn word(self) -> &'static str {
        match self {
            ProbeKind::Startup => "Startup",
            ProbeKind::Readiness => "Readiness",
            ProbeKind::Liveness => "Liveness",
        }
    }
}

/// How a probe asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A GET; any status from 200 to 399 is a success.
    Http {
        /// The whole URL.
        url: String,
        /// `httpHeaders`.
        headers: Vec<(String, String)>,
    },
    /// A connection.
    Tcp {
        /// Host and port, not yet looked up.
        host: String,
        /// The port.
        port: u16,
    },
    /// One call of the gRPC health protocol.
    Grpc {
        /// The pod's address.
        host: String,
        /// The port.
        port: u16,
        /// The service that is asked about; empty for the server as a whole.
        service: String,
    },
    /// A command in the container that must end with code 0.
    Exec {
        /// Its words.
        command: Vec<String>,
    },
    /// It can't ask; this is why.
    Impossible(String),
}

/// One probe of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What it is asked for.
    pub kind: ProbeKind,
    /// How it asks.
    pub action: Action,
    /// How long after the container's start it asks first.
    pub initial_delay: Duration,
    /// How often it asks.
    pub period: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Successes in a row that count.
    pub success_threshold: u32,
    /// Failures in a row that count.
    pub failure_threshold: u32,
    /// The grace period of a container stopped because of this probe, if it has one of its own.
    pub grace: Option<Duration>,
}

impl Probe {
    /// Reads a probe of `container`, whose pod has `address`.
    pub fn read(kind: ProbeKind, wire: &Wire, container: &Container, address: IpAddr) -> Probe {
        let number =
            |value: Option<i32>, default: u32| value.and_then(|value| u32::try_from(value).ok()).unwrap_or(default);
        let seconds = |value, default| Duration::from_secs(number(value, default).into());
        Probe {
            kind,
            action: action(wire, container, address),
            initial_delay: seconds(wire.initial_delay_seconds, 0),
            period: seconds(wire.period_seconds, 10).max(Duration::from_secs(1)),
            timeout: seconds(wire.timeout_seconds, 1).max(Duration::from_secs(1)),
            success_threshold: number(wire.success_threshold, 1).max(1),
            failure_threshold: number(wire.failure_threshold, 3).max(1),
            grace: wire.termination_grace_period_seconds.and_then(|s| u64::try_from(s).ok()).map(Duration::from_secs),
        }
    }
}

fn action(wire: &Wire, container: &Container, address: IpAddr) -> Action {
    let no_port = |port: &dyn std::fmt::Debug| {
        Action::Impossible(format!("couldn't find port {port:?} in container {}", container.name))
    };
    if let Some(get) = &wire.http_get {
        return Action::http(get, container, address).unwrap_or_else(|| no_port(&get.port));
    }
    if let Some(socket) = &wire.tcp_socket {
        return Action::tcp(socket, container, address).unwrap_or_else(|| no_port(&socket.port));
    }
    if let Some(grpc) = &wire.grpc {
        let service = grpc.service.clone().unwrap_or_default();
        return match port_number(grpc.port) {
            Some(port) => Action::Grpc { host: address.to_string(), port, service },
            None => no_port(&grpc.port),
        };
    }
    match &wire.exec {
        Some(exec) => Action::Exec { command: command(exec, container) },
        None => Action::Impossible("missing probe handler".to_owned()),
    }
}

/// The words of a command. Only variables whose values stand in the container's YAML mean something in them, as for
/// kubelet.
pub fn command(exec: &ExecAction, container: &Container) -> Vec<String> {
    let lookup = |name: &str| {
        let mut variables = container.env.iter().flatten();
        variables.find(|variable| variable.name == name && variable.value_from.is_none())?.value.clone()
    };
    exec.command.iter().flatten().map(|word| expand(word, lookup)).collect()
}

impl Action {
    /// The GET of a probe or a hook of `container`, whose pod has `address`. None: there is no such port.
    pub fn http(get: &HTTPGetAction, container: &Container, address: IpAddr) -> Option<Action> {
        let port = port(&get.port, container)?;
        let scheme = get.scheme.as_deref().unwrap_or("HTTP").to_ascii_lowercase();
        let host = match get.host.as_deref().filter(|host| !host.is_empty()) {
            Some(host) => format!("{host}:{port}"),
            None => SocketAddr::new(address, port).to_string(),
        };
        let path = get.path.as_deref().unwrap_or_default();
        let slash = if path.starts_with('/') { "" } else { "/" };
        let headers = get.http_headers.iter().flatten().map(|header| (header.name.clone(), header.value.clone()));
        Some(Action::Http { url: format!("{scheme}://{host}{slash}{path}"), headers: headers.collect() })
    }

    /// The connection of a probe or a hook. None: there is no such port.
    pub fn tcp(socket: &TCPSocketAction, container: &Container, address: IpAddr) -> Option<Action> {
        let port = port(&socket.port, container)?;
        let host = socket.host.clone().filter(|host| !host.is_empty()).unwrap_or_else(|| address.to_string());
        Some(Action::Tcp { host, port })
    }
}

/// A port by number, or by the name that it has in the container.
fn port(port: &IntOrString, container: &Container) -> Option<u16> {
    resolve_port(port, |name| {
        let mut ports = container.ports.iter().flatten();
        ports.find(|port| port.name.as_deref() == Some(name)).and_then(|port| port_number(port.container_port))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(probe: Value) -> Probe {
        let container = json!({"name": "c", "ports": [{"name": "web", "containerPort": 8080}]});
        let container = serde_json::from_value(container).unwrap();
        Probe::read(
            ProbeKind::Readiness,
            &serde_json::from_value(probe).unwrap(),
            &container,
            "127.64.0.2".parse().unwrap(),
        )
    }

    #[test]
    fn urls_and_ports_are_completed() {
        let url = |probe| match read(probe).action {
            Action::Http { url, .. } => url,
            other => panic!("{other:?}"),
        };
        assert_eq!(url(json!({"httpGet": {"port": "web", "path": "ok?x=1"}})), "http://127.64.0.2:8080/ok?x=1");
        assert_eq!(url(json!({"httpGet": {"port": 1, "scheme": "HTTPS", "host": "h"}})), "https://h:1/");
        let tcp = read(json!({"tcpSocket": {"port": "web"}})).action;
        assert_eq!(tcp, Action::Tcp { host: "127.64.0.2".into(), port: 8080 });
        assert!(
            matches!(read(json!({"tcpSocket": {"port": "none"}})).action, Action::Impossible(why) if why.contains("none"))
        );
        assert_eq!(read(json!({"exec": {"command": ["x"]}})).action, Action::Exec { command: vec!["x".into()] });
        let grpc = Action::Grpc { host: "127.64.0.2".into(), port: 9000, service: "db".into() };
        assert_eq!(read(json!({"grpc": {"port": 9000, "service": "db"}})).action, grpc);
    }

    #[test]
    fn defaults_are_kubernetes() {
        let probe = read(json!({"tcpSocket": {"port": 1}}));
        assert_eq!((probe.period.as_secs(), probe.timeout.as_secs(), probe.initial_delay.as_secs()), (10, 1, 0));
        assert_eq!((probe.success_threshold, probe.failure_threshold, probe.grace), (1, 3, None));
    }
}
