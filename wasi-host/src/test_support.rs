//! What the tests of this crate share.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::OnceLock,
};

use async_trait::async_trait;

use crate::{Engine, EngineConfig, Network, NetworkError};

/// One engine for all tests: each reserves address space, and they run in one process.
pub(crate) fn engine() -> Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    let make = || Engine::new(EngineConfig { max_instances: 100, ..EngineConfig::default() }).unwrap();
    ENGINE.get_or_init(make).clone()
}

/// A network of a few names and routes; all other addresses are what they are.
#[derive(Default)]
pub(crate) struct StaticNetwork {
    names: HashMap<String, IpAddr>,
    routes: HashMap<SocketAddr, Result<SocketAddr, NetworkError>>,
}

impl StaticNetwork {
    pub(crate) fn name(mut self, name: &str, address: &str) -> StaticNetwork {
        self.names.insert(name.into(), address.parse().unwrap());
        self
    }

    pub(crate) fn route(mut self, from: &str, to: &str) -> StaticNetwork {
        self.routes.insert(from.parse().unwrap(), Ok(to.parse().unwrap()));
        self
    }

    pub(crate) fn no_route(mut self, from: &str, why: NetworkError) -> StaticNetwork {
        self.routes.insert(from.parse().unwrap(), Err(why));
        self
    }
}

#[async_trait]
impl Network for StaticNetwork {
    async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, NetworkError> {
        self.names.get(name).map(|address| vec![*address]).ok_or(NetworkError::NotFound)
    }

    fn route(&self, _from: IpAddr, to: SocketAddr) -> Result<SocketAddr, NetworkError> {
        self.routes.get(&to).copied().unwrap_or(Ok(to))
    }
}
