//! `/version`.

use serde_json::{Value, json};

use crate::config::Version;

/// `version.Info`. What Kubernetes calls `goVersion` and `compiler` is what made this binary.
pub(super) fn info(version: &Version) -> Value {
    json!({
        "major": "1",
        "minor": "36",
        "emulationMajor": "1",
        "emulationMinor": "36",
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "35",
        "gitVersion": version.git_version,
        "gitCommit": version.git_commit,
        "gitTreeState": if version.git_commit.is_empty() { "archive" } else { "" },
        "buildDate": if version.build_date.is_empty() { "1970-01-01T00:00:00Z" } else { &version.build_date },
        "goVersion": "none (Rust)",
        "compiler": "rustc",
        "platform": format!("linux/{}", architecture()),
    })
}

/// The machine as Go names it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
