//! What is served at one moment: the rows, the documents about them, and the groups that other servers answer.
//!
//! A request takes the present one and keeps it to its end, so that a definition that changes meanwhile does not
//! show it two catalogues.

use std::sync::Arc;

use coracle_api::{ApiError, ApiResult, Catalog, Resource};

use crate::aggregate::Remote;
use crate::docs::Documents;
use crate::hub::Hub;

/// A catalogue and everything that is made of it.
pub(crate) struct Served {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) documents: Documents,
    /// Group versions of other servers.
    pub(crate) remotes: Vec<Arc<Remote>>,
}

impl Served {
    /// The remote that answers a path, if one does.
    pub(crate) fn remote(&self, path: &str) -> Option<&Arc<Remote>> {
        let mut segments = path.strip_prefix("/apis/")?.split('/');
        let (group, version) = (segments.next()?, segments.next()?);
        self.remotes.iter().find(|remote| remote.group == group && remote.version == version)
    }
}

impl Hub {
    /// What is served now.
    pub(crate) fn now_served(&self) -> Arc<Served> {
        self.served.load_full()
    }

    /// Has the catalogue served that definitions and APIServices make now.
    pub(crate) fn publish(&self) {
        // One at a time, so that the newest is not overtaken by one that was begun before.
        let _turn = self.publishing.lock();
        let catalog = Arc::new(self.config.catalog.with(self.custom.rows()));
        let documents = Documents::new(&catalog, &self.config.version);
        self.served.store(Arc::new(Served { catalog, documents, remotes: self.aggregator.remotes() }));
        self.aggregator.follow_catalog();
    }

    /// A row that every cluster has.
    pub(crate) fn row(&self, api_version: &str, plural: &str) -> ApiResult<Arc<Resource>> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let row = self.config.catalog.find(group, version, plural);
        row.ok_or_else(|| ApiError::internal(format!("the catalogue has no {plural}")))
    }
}
