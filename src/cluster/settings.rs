//! What a cluster chose at its first start and must find again: its addresses and ports.

use std::path::{Path, PathBuf};

use anyhow::Context;
use coracle_server::pki::write_private;
use serde::{Deserialize, Serialize};

use super::block::{self, AddressArgs, Block, Claim};
use super::data_dir;

/// The file `settings.json` of a data directory.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Settings {
    /// Port of the API server.
    pub api_port: Option<u16>,
    /// Port of the built-in registry.
    pub registry_port: Option<u16>,
    block: Option<Block>,
    #[serde(skip)]
    path: PathBuf,
}

impl Settings {
    /// What was saved, or nothing at the first start.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let mut settings: Self = match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .with_context(|| format!("{} is damaged; restore it, or remove it to choose anew", path.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::default(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        settings.path = path.to_path_buf();
        Ok(settings)
    }

    /// Keeps what was chosen.
    pub fn save(&self) -> anyhow::Result<()> {
        Ok(write_private(&self.path, &serde_json::to_string_pretty(self)?)?)
    }

    /// Claims the addresses used before, or chooses some. Flags that contradict what was chosen are refused: objects
    /// in the store already carry these addresses.
    pub fn claim_addresses(&mut self, args: &AddressArgs) -> anyhow::Result<Claim> {
        block::check_node_ip(args)?;
        let Some(block) = self.block else {
            let (block, claim) = block::choose(args, data_dir::is_root())?;
            self.block = Some(block);
            return Ok(claim);
        };
        let narrow = |wanted: Option<ipnet::Ipv4Net>| wanted.filter(|w| w.prefix_len() > 8);
        let contradicts = narrow(args.cluster_cidr).is_some_and(|c| c != block.cluster_cidr)
            || narrow(args.service_cidr).is_some_and(|c| c != block.service_cidr);
        anyhow::ensure!(
            !contradicts,
            "this cluster's pods are in {} and its Services in {}; that can't be changed after the first start",
            block.cluster_cidr,
            block.service_cidr
        );
        let claim = block.reclaim()?;
        if let Some(node_ip) = args.node_ip {
            self.block = Some(Block { node_ip, ..block });
        }
        Ok(claim)
    }

    /// The addresses, once claimed.
    pub fn block(&self) -> anyhow::Result<Block> {
        self.block.context("addresses are claimed before they are used")
    }
}
