//! How many files this process may have open: the listener of each HTTP pod is one of them.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are open beside those of pods: the store, images, connections to and from the API server.
const OTHER_FILES: u64 = 1_000;

/// What guests may hold at least, on a system that allows too few files for its pods anyway.
const GUEST_FILES_MIN: u64 = 512;

/// Raises the soft limit of open files to the hard one, which a process may always do. The soft one is low (1,024 on
/// most systems) only for programs that use `select(2)`. Says so if even that is too few for `max_pods`. Gives how many
/// guests may hold besides their listeners, so that the node never lacks any.
pub fn allow_open_files(max_pods: u32) -> usize {
    let before = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: before.maximum, maximum: before.maximum };
    let allowed = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => before.maximum,
        Err(error) => {
            tracing::debug!(%error, "the soft limit of open files stays as it is");
            before.current
        }
    };
    if let Some(message) = too_few(allowed, max_pods) {
        tracing::warn!("{message}");
    }
    guests_share(allowed, max_pods)
}

/// What is left for guests when each pod listens and the node has what it needs.
fn guests_share(allowed: Option<u64>, max_pods: u32) -> usize {
    let left = allowed.unwrap_or(u64::MAX).saturating_sub(u64::from(max_pods) + OTHER_FILES);
    usize::try_from(left.max(GUEST_FILES_MIN)).unwrap_or(usize::MAX)
}

/// What to tell the user whose limit is too low. None: it is enough; no limit at all is.
fn too_few(allowed: Option<u64>, max_pods: u32) -> Option<String> {
    let allowed = allowed?;
    let needed = u64::from(max_pods) + OTHER_FILES;
    (allowed < needed).then(|| {
        format!(
            "this process may open {allowed} files, but {max_pods} pods that listen need about {needed}: pods beyond \
             the limit will fail to start; raise the hard limit (`ulimit -Hn`, or LimitNOFILE= of a systemd unit) or \
             let the node take fewer pods"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_raised_to_the_hard_one() {
        let _ = allow_open_files(1);
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }

    #[test]
    fn guests_are_left_what_nobody_else_needs() {
        assert_eq!(guests_share(Some(20_000), 10_000), 9_000);
        assert_eq!(guests_share(Some(1_024), 110), 512, "a system that allows too few");
        assert_eq!(guests_share(None, 110), usize::MAX - 1_110);
    }

    #[test]
    fn a_limit_is_too_low_when_every_pod_listens() {
        assert_eq!(too_few(None, u32::MAX), None);
        assert_eq!(too_few(Some(11_000), 10_000), None);
        let message = too_few(Some(4_096), 10_000).unwrap();
        assert!(message.contains("may open 4096 files") && message.contains("10000 pods"), "{message}");
    }
}
