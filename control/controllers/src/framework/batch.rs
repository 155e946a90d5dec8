//! Many similar writes at once, carefully.

use futures::{StreamExt, stream};

/// Writes one reconcile has under way at the same time: enough to fill a group commit.
pub const MAX_PARALLEL_WRITES: usize = 64;

/// Calls `write` `count` times in batches that double from one, and stops after a batch with a failure: a mistake that
/// every write would repeat (a quota, a bad template) costs one call and not a thousand.
///
/// Returns how many succeeded, and the first failure.
pub async fn slow_start<F, E>(count: usize, write: impl Fn(usize) -> F) -> (usize, Option<E>)
where
    F: Future<Output = Result<(), E>>,
{
    let (mut succeeded, mut begin, mut batch) = (0, 0, 1);
    while begin < count {
        let end = (begin + batch).min(count);
        let results: Vec<Result<(), E>> =
            stream::iter(begin..end).map(&write).buffer_unordered(MAX_PARALLEL_WRITES).collect().await;
        let mut failure = None;
        for result in results {
            match result {
                Ok(()) => succeeded += 1,
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        if failure.is_some() {
            return (succeeded, failure);
        }
        (begin, batch) = (end, batch * 2);
    }
    (succeeded, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn all_or_until_the_first_bad_batch() {
        let calls = AtomicUsize::new(0);
        let count = async |i: usize| {
            calls.fetch_add(1, Ordering::SeqCst);
            if i == 5 { Err("no") } else { Ok(()) }
        };
        assert_eq!(slow_start(5, count).await, (5, None));
        assert_eq!(calls.swap(0, Ordering::SeqCst), 5);
        assert_eq!(slow_start(1000, count).await, (6, Some("no")), "1 + 2 + 3 of the batch of 4");
        assert_eq!(calls.load(Ordering::SeqCst), 7);
        assert_eq!(slow_start(0, count).await, (0, None));
    }
}
