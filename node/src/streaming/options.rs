//! The query of a request on a node: what the client wants to be connected with.

/// The pairs of a query, in order.
pub type Query = Vec<(String, String)>;

/// Ports that one connection over WebSocket forwards at most: each has two channels, which have one byte.
const PORTS_LIMIT: usize = 127;

/// Which streams of a program a client wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Streams {
    /// Its stdin.
    pub stdin: bool,
    /// Its stdout.
    pub stdout: bool,
    /// Its stderr, unless that is part of stdout.
    pub stderr: bool,
    /// As a terminal.
    pub tty: bool,
}

/// Why a query can't be served.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// no stream
    #[error("you must specify at least 1 of stdin, stdout, stderr")]
    NoStream,
    /// no command
    #[error("you must specify at least 1 command for the container")]
    NoCommand,
    /// no port
    #[error("query parameter \"ports\" is required")]
    NoPort,
    /// a port that is none
    #[error("unable to parse {0:?} as a port")]
    Port(String),
    /// too many ports
    #[error("at most {PORTS_LIMIT} ports can be forwarded in one connection")]
    TooManyPorts,
}

/// The streams that the query names, by the kubelet's names or the API's.
pub fn streams(query: &Query) -> Result<Streams, OptionsError> {
    let flag = |names: [&str; 2]| {
        query.iter().any(|(name, value)| names.contains(&name.as_str()) && matches!(value.as_str(), "1" | "true"))
    };
    let (stdin, stdout, stderr) = (flag(["input", "stdin"]), flag(["output", "stdout"]), flag(["error", "stderr"]));
    if !stdin && !stdout && !stderr {
        return Err(OptionsError::NoStream);
    }
    let tty = flag(["tty", "tty"]);
    Ok(Streams { stdin, stdout, stderr: stderr && !tty, tty })
}

/// The command, word by word.
pub fn command(query: &Query) -> Result<Vec<String>, OptionsError> {
    let words: Vec<String> = query.iter().filter(|(name, _)| name == "command").map(|(_, word)| word.clone()).collect();
    if words.is_empty() { Err(OptionsError::NoCommand) } else { Ok(words) }
}

/// The ports, which stand in one parameter or in several.
pub fn ports(query: &Query) -> Result<Vec<u16>, OptionsError> {
    let values = query.iter().filter(|(name, _)| name == "ports" || name == "port");
    let texts = values.flat_map(|(_, value)| value.split(',')).filter(|text| !text.is_empty());
    let ports: Vec<u16> = texts.take(PORTS_LIMIT + 1).map(port).collect::<Result<_, _>>()?;
    match ports.len() {
        0 => Err(OptionsError::NoPort),
        1..=PORTS_LIMIT => Ok(ports),
        _ => Err(OptionsError::TooManyPorts),
    }
}

/// A port in digits.
pub fn port(text: &str) -> Result<u16, OptionsError> {
    let port = text.parse::<u16>().ok().filter(|port| *port > 0);
    port.ok_or_else(|| OptionsError::Port(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(pairs: &[(&str, &str)]) -> Query {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_client_wants_one_stream_at_least() {
        assert_eq!(streams(&query(&[("tty", "1")])), Err(OptionsError::NoStream));
        let all = streams(&query(&[("input", "1"), ("stdout", "true"), ("error", "1")])).unwrap();
        assert_eq!(all, Streams { stdin: true, stdout: true, stderr: true, tty: false });
        let terminal = streams(&query(&[("output", "1"), ("error", "1"), ("tty", "1")])).unwrap();
        assert!(terminal.tty && !terminal.stderr);
    }

    #[test]
    fn words_keep_their_order() {
        assert_eq!(command(&query(&[("command", "a"), ("x", "y"), ("command", "b c")])).unwrap(), ["a", "b c"]);
        assert_eq!(command(&query(&[])), Err(OptionsError::NoCommand));
    }

    #[test]
    fn ports_are_ports() {
        assert_eq!(ports(&query(&[("ports", "80,81"), ("ports", "82")])), Ok(vec![80, 81, 82]));
        assert_eq!(ports(&query(&[])), Err(OptionsError::NoPort));
        assert_eq!(ports(&query(&[("ports", "0")])), Err(OptionsError::Port("0".into())));
        let many: Query = (1..=128).map(|port| ("ports".to_owned(), port.to_string())).collect();
        assert_eq!(ports(&many), Err(OptionsError::TooManyPorts));
    }
}
