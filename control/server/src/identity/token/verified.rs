//! Tokens whose signature has been checked. A client sends the same one with each of its requests, and checking it takes longer
//! than all else that most requests ask for.
//!
//! kube-apiserver keeps what has come of a token for ten seconds. Here only what can never change is kept, that this key has
//! signed these claims; whether they still hold is asked each time.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// So many are known at a time: a KB each. When there are more, all are forgotten, which costs each a check.
const TOKENS: usize = 4096;

/// The claims by the hash of the token that says them: no token is kept.
#[derive(Default)]
pub(super) struct Verified(Mutex<HashMap<[u8; 32], Arc<Value>>>);

impl Verified {
    /// The claims of a token, from `verify` if it is new. Tokens that are none of ours are never known.
    pub(super) fn claims(&self, token: &str, verify: impl FnOnce() -> Option<Value>) -> Option<Arc<Value>> {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        if let Some(known) = self.0.lock().get(&hash) {
            return Some(known.clone());
        }
        let claims = Arc::new(verify()?);
        let mut known = self.0.lock();
        if known.len() >= TOKENS {
            known.clear();
        }
        known.insert(hash, claims.clone());
        Some(claims)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_is_checked_once_and_a_false_one_each_time() {
        let verified = Verified::default();
        let claims = |token: &str, verify: fn() -> Option<Value>| verified.claims(token, verify);
        assert_eq!(claims("a", || Some(json!(1))).as_deref(), Some(&json!(1)));
        assert_eq!(claims("a", || panic!("it is known")).as_deref(), Some(&json!(1)));
        assert_eq!(claims("b", || None), None);
        assert_eq!(claims("b", || Some(json!(2))).as_deref(), Some(&json!(2)));
    }

    #[test]
    fn there_are_only_so_many() {
        let verified = Verified::default();
        for number in 0..2 * TOKENS + 1 {
            verified.claims(&number.to_string(), || Some(json!(number)));
            assert!(verified.0.lock().len() <= TOKENS);
        }
        let last = (2 * TOKENS).to_string();
        assert_eq!(verified.claims(&last, || None).as_deref(), Some(&json!(2 * TOKENS)));
    }
}
