//! Replaces a certificate before it ends (`client-go/util/certificate/certificate_manager.go`).

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use kube::Client;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{CredentialError, Pair, PairStore, Wanted, asking::ask};

/// How long one request waits for its answer before it is looked for again (kubelet `certificateWaitTimeout`).
pub const WAIT: Duration = Duration::from_secs(15 * 60);
/// The part of its lifetime after which a certificate is replaced, and what chance adds: nodes that joined together do
/// not ask together for ever after (`jitteryDuration`).
const PART: f64 = 0.7;
const CHANCE: f64 = 0.2;
/// Between two certificates, however short they live.
const PAUSE: Duration = Duration::from_secs(1);
/// The clock is looked at this often: machines sleep, and clocks are set.
const LOOK: Duration = Duration::from_secs(60);
/// Pauses after failures: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LAST_PAUSE: Duration = Duration::from_secs(32);

/// Who uses a pair that is replaced.
#[async_trait]
pub trait Holder: Send + Sync {
    /// A client to ask with.
    async fn client(&self, current: Option<&Pair>) -> Result<Client, CredentialError>;
    /// From now on this one counts.
    fn take(&self, pair: &Pair);
}

/// A pair that is replaced in time.
#[derive(Debug)]
pub struct Renewal {
    store: PairStore,
    wanted: Wanted,
    current: Option<Pair>,
}

impl Renewal {
    /// Of what is wanted, beginning with what there is. If that is not what is wanted, another one is asked for at once.
    pub fn new(store: PairStore, wanted: Wanted, current: Option<Pair>) -> Renewal {
        let current = current.filter(|pair| wanted.is_met_by(pair));
        Renewal { store, wanted, current }
    }

    /// Replaces the pair again and again, until `shutdown`.
    pub async fn run(mut self, holder: impl Holder, shutdown: CancellationToken) {
        let forever = async {
            loop {
                if let Some(pair) = &self.current {
                    reached(due(pair, rand::random())).await;
                }
                self.replace(&holder).await;
                sleep(PAUSE).await;
            }
        };
        shutdown.run_until_cancelled(forever).await;
    }

    /// Asks until there is a new pair.
    async fn replace(&mut self, holder: &impl Holder) {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.attempt(holder).await {
                Ok(pair) => {
                    tracing::info!(until = %pair.not_after, signer = self.wanted.signer, "a certificate was replaced");
                    holder.take(&pair);
                    self.current = Some(pair);
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, signer = self.wanted.signer, "a certificate cannot be replaced; trying again");
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    async fn attempt(&self, holder: &impl Holder) -> Result<Pair, CredentialError> {
        let client = holder.client(self.current.as_ref()).await?;
        let asked = timeout(WAIT, ask(&client, &self.wanted, &self.store)).await;
        let pair = asked.unwrap_or_else(|_| Err(self.unanswered()))?;
        self.store.update(&pair, Timestamp::now())?;
        self.store.forget_pending();
        Ok(pair)
    }

    fn unanswered(&self) -> CredentialError {
        unanswered(&self.wanted, &self.store, WAIT)
    }
}

/// What is said when time is up.
pub fn unanswered(wanted: &Wanted, store: &PairStore, wait: Duration) -> CredentialError {
    match store.pending_key() {
        Ok(key) => CredentialError::Unanswered { name: wanted.name(&key), wait },
        Err(error) => error,
    }
}

/// When a pair is to be replaced; `chance` is between 0 and 1.
fn due(pair: &Pair, chance: f64) -> Timestamp {
    let lifetime = pair.not_after.duration_since(pair.not_before);
    let after = lifetime.mul_f64(PART + CHANCE * chance);
    pair.not_before.saturating_add(after).unwrap_or(pair.not_after)
}

/// Returns when the clock shows this time.
async fn reached(time: Timestamp) {
    loop {
        let left = time.duration_since(Timestamp::now());
        if !left.is_positive() {
            return;
        }
        sleep(left.unsigned_abs().min(LOOK)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::{super::test_authority::Authority, *};

    #[test]
    fn a_certificate_is_replaced_in_the_last_third_of_its_life_and_not_by_all_at_once() {
        let pair = Authority::new().pair("system:node:n1", Duration::from_secs(10_000));
        let after = |chance| due(&pair, chance).duration_since(pair.not_before).as_secs();
        assert_eq!([0.0, 0.5, 1.0].map(after), [7_000, 8_000, 9_000]);
        let drawn: Vec<i64> = (0..100).map(|_| after(rand::random())).collect();
        assert!(drawn.iter().all(|second| (7_000..=9_000).contains(second)), "{drawn:?}");
        assert!(drawn.iter().any(|second| *second != drawn[0]), "{drawn:?}");
    }
}
