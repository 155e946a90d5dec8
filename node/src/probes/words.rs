//! The failures of a probe, as Go's client tells them: they are what users find in events.

use std::{error::Error, io};

use super::plain::{Address, Failure};

/// The failure as Go's client tells it.
pub(super) fn told(url: &str, address: &Address<'_>, failure: &Failure) -> String {
    match failure {
        Failure::Timeout => timed_out(url),
        Failure::Dial(error) => {
            let dialled = format!("{}:{}", address.host, address.port);
            format!("Get {url:?}: {}", not_dialled(&dialled, error))
        }
        Failure::Talk(why) => format!("Get {url:?}: {why}"),
    }
}

/// Why there is no connection.
pub(super) fn not_dialled(address: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => format!("dial tcp {address}: connect: connection refused"),
        _ => format!("dial tcp {address}: {error}"),
    }
}

/// There was no answer in time.
pub(super) fn timed_out(url: &str) -> String {
    format!("Get {url:?}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)")
}

/// What went wrong with a whole client's request.
pub(super) fn describe(url: &str, error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return timed_out(url);
    }
    let (mut deepest, mut cause): (String, Option<&(dyn Error + 'static)>) = (error.to_string(), error.source());
    while let Some(error) = cause {
        deepest = match error.downcast_ref::<io::Error>() {
            Some(io) if io.kind() == io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
            _ => error.to_string(),
        };
        cause = error.source().filter(|_| deepest != "connect: connection refused");
    }
    let host = url.split('/').nth(2).unwrap_or_default();
    let dial = if error.is_connect() { format!("dial tcp {host}: ") } else { String::new() };
    format!("Get {url:?}: {dial}{deepest}")
}
