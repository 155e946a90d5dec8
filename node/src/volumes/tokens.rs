//! When the tokens in a pod's volumes are to be replaced.

use std::{collections::HashMap, fs, path::Path, path::PathBuf};

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

use super::objects::Token;

/// A token is replaced after this part of its life (kubelet: 80 %) …
const LIFE_PERCENT: i64 = 80;
/// … or at this age, if that comes first.
const AGE_LIMIT: SignedDuration = SignedDuration::from_hours(24);
/// Replacements are spread over so much time before (kubelet's `maxJitter`).
const JITTER_SECONDS: i64 = 10;

/// The tokens of one pod. They themselves are only in their files.
#[derive(Debug, Default)]
pub struct Tokens {
    due: Mutex<HashMap<PathBuf, Timestamp>>,
}

impl Tokens {
    /// What is in the token file at `path`, if that is still good.
    pub fn fresh(&self, path: &Path, now: Timestamp) -> Option<Vec<u8>> {
        self.due.lock().get(path).filter(|due| **due > now)?;
        fs::read(path).ok()
    }

    /// Takes note of a token that is about to be written to `path`.
    pub fn note(&self, path: PathBuf, token: &Token) {
        let jitter = SignedDuration::from_secs(rand::random_range(0..JITTER_SECONDS));
        let due = due(token.issued, token.expires);
        self.due.lock().insert(path, due.saturating_sub(jitter).unwrap_or(due));
    }

    /// Nothing is known any more: what was noted has not been written.
    pub fn forget(&self) {
        self.due.lock().clear();
    }

    /// When the first of them has to be replaced.
    pub fn next(&self) -> Option<Timestamp> {
        self.due.lock().values().min().copied()
    }
}

fn due(issued: Timestamp, expires: Timestamp) -> Timestamp {
    let life = expires.duration_since(issued);
    let used = SignedDuration::from_millis(i64::try_from(life.as_millis()).unwrap_or(i64::MAX) / 100 * LIFE_PERCENT);
    issued.saturating_add(used.min(AGE_LIMIT)).unwrap_or(expires)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_replaced_by_kubelets_rule() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        for (life, wanted) in [(600, 480), (3607, 2885), (48 * 3600, 24 * 3600), (1 << 32, 24 * 3600)] {
            assert_eq!(due(at(1000), at(1000 + life)).as_second() - 1000, wanted, "{life}");
        }
    }

    #[test]
    fn a_file_is_read_again_while_its_token_is_good() {
        let dir = tempfile::tempdir().unwrap();
        let (path, tokens, now) = (dir.path().join("token"), Tokens::default(), Timestamp::now());
        fs::write(&path, b"t").unwrap();
        assert_eq!(tokens.fresh(&path, now), None);
        let expires = now + SignedDuration::from_secs(600);
        tokens.note(path.clone(), &Token { text: "t".into(), issued: now, expires });
        assert_eq!(tokens.fresh(&path, now).unwrap(), b"t");
        assert_eq!(tokens.fresh(&path, now + SignedDuration::from_secs(481)), None);
        let next = tokens.next().unwrap().duration_since(now).as_secs();
        assert!((470..=480).contains(&next), "{next}");
        tokens.forget();
        assert_eq!(tokens.fresh(&path, now), None);
    }
}
