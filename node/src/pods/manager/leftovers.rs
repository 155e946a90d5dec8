//! Directories of pods that ended while the node was away. Which they are is known when both sources of pods have told theirs.
//!
//! Invariant: what is removed was there before, and is no pod's: a static pod has the same directory in all lives of the node.

use std::{collections::HashSet, path::PathBuf, sync::Arc};

use k8s_openapi::api::core::v1::Pod;

use super::{Manager, pod_dir};
use crate::volumes;

/// What the sources have told, until the leftovers are removed.
#[derive(Default)]
pub struct Leftovers {
    /// Directories of the pods of the API's first list.
    listed: Option<HashSet<PathBuf>>,
    /// Directories of the static pods of the first reading.
    statics: Option<HashSet<PathBuf>>,
}

impl Leftovers {
    /// The directories that are needed, once that is known; only once.
    fn needed(&mut self) -> Option<HashSet<PathBuf>> {
        let statics = self.statics.as_ref()?;
        let mut needed = self.listed.take()?;
        needed.extend(statics.iter().cloned());
        Some(needed)
    }
}

impl Manager {
    /// The API's first list is in.
    pub(super) fn know_listed(&mut self, dirs: HashSet<PathBuf>) {
        self.leftovers.listed = Some(dirs);
        self.remove_leftovers();
    }

    /// The static pods are known.
    pub(super) fn know_statics(&mut self, pods: &[Arc<Pod>]) {
        if self.leftovers.statics.is_none() {
            let dirs = pods.iter().map(|pod| pod_dir(&self.shared.pods_dir, pod)).collect();
            self.leftovers.statics = Some(dirs);
            self.remove_leftovers();
        }
    }

    fn remove_leftovers(&mut self) {
        let Some(mut needed) = self.leftovers.needed() else { return };
        needed.extend(self.shared.live.all().iter().map(|pod| pod.dir.clone()));
        // Looked at now, while no pod can come: later there are directories of new ones.
        let all = std::fs::read_dir(&*self.shared.pods_dir).into_iter().flatten().flatten();
        let left: Vec<PathBuf> = all.map(|entry| entry.path()).filter(|path| !needed.contains(path)).collect();
        tokio::task::spawn_blocking(move || {
            for path in left {
                if let Err(error) = volumes::remove(&path) {
                    tracing::warn!(dir = %path.display(), %error, "the directory of a former pod could not be removed");
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sources_have_to_tell_and_what_either_has_is_needed() {
        let dirs = |names: &[&str]| Some(names.iter().map(PathBuf::from).collect::<HashSet<_>>());
        let mut leftovers = Leftovers { listed: dirs(&["a"]), statics: None };
        assert_eq!(leftovers.needed(), None);
        leftovers.statics = dirs(&["s"]);
        assert_eq!(leftovers.needed(), dirs(&["a", "s"]));
        assert_eq!(leftovers.needed(), None, "once is enough");
        assert_eq!(Leftovers { listed: None, statics: dirs(&["s"]) }.needed(), None);
    }
}
