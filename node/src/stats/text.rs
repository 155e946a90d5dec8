//! The two forms of metrics in text: Prometheus 0.0.4, and OpenMetrics for who asks for it.

use std::collections::HashSet;

use axum::http::{HeaderMap, header::ACCEPT};

/// A form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `text/plain; version=0.0.4`
    Prometheus,
    /// `application/openmetrics-text; version=1.0.0`
    OpenMetrics,
}

impl Form {
    /// The form that a client asks for.
    pub fn of(headers: &HeaderMap) -> Form {
        let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let asked = accept.split(',').any(|clause| clause.trim().starts_with("application/openmetrics-text"));
        if asked { Form::OpenMetrics } else { Form::Prometheus }
    }

    /// Its `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Form::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Form::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// A text in OpenMetrics, as the library writes it, in this form.
    pub fn of_open_metrics(self, text: String) -> String {
        match self {
            Form::OpenMetrics => text,
            Form::Prometheus => to_prometheus(&text),
        }
    }
}

/// Names counters as their samples are named, and leaves out what 0.0.4 doesn't know.
fn to_prometheus(text: &str) -> String {
    let counter = |line: &str| Some(line.strip_prefix("# TYPE ")?.strip_suffix(" counter")?.to_owned());
    let counters: HashSet<String> = text.lines().filter_map(counter).collect();
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next()) {
            (Some("#"), Some("EOF" | "UNIT"), _) => continue,
            (Some("#"), Some(what @ ("HELP" | "TYPE")), Some(name)) => {
                let ending = if counters.contains(name) { "_total" } else { "" };
                let rest = match words.next().unwrap_or_default() {
                    "unknown" => "untyped",
                    rest => rest,
                };
                out.push_str(&format!("# {what} {name}{ending} {rest}"));
            }
            _ => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_called_as_their_samples_are() {
        let open = "# HELP a_b Things.\n# TYPE a_b counter\na_b_total{x=\"y\"} 1\n# HELP g G.\n# TYPE g gauge\n# UNIT g seconds\ng 2\n# EOF\n";
        let plain = "# HELP a_b_total Things.\n# TYPE a_b_total counter\na_b_total{x=\"y\"} 1\n# HELP g G.\n# TYPE g gauge\ng 2\n";
        assert_eq!(Form::Prometheus.of_open_metrics(open.into()), plain);
        assert_eq!(Form::OpenMetrics.of_open_metrics(open.into()), open);
    }

    #[test]
    fn open_metrics_is_for_who_asks_for_it() {
        let of = |accept: &str| Form::of(&HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]));
        assert_eq!(Form::of(&HeaderMap::new()), Form::Prometheus);
        assert_eq!(of("*/*"), Form::Prometheus);
        assert_eq!(of("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2"), Form::OpenMetrics);
    }
}
