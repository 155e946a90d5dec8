//! `/healthz`, `/livez`, `/readyz`: whether the server is there, and whether the cluster takes work.

use axum::body::Body;
use http::{Response, StatusCode};

use crate::http::{Params, no_such_path, text};
use crate::ready::Readiness;

/// The path of a health endpoint: which one, and which single check if one is named.
pub(super) struct Endpoint<'a> {
    name: &'a str,
    check: Option<&'a str>,
}

impl<'a> Endpoint<'a> {
    /// From a path, if it is one.
    pub(super) fn parse(path: &'a str) -> Option<Self> {
        let mut segments = path.trim_matches('/').splitn(2, '/');
        let name = segments.next().filter(|n| matches!(*n, "healthz" | "livez" | "readyz"))?;
        Some(Self { name, check: segments.next() })
    }

    /// Answers 200 when all is well, otherwise 500 with the checks that fail. `exclude` leaves checks out; `detailed`
    /// says why they fail, which is not for everybody.
    pub(super) fn answer(&self, readiness: &Readiness, params: &Params, detailed: bool) -> Response<Body> {
        let mut checks = vec![("ping".to_string(), Ok(()))];
        // A server that is alive but can't write should not be restarted: only readiness asks further.
        if self.name != "livez" {
            checks.extend(readiness.run());
        }
        if let Some(only) = self.check {
            checks.retain(|(name, _)| name == only);
            if checks.is_empty() {
                return no_such_path();
            }
        }
        checks.retain(|(name, _)| !params.all("exclude").any(|excluded| excluded == name));
        let failed = checks.iter().any(|(_, outcome)| outcome.is_err());
        if !failed && !params.flag("verbose") {
            return text(StatusCode::OK, "ok");
        }
        let mut lines = String::new();
        for (name, outcome) in &checks {
            lines += &match outcome {
                Ok(()) => format!("[+]{name} ok\n"),
                Err(why) if detailed => format!("[-]{name} failed: {why}\n"),
                Err(_) => format!("[-]{name} failed: reason withheld\n"),
            };
        }
        let (code, verdict) =
            if failed { (StatusCode::INTERNAL_SERVER_ERROR, "failed") } else { (StatusCode::OK, "passed") };
        text(code, format!("{lines}{} check {verdict}\n", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    async fn ask(readiness: &Readiness, path: &str, query: &str) -> (u16, String) {
        let response = Endpoint::parse(path).unwrap().answer(readiness, &Params::parse(Some(query)), false);
        let code = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (code, String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readiness_fails_with_its_checks_and_liveness_does_not() {
        let readiness = Readiness::default();
        assert_eq!(ask(&readiness, "/readyz", "").await, (200, "ok".into()));
        readiness.set("node", Err("not there yet".into()));
        let failed = "[+]ping ok\n[-]node failed: reason withheld\nreadyz check failed\n";
        assert_eq!(ask(&readiness, "/readyz", "").await, (500, failed.into()));
        assert_eq!(ask(&readiness, "/livez", "").await.0, 200);
        assert_eq!(ask(&readiness, "/readyz/ping", "").await.0, 200);
        assert_eq!(ask(&readiness, "/readyz", "exclude=node").await.0, 200);
        assert_eq!(ask(&readiness, "/readyz/other", "").await.0, 404);
        readiness.set("node", Ok(()));
        assert_eq!(ask(&readiness, "/readyz", "verbose").await.1, "[+]ping ok\n[+]node ok\nreadyz check passed\n");
    }
}
