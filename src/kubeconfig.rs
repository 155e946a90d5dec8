//! Which cluster a command talks to.

use std::path::PathBuf;

use anyhow::Context;
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::cluster::default_data_dir;

/// The flags of every command that is a client.
#[derive(Debug, Clone, clap::Args)]
pub struct ClientArgs {
    /// Data directory of the cluster, whose kubeconfig is used [default: KUBECONFIG, then the default directory].
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

impl ClientArgs {
    /// A client for the cluster that the flags and the environment name.
    pub async fn client(&self) -> anyhow::Result<kube::Client> {
        let file = match (&self.data_dir, std::env::var_os("KUBECONFIG")) {
            (Some(directory), _) => directory.join("kubeconfig"),
            (None, Some(file)) => file.into(),
            (None, None) => default_data_dir().join("kubeconfig"),
        };
        let config = Kubeconfig::read_from(&file)
            .with_context(|| format!("cannot read {}; is the cluster running? (`coracle up`)", file.display()))?;
        let config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default())
            .await
            .with_context(|| format!("{} names no usable cluster", file.display()))?;
        Ok(kube::Client::try_from(config)?)
    }
}
