//! Shuffle sharding: each flow has a hand of a level's queues and uses the emptiest of them, so that a heavy flow fills
//! its own hand, and another flow hardly ever has the same one (`k8s.io/apiserver/pkg/util/shufflesharding`).

use sha2::{Digest, Sha256};

/// The largest hand: with 60 bits of a hash there is no larger one that validation lets pass.
pub(super) const MAX_HAND: u32 = 20;

/// The number of a flow: of a schema, and of what tells its flows apart.
pub(super) fn flow(schema: &str, distinguisher: &str) -> u64 {
    let digest = Sha256::new().chain_update(schema).chain_update([0]).chain_update(distinguisher).finalize();
    digest.iter().take(8).rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Queues of a level, each once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hand {
    cards: [u32; MAX_HAND as usize],
    size: usize,
}

impl Hand {
    /// The hand of a flow: `size` cards out of `deck`.
    pub(super) fn deal(mut flow: u64, deck: u32, size: u32) -> Self {
        let size = size.min(deck).min(MAX_HAND);
        let mut hand = Self { cards: [0; MAX_HAND as usize], size: 0 };
        let mut sorted = [0; MAX_HAND as usize];
        for dealt in 0..size as usize {
            let left = u64::from(deck) - dealt as u64;
            // Which of the cards that are left, and then its number among all.
            let mut card = u32::try_from(flow % left).unwrap_or(0);
            flow /= left;
            let mut place = 0;
            while place < dealt && sorted[place] <= card {
                card += 1;
                place += 1;
            }
            sorted.copy_within(place..dealt, place + 1);
            sorted[place] = card;
            hand.cards[dealt] = card;
        }
        hand.size = size as usize;
        hand
    }

    /// The queues, beginning with another one each time that `turn` is another.
    pub(super) fn from(&self, turn: u64) -> impl Iterator<Item = u32> + '_ {
        let start = if self.size == 0 { 0 } else { (turn % self.size as u64) as usize };
        let cards = &self.cards[..self.size];
        cards[start..].iter().chain(&cards[..start]).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn hands_have_their_size_and_no_card_twice() {
        for (deck, size) in [(1, 1), (2, 2), (16, 4), (64, 6), (128, 6), (19, 19), (10_000_000, 2), (5, 9)] {
            for user in 0..200 {
                let hand = Hand::deal(flow("schema", &user.to_string()), deck, size);
                let cards: BTreeSet<u32> = hand.from(user).collect();
                assert_eq!((cards.len(), hand.from(0).count()), (size.min(deck) as usize, size.min(deck) as usize));
                assert!(cards.iter().all(|card| *card < deck), "{cards:?} of {deck}");
            }
        }
    }

    #[test]
    fn the_same_flow_has_the_same_hand_and_others_have_others() {
        let hand = |name: &str| Hand::deal(flow("global-default", name), 128, 6);
        assert_eq!(hand("jane"), hand("jane"));
        // KEP-1040: with 128 queues and hands of 6, it takes hundreds of heavy flows to fill the hand of one.
        let cards = |name: &str| hand(name).from(0).collect::<BTreeSet<u32>>();
        let jane = cards("jane");
        let same = (0..1000).filter(|user| cards(&format!("user-{user}")) == jane).count();
        assert_eq!(same, 0);
        assert_ne!(flow("a", "bc"), flow("ab", "c"));
    }

    #[test]
    fn all_queues_are_dealt_alike() {
        let mut dealt = [0u32; 16];
        for user in 0..4000 {
            for card in Hand::deal(flow("s", &user.to_string()), 16, 4).from(0) {
                dealt[card as usize] += 1;
            }
        }
        assert!(dealt.iter().all(|times| (850..1150).contains(times)), "{dealt:?}");
    }
}
