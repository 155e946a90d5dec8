//! How much each user has of something that is bounded for all of them together.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// What users have. Only those who have something are known.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shares(Arc<Mutex<HashMap<Arc<str>, usize>>>);

/// One of them. Dropped when it is over.
#[derive(Debug)]
pub(crate) struct Share {
    all: Shares,
    user: Arc<str>,
}

impl Shares {
    /// One more for a user, unless he has `limit` already.
    pub(crate) fn hold(&self, user: &str, limit: usize) -> Option<Share> {
        let mut counts = self.0.lock();
        let user = counts.get_key_value(user).map_or_else(|| user.into(), |(user, _)| user.clone());
        let count = counts.get(&user).copied().unwrap_or_default();
        if count >= limit {
            return None;
        }
        counts.insert(user.clone(), count + 1);
        Some(Share { all: self.clone(), user })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut counts = self.all.0.lock();
        let Some(count) = counts.get_mut(&self.user) else { return };
        *count -= 1;
        if *count == 0 {
            counts.remove(&self.user);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_leaves_the_rest_to_others() {
        let shares = Shares::default();
        let jane: Vec<_> = (0..2).map(|_| shares.hold("jane", 2).unwrap()).collect();
        assert!(shares.hold("jane", 2).is_none());
        let joe = shares.hold("joe", 2);
        assert!(joe.is_some());
        drop(jane);
        assert!(shares.hold("jane", 2).is_some());
        drop(joe);
        assert!(shares.0.lock().is_empty());
    }
}
