//! Encryption at rest, under the name that kube-apiserver has for its configuration.

use std::path::PathBuf;

use anyhow::Context;
use coracle_store::Encryption;

use super::DataDir;

/// Where a cluster keeps keys that it made itself: not in the directory of the store, so that a backup of that one need
/// not have them.
const KEY_FILE: &str = "keys/encryption.yaml";

/// What is encrypted in the store, and with which keys.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct EncryptionArgs {
    /// What is encrypted in the store, and with which keys (`apiserver.config.k8s.io/v1 EncryptionConfiguration`; the
    /// first provider writes, all read; after a change of the first one everything is encrypted anew in the
    /// background) [default: Secrets, by keys/encryption.yaml in the data directory, made at the first start].
    #[arg(long, value_name = "FILE")]
    pub encryption_provider_config: Option<PathBuf>,
}

impl EncryptionArgs {
    /// What the store is to encrypt.
    pub fn load(&self, directory: &DataDir) -> anyhow::Result<Encryption> {
        let encryption = match &self.encryption_provider_config {
            Some(file) => Encryption::from_file(file),
            None => Encryption::kept_in(&directory.path(KEY_FILE)),
        };
        encryption.context("cannot use the encryption configuration")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_named_must_be_there_and_make_sense() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = DataDir::open(temporary.path().join("data")).unwrap();
        assert!(EncryptionArgs::default().load(&directory).is_ok());
        assert!(!directory.path("keys").exists(), "keys are made by the store that needs them");
        let file = temporary.path().join("config.yaml");
        let named = EncryptionArgs { encryption_provider_config: Some(file.clone()) };
        let error = format!("{:#}", named.load(&directory).unwrap_err());
        assert!(error.contains("config.yaml: No such file"), "{error}");
        std::fs::write(&file, "kind: Policy").unwrap();
        let error = format!("{:#}", named.load(&directory).unwrap_err());
        assert!(error.contains("config.yaml is no usable EncryptionConfiguration"), "{error}");
    }
}
