//! What a reader of a log asks for: the query of `GET …/log`.

use std::collections::HashMap;

use coracle_wasi_host::Stream;
use jiff::{SignedDuration, Timestamp};

/// Which part of a log is wanted, and how (`PodLogOptions`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Go on as the container writes, until it ends.
    pub follow: bool,
    /// The run before this one.
    pub previous: bool,
    /// Put the time before each line.
    pub timestamps: bool,
    /// Only so many lines from the end.
    pub tail_lines: Option<u64>,
    /// Only lines from this time on.
    pub since: Option<Timestamp>,
    /// Only so many bytes.
    pub limit_bytes: Option<u64>,
    /// Only what came on this stream.
    pub stream: Option<Stream>,
}

/// A parameter that can't be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// the value has the wrong form
    #[error("{name}: Invalid value: {value:?}: {message}")]
    Invalid {
        /// The parameter.
        name: &'static str,
        /// What was given.
        value: String,
        /// What it must be.
        message: &'static str,
    },
    /// two parameters exclude each other
    #[error("[]: Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified")]
    TwoTimes,
    /// lines are counted without looking which stream they are of
    #[error("[]: Forbidden: `tailLines` and specific `stream` are mutually exclusive for now")]
    TailOfStream,
}

impl LogQuery {
    /// Reads the parameters; those that aren't known are left alone.
    pub fn read(parameters: &HashMap<String, String>, now: Timestamp) -> Result<LogQuery, QueryError> {
        let seconds = number(parameters, "sinceSeconds", 1)?;
        let time = match text(parameters, "sinceTime") {
            None => None,
            Some(value) => Some(value.parse().map_err(|_| invalid("sinceTime", value, "must be an RFC 3339 time"))?),
        };
        if seconds.is_some() && time.is_some() {
            return Err(QueryError::TwoTimes);
        }
        let ago = |seconds: u64| {
            let span = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
            now.checked_sub(span).unwrap_or(Timestamp::MIN)
        };
        let stream = match text(parameters, "stream") {
            None | Some("All") => None,
            Some("Stdout") => Some(Stream::Stdout),
            Some("Stderr") => Some(Stream::Stderr),
            Some(value) => return Err(invalid("stream", value, "must be All, Stdout or Stderr")),
        };
        let tail_lines = number(parameters, "tailLines", 0)?;
        if stream.is_some() && tail_lines.is_some() {
            return Err(QueryError::TailOfStream);
        }
        Ok(LogQuery {
            stream,
            follow: boolean(parameters, "follow")?,
            previous: boolean(parameters, "previous")?,
            timestamps: boolean(parameters, "timestamps")?,
            tail_lines,
            since: time.or(seconds.map(ago)),
            limit_bytes: number(parameters, "limitBytes", 1)?,
        })
    }
}

fn text<'a>(parameters: &'a HashMap<String, String>, name: &str) -> Option<&'a str> {
    parameters.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

fn invalid(name: &'static str, value: &str, message: &'static str) -> QueryError {
    QueryError::Invalid { name, value: value.to_owned(), message }
}

fn boolean(parameters: &HashMap<String, String>, name: &'static str) -> Result<bool, QueryError> {
    // The forms apimachinery's query conversion takes: present without a value means true.
    match parameters.get(name).map(String::as_str) {
        None => Ok(false),
        Some("" | "1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
        Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
        Some(value) => Err(invalid(name, value, "must be true or false")),
    }
}

fn number(parameters: &HashMap<String, String>, name: &'static str, least: u64) -> Result<Option<u64>, QueryError> {
    let Some(value) = text(parameters, name) else { return Ok(None) };
    let message = if least == 0 { "must be greater than or equal to 0" } else { "must be greater than 0" };
    let number = value.parse::<u64>().ok().filter(|number| *number >= least);
    number.map(Some).ok_or_else(|| invalid(name, value, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<LogQuery, QueryError> {
        let parameters = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        LogQuery::read(&parameters, "2026-01-01T00:01:00Z".parse().unwrap())
    }

    #[test]
    fn every_parameter_of_kubectl_logs_is_understood() {
        let query =
            read(&[("follow", "true"), ("tailLines", "5"), ("sinceSeconds", "60"), ("timestamps", "true")]).unwrap();
        let expected = LogQuery {
            follow: true,
            timestamps: true,
            tail_lines: Some(5),
            since: Some("2026-01-01T00:00:00Z".parse().unwrap()),
            ..LogQuery::default()
        };
        assert_eq!(query, expected);
        let query =
            read(&[("previous", "1"), ("sinceTime", "2025-12-31T00:00:00Z"), ("limitBytes", "10"), ("pretty", "x")]);
        assert_eq!(query.unwrap().limit_bytes, Some(10));
        assert_eq!(read(&[("tailLines", "0")]).unwrap().tail_lines, Some(0));
        assert_eq!(read(&[("stream", "Stderr")]).unwrap().stream, Some(Stream::Stderr));
        assert_eq!(read(&[("stream", "All"), ("tailLines", "1")]).unwrap().stream, None);
    }

    #[test]
    fn wrong_values_are_refused_by_name() {
        for (name, value) in
            [("tailLines", "-1"), ("sinceSeconds", "0"), ("limitBytes", "0"), ("sinceTime", "now"), ("follow", "maybe")]
        {
            let error = read(&[(name, value)]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{name}: Invalid value")), "{error}");
        }
        assert_eq!(read(&[("sinceTime", "2025-12-31T00:00:00Z"), ("sinceSeconds", "1")]), Err(QueryError::TwoTimes));
        assert!(read(&[("sinceSeconds", "18446744073709551615")]).is_ok());
        assert_eq!(read(&[("stream", "Stdout"), ("tailLines", "1")]), Err(QueryError::TailOfStream));
        assert!(read(&[("stream", "stdout")]).is_err());
    }
}
