//! How much of what is bounded one user has: a bound for all is a bound for the first who comes, unless each has one.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// How many each user has now. Who has none is not in it, so it is no larger than what is in progress.
#[derive(Clone, Default)]
pub(crate) struct Shares(Arc<Mutex<HashMap<String, usize>>>);

/// One of a user's. Given back when it is dropped.
pub(crate) struct Share {
    of: Shares,
    user: String,
}

impl Shares {
    /// One more for the user, unless it has `limit` already.
    pub(crate) fn take(&self, user: &str, limit: usize) -> Option<Share> {
        let mut counts = self.0.lock();
        let before = counts.get(user).copied().unwrap_or(0);
        if before >= limit {
            return None;
        }
        counts.insert(user.to_string(), before + 1);
        Some(Share { of: self.clone(), user: user.to_string() })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut counts = self.of.0.lock();
        match counts.get_mut(&self.user) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(counts.remove(&self.user)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_is_forgotten() {
        let shares = Shares::default();
        let (one, two) = (shares.take("jane", 2).unwrap(), shares.take("jane", 2).unwrap());
        assert!(shares.take("jane", 2).is_none());
        assert!(shares.take("joe", 1).is_some());
        drop(one);
        assert!(shares.take("jane", 2).is_some());
        drop(two);
        assert!(shares.0.lock().is_empty());
    }
}
