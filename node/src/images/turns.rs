//! Who compiles when. One program at a time, because each compilation uses all cores and much memory; but a compiler can't
//! be interrupted, and a program made to be slow must not keep the others waiting: its turn passes on after a while, and
//! it goes on beside them. Only so many may do that.

use std::time::Duration;

use tokio::{
    sync::Semaphore,
    task::{JoinError, spawn_blocking},
    time::timeout,
};

/// Compilations at once, as long as each takes what programs take.
const COMPILATIONS_LIMIT: usize = 1;
/// How long a program may be compiled before the next one's turn comes. Large interpreters take some ten seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// Programs that are compiled beside the one whose turn it is, having taken too long. When there are so many, turns are
/// as long as they are.
const OVERDUE_LIMIT: usize = 2;

/// The turns of one node.
pub struct Turns {
    slots: Semaphore,
    overdue: Semaphore,
    patience: Duration,
}

impl Turns {
    /// Turns for nobody yet.
    pub fn new() -> Turns {
        Turns::with_patience(PATIENCE)
    }

    fn with_patience(patience: Duration) -> Turns {
        Turns { slots: Semaphore::new(COMPILATIONS_LIMIT), overdue: Semaphore::new(OVERDUE_LIMIT), patience }
    }

    /// Does the work on a thread that may block, when its turn has come.
    pub async fn take<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, JoinError> {
        let turn = self.slots.acquire().await;
        let mut work = spawn_blocking(work);
        if let Ok(done) = timeout(self.patience, &mut work).await {
            return done;
        }
        tokio::select! {
            done = &mut work => done,
            _overdue = self.overdue.acquire() => {
                drop(turn);
                work.await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};

    use super::*;

    #[tokio::test]
    async fn one_that_takes_too_long_lets_the_next_ones_through() {
        let turns = Arc::new(Turns::with_patience(Duration::from_millis(20)));
        let mut endless = Vec::new();
        for _ in 0..OVERDUE_LIMIT {
            let (end, ended) = mpsc::channel::<()>();
            let turns = Arc::clone(&turns);
            endless.push((end, tokio::spawn(async move { turns.take(move || ended.recv().is_err()).await })));
        }
        let waits = Duration::from_secs(60);
        let all_overdue = async {
            while turns.overdue.available_permits() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(waits, all_overdue).await.expect("both take too long");
        let done = timeout(waits, turns.take(|| 7)).await.expect("its turn comes").unwrap();
        assert_eq!(done, 7);
        // One more, and there is nobody left to make room: the next waits for its end.
        let (end, ended) = mpsc::channel::<()>();
        let last = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { turns.take(move || ended.recv().is_err()).await }
        });
        while turns.slots.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let waiting = turns.take(|| 8);
        tokio::pin!(waiting);
        assert!(timeout(Duration::from_millis(100), &mut waiting).await.is_err(), "it waits");
        drop(end);
        assert_eq!(timeout(waits, waiting).await.expect("its turn comes").unwrap(), 8);
        assert!(last.await.unwrap().unwrap());
        for (end, work) in endless {
            drop(end);
            assert!(work.await.unwrap().unwrap());
        }
    }
}
