//! One `hosts.toml`.

use std::path::Path;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use toml_edit::{DocumentMut, Item, TableLike, Value};
use url::Url;

use super::{HostTls, HostsError, read_named};
use crate::registries::{Capabilities, Endpoint, is_loopback};

/// Hosts of one registry.
const HOSTS_LIMIT: usize = 32;
/// Headers of one host.
const HEADERS_LIMIT: usize = 32;

/// What one table says, with where it stands.
struct Section<'a> {
    table: &'a dyn TableLike,
    path: &'a Path,
}

/// The hosts of a registry, mirrors in the order of the file, the registry's own server last.
pub(super) fn parse(text: &str, path: &Path, registry: &str) -> Result<Vec<Endpoint>, HostsError> {
    let failed = |why: String| HostsError::new(path, why);
    let document: DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| failed(format!("failed to parse TOML: {error}")))?;
    let mut endpoints = Vec::new();
    if let Some(hosts) = document.get("host") {
        let hosts = hosts.as_table_like().ok_or_else(|| failed("invalid `host` tree".to_owned()))?;
        for (name, host) in hosts.iter().take(HOSTS_LIMIT) {
            let table = host.as_table_like().ok_or_else(|| failed(format!("invalid `host.{name:?}`")))?;
            let mut endpoint = Section { table, path }.endpoint(name)?;
            endpoint.mirror_of = (endpoint.host != Endpoint::usual(registry).host).then(|| registry.to_owned());
            endpoints.push(endpoint);
        }
    }
    let root = Section { table: document.as_table(), path };
    let server = match root.text("server")?.filter(|server| !server.is_empty()) {
        Some(server) => root.endpoint(server)?,
        None => {
            let usual = root.settings(Endpoint::usual(registry))?;
            // Who has certificates uses them, on the loopback too.
            Endpoint { plain_http: usual.plain_http && usual.tls.is_none(), ..usual }
        }
    };
    endpoints.push(server);
    Ok(endpoints)
}

