//! Kubernetes' URL library: absolute URIs and absolute paths, taken apart as Go's `url.ParseRequestURI` does (RFC 3986).

use super::super::cost::CostRule;
use super::super::error::EvalError;
use super::super::function::{Overload, mismatch};
use super::super::types::{Opaque, Sig};
use super::super::value::Value;

type Result<'a> = std::result::Result<Value<'a>, EvalError>;

const TEXT: Sig = Sig::String;
const URL: Sig = Sig::Opaque(Opaque::Url);

pub(super) const FUNCTIONS: &[Overload] = &[
    Overload::global("url", &[TEXT], URL, |args| match args[0].as_str() {
        Some(text) => match Url::parse(text) {
            Some(url) => Ok(Value::Url(url.into())),
            None => Err(EvalError::other(format!(
                "URL parse error during conversion from string: parse {text:?}: invalid URI for request"
            ))),
        },
        None => mismatch(),
    })
    .costs(CostRule::Scan(0)),
    Overload::global("isURL", &[TEXT], Sig::Bool, |args| match args[0].as_str() {
        Some(text) => Ok(Value::Bool(Url::parse(text).is_some())),
        None => mismatch(),
    })
    .costs(CostRule::Scan(0)),
    Overload::method("getScheme", &[URL], TEXT, |args| part(args, |url| Value::text(&url.scheme))),
    Overload::method("getHost", &[URL], TEXT, |args| part(args, |url| Value::text(&url.host))),
    Overload::method("getHostname", &[URL], TEXT, |args| part(args, |url| Value::text(url.hostname()))),
    Overload::method("getPort", &[URL], TEXT, |args| part(args, |url| Value::text(url.port()))),
    Overload::method("getEscapedPath", &[URL], TEXT, |args| part(args, |url| Value::text(&url.path))),
    Overload::method("getQuery", &[URL], Sig::Map(&TEXT, &Sig::List(&TEXT)), |args| part(args, query)),
];

/// A URL that has been taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    text: String,
    scheme: String,
    host: String,
    path: String,
    query: String,
}

impl Url {
    /// Takes a text apart; `None` when it is neither an absolute URI nor an absolute path.
    pub fn parse(text: &str) -> Option<Self> {
        if text.chars().any(|c| c.is_ascii_control() || c == ' ') {
            return None;
        }
        let (scheme, rest) = match text.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (scheme.to_ascii_lowercase(), rest),
            _ if text.starts_with('/') => (String::new(), text),
            _ => return None,
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, path) = match rest.strip_prefix("//") {
            Some(rest) if !scheme.is_empty() => rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash)),
            _ => ("", rest),
        };
        let host = host.rsplit('@').next().unwrap_or(host);
        let url = Self { text: text.into(), scheme, host: host.into(), path: path.into(), query: query.into() };
        let port = url.port();
        let fine = is_escaped(path) && is_host(url.hostname()) && port.bytes().all(|b| b.is_ascii_digit());
        fine.then_some(url)
    }

    /// The text it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The scheme in lower case, empty for a path.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Host and port.
    pub fn host(&self) -> &str {
        &self.host
    }

    fn hostname(&self) -> &str {
        match self.host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or(rest),
            None => self.host.rsplit_once(':').map_or(self.host.as_str(), |(name, _)| name),
        }
    }

    fn port(&self) -> &str {
        let after = self.host.rsplit(']').next().unwrap_or(&self.host);
        after.rsplit_once(':').map_or("", |(_, port)| port)
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

fn is_host(text: &str) -> bool {
    text.chars().all(|c| !matches!(c, '<' | '>' | '"' | '\\' | '^' | '`' | '{' | '}' | '|'))
}

/// Whether each `%` is followed by two hexadecimal digits.
fn is_escaped(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| rest.len() >= 2 && rest.bytes().take(2).all(|b| b.is_ascii_hexdigit()))
}

fn part<'a>(args: &[Value<'a>], read: fn(&Url) -> Value<'a>) -> Result<'a> {
    match &args[0] {
        Value::Url(url) => Ok(read(url)),
        _ => mismatch(),
    }
}

fn query<'a>(url: &Url) -> Value<'a> {
    let mut entries: Vec<(String, Vec<Value<'a>>)> = Vec::new();
    for pair in url.query.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';')) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (Some(key), Some(value)) = (unescape(key), unescape(value)) else { continue };
        match entries.iter_mut().find(|(own, _)| *own == key) {
            Some((_, values)) => values.push(Value::text(value)),
            None => entries.push((key, vec![Value::text(value)])),
        }
    }
    let entries = entries.into_iter().map(|(key, values)| (Value::text(key), Value::list(values)));
    Value::Map(super::super::value::Map::Made(std::sync::Arc::new(entries.collect())))
}

fn unescape(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                out.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
            }
            _ => out.push(byte),
        }
    }
    String::from_utf8(out).ok()
}
