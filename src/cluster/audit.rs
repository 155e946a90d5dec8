//! The flags of the audit log, under the names that kube-apiserver has for them.

use std::path::PathBuf;

use anyhow::Context;
use coracle_server::{AuditConfig, LogConfig, Policy};

/// Which requests are written down, and where.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct AuditArgs {
    /// What of which request is written to the audit log (`audit.k8s.io/v1 Policy`) [default: nothing].
    #[arg(long, value_name = "FILE", requires = "audit_log_path")]
    pub audit_policy_file: Option<PathBuf>,
    /// The audit log, a JSON object for each event; `-` is standard output.
    #[arg(long, value_name = "FILE", requires = "audit_policy_file")]
    pub audit_log_path: Option<PathBuf>,
    /// Days for which old audit logs are kept; 0 keeps them for ever.
    #[arg(long, value_name = "DAYS", default_value_t = 0)]
    pub audit_log_maxage: u32,
    /// Old audit logs that are kept; 0 keeps them all.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub audit_log_maxbackup: usize,
    /// Size at which an audit log is put aside, in megabytes.
    #[arg(long, value_name = "MEGABYTES", default_value_t = 100)]
    pub audit_log_maxsize: u64,
}

impl AuditArgs {
    /// What the API server is to write, if anything.
    pub fn config(&self) -> anyhow::Result<Option<AuditConfig>> {
        let (Some(file), Some(path)) = (&self.audit_policy_file, &self.audit_log_path) else { return Ok(None) };
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let policy = Policy::parse(&text).with_context(|| format!("cannot use {}", file.display()))?;
        let log = LogConfig {
            path: path.clone(),
            max_megabytes: self.audit_log_maxsize,
            max_backups: self.audit_log_maxbackup,
            max_days: self.audit_log_maxage,
        };
        Ok(Some(AuditConfig { policy, log }))
    }
}
