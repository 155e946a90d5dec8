//! Pods whose resize waits for room, in the order in which they are tried again (kubelet's `sortPendingResizes`).

use std::{
    cmp::Reverse,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::Asked;

/// How long a pod rests before it is told that it waits for another reason than it was told.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// What a pod wants to have, and what its place among others depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// What it wants to have in all.
    pub wanted: Asked,
    /// Its priority: the highest is served first.
    pub priority: i32,
    /// Its class is `Guaranteed`: these come before others.
    pub guaranteed: bool,
    /// Since when it waits.
    pub since: Timestamp,
}

/// A pod that waits.
pub struct Waiting {
    /// The pod.
    pub uid: String,
    /// What it wants.
    pub claim: Claim,
    /// Why it has to wait.
    pub message: String,
    told: Instant,
    /// Tells the pod to ask again; None once it was told.
    news: Option<oneshot::Sender<()>>,
}

impl Waiting {
    /// A pod that begins to wait; it is judged before it is told anything.
    pub fn new(uid: &str, claim: Claim) -> Waiting {
        Waiting { uid: uid.to_owned(), claim, message: String::new(), told: Instant::now(), news: None }
    }

    /// What the pod listens to from now on; None if it does already.
    pub fn listen(&mut self) -> Option<oneshot::Receiver<()>> {
        if self.news.as_ref().is_some_and(|news| !news.is_closed()) {
            return None;
        }
        let (news, listener) = oneshot::channel();
        (self.news, self.told) = (Some(news), Instant::now());
        Some(listener)
    }

    /// Tells the pod to ask again. False if nobody listens any more.
    pub fn tell(&mut self) -> bool {
        self.news.take().is_none_or(|news| news.send(()).is_ok())
    }

    /// It has to wait on, for this reason. False if nobody listens any more.
    pub fn refuse(&mut self, message: String) -> bool {
        let is_new = self.message != message;
        if self.message.is_empty() {
            self.message = message;
            return true;
        }
        if !is_new || self.told.elapsed() < TELL_AGAIN {
            return true;
        }
        self.message = message;
        self.tell()
    }

    fn place(&self) -> impl Ord {
        (Reverse(self.claim.priority), !self.claim.guaranteed, self.claim.since)
    }
}

/// Puts a pod in its place. There is one claim of a pod at most, so the list is bounded by the number of pods.
pub fn insert(list: &mut Vec<Waiting>, new: Waiting) {
    let at = list.partition_point(|other| other.place() <= new.place());
    list.insert(at, new);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(uid: &str, priority: i32, guaranteed: bool, second: i64) -> Waiting {
        let since = Timestamp::from_second(second).unwrap();
        Waiting::new(uid, Claim { wanted: [1, 1, 0], priority, guaranteed, since })
    }

    #[test]
    fn priority_comes_before_class_and_class_before_time() {
        let mut list = Vec::new();
        for new in [
            waiting("late", 0, false, 9),
            waiting("early", 0, false, 1),
            waiting("guaranteed", 0, true, 10),
            waiting("important", 5, false, 20),
        ] {
            insert(&mut list, new);
        }
        let order: Vec<_> = list.iter().map(|it| &*it.uid).collect();
        assert_eq!(order, ["important", "guaranteed", "early", "late"]);
    }

    #[test]
    fn who_listens_is_told_once_and_not_for_every_change() {
        let mut one = waiting("a", 0, false, 0);
        assert!(one.refuse("used: 1".into()));
        let mut listener = one.listen().unwrap();
        assert!(one.listen().is_none(), "it listens already");
        assert!(one.refuse("used: 2".into()) && listener.try_recv().is_err(), "it was told a moment ago");
        assert!(one.tell() && listener.try_recv().is_ok());
        let again = one.listen().unwrap();
        drop(again);
        assert!(!one.tell(), "nobody is there");
    }
}