impl Section<'_> {
    fn failed(&self, why: impl ToString) -> HostsError {
        HostsError::new(self.path, why)
    }

    fn text(&self, key: &str) -> Result<Option<&str>, HostsError> {
        let Some(item) = self.table.get(key) else { return Ok(None) };
        item.as_str().map(Some).ok_or_else(|| self.failed(format!("invalid type for {key:?}: it must be a string")))
    }

    fn flag(&self, key: &str) -> Result<Option<bool>, HostsError> {
        let Some(item) = self.table.get(key) else { return Ok(None) };
        item.as_bool().map(Some).ok_or_else(|| self.failed(format!("invalid type for {key:?}: it must be a boolean")))
    }

    /// The host of this name, with what the table says about it.
    fn endpoint(&self, server: &str) -> Result<Endpoint, HostsError> {
        let plain = || if is_loopback(server) { "http" } else { "https" };
        let address = if server.contains("://") { server.to_owned() } else { format!("{}://{server}", plain()) };
        let url =
            Url::parse(&address).map_err(|error| self.failed(format!("unable to parse server {server:?}: {error}")))?;
        let plain_http = match url.scheme() {
            "http" => true,
            "https" => false,
            other => {
                return Err(
                    self.failed(format!("unable to parse server {server:?}: scheme {other:?} is not http or https"))
                );
            }
        };
        let host = url.host_str().unwrap_or_default();
        if host.is_empty() {
            return Err(self.failed(format!("unable to parse server {server:?}: it has no host")));
        }
        let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let mut endpoint = self.settings(Endpoint::new(&host, plain_http))?;
        let path = url.path().trim_end_matches('/');
        endpoint.path = match self.flag("override_path")? {
            Some(true) => path.to_owned(),
            // "/v2" is written by some, and not written twice.
            _ if path.ends_with("/v2") => path.to_owned(),
            _ => format!("{path}/v2"),
        };
        Ok(endpoint)
    }

    /// The host with what the table says about how to talk with it.
    fn settings(&self, mut endpoint: Endpoint) -> Result<Endpoint, HostsError> {
        if let Some(can) = self.capabilities()? {
            endpoint.can = can;
        }
        endpoint.headers = self.headers()?;
        let tls = HostTls {
            roots: self.roots()?,
            identity: self.identity()?,
            skip_verify: self.flag("skip_verify")?.unwrap_or(false),
        };
        if tls != HostTls::default() {
            endpoint.tls = Some(tls.into());
        }
        Ok(endpoint)
    }

    fn capabilities(&self) -> Result<Option<Capabilities>, HostsError> {
        let Some(item) = self.table.get("capabilities") else { return Ok(None) };
        let list =
            item.as_array().ok_or_else(|| self.failed("invalid type for \"capabilities\": it must be a list"))?;
        let mut can = Capabilities::NONE;
        for value in list.iter() {
            match value.as_str().unwrap_or_default() {
                "pull" => can.pull = true,
                "resolve" => can.resolve = true,
                "push" => can.push = true,
                other => return Err(self.failed(format!("unknown capability {other}"))),
            }
        }
        Ok(Some(can))
    }

    fn roots(&self) -> Result<Vec<Vec<u8>>, HostsError> {
        let Some(item) = self.table.get("ca") else { return Ok(Vec::new()) };
        let names =
            strings(item).ok_or_else(|| self.failed(format!("invalid type {} for \"ca\"", item.type_name())))?;
        names.iter().map(|name| self.read(name)).collect()
    }

    /// One file with both, or certificate and key; of several the first, which is all that TLS asks for.
    fn identity(&self) -> Result<Option<Vec<u8>>, HostsError> {
        let Some(item) = self.table.get("client") else { return Ok(None) };
        let failed = || self.failed(format!("invalid type {} for \"client\"", item.type_name()));
        if let Some(name) = item.as_str() {
            return self.read(name).map(Some);
        }
        let Some(first) = item.as_array().ok_or_else(failed)?.get(0) else { return Ok(None) };
        match first {
            Value::String(name) => self.read(name.value()).map(Some),
            Value::Array(pair) => {
                let names: Vec<&str> = pair.iter().filter_map(Value::as_str).collect();
                let [certificate, key] = names[..] else {
                    return Err(self.failed("a pair of \"client\" is a certificate and a key"));
                };
                Ok(Some([self.read(certificate)?, b"\n".to_vec(), self.read(key)?].concat()))
            }
            _ => Err(failed()),
        }
    }

    fn headers(&self) -> Result<HeaderMap, HostsError> {
        let mut headers = HeaderMap::new();
        let Some(item) = self.table.get("header") else { return Ok(headers) };
        let table = item.as_table_like().ok_or_else(|| self.failed("invalid `header` tree"))?;
        for (name, item) in table.iter().take(HEADERS_LIMIT) {
            let values = strings(item)
                .ok_or_else(|| self.failed(format!("invalid type {} for header {name:?}", item.type_name())))?;
            let header: HeaderName = name.parse().map_err(|_| self.failed(format!("{name:?} is no header")))?;
            for value in values {
                let mut value = HeaderValue::from_str(&value)
                    .map_err(|_| self.failed(format!("the value of header {name:?} can't be sent")))?;
                // It may be somebody's token.
                value.set_sensitive(true);
                headers.append(header.clone(), value);
            }
        }
        Ok(headers)
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, HostsError> {
        read_named(self.path.parent().unwrap_or(Path::new("/")), name)
    }
}

/// A string, or a list of strings.
fn strings(item: &Item) -> Option<Vec<String>> {
    if let Some(one) = item.as_str() {
        return Some(vec![one.to_owned()]);
    }
    item.as_array()?.iter().map(|value| value.as_str().map(str::to_owned)).collect()
}
