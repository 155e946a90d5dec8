//! How many commands run at once: on the node, and of one pod.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;

/// The seats, and who has them.
pub struct Seats {
    all: usize,
    each: usize,
    /// Those that are taken, by pod; no pod has none.
    taken: Mutex<BTreeMap<Arc<str>, usize>>,
}

/// Why there is no seat.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSeat {
    /// the node has no more
    #[error("{0} copies are under way on this node already")]
    Node(usize),
    /// the pod has its share
    #[error("{0} copies are under way in this pod already")]
    Pod(usize),
}

/// A seat, free again when this is dropped.
pub struct Seat {
    seats: &'static Seats,
    pod: Arc<str>,
}

impl Seats {
    /// So many, of which one pod has at most `each`.
    pub const fn new(all: usize, each: usize) -> Seats {
        Seats { all, each, taken: Mutex::new(BTreeMap::new()) }
    }

    /// A seat for a pod, by its UID.
    pub fn take(&'static self, pod: &Arc<str>) -> Result<Seat, NoSeat> {
        let mut taken = self.taken.lock();
        let of_pod = taken.get(pod).copied().unwrap_or_default();
        if of_pod >= self.each {
            return Err(NoSeat::Pod(self.each));
        }
        if taken.values().sum::<usize>() >= self.all {
            return Err(NoSeat::Node(self.all));
        }
        taken.insert(Arc::clone(pod), of_pod + 1);
        Ok(Seat { seats: self, pod: Arc::clone(pod) })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock();
        match taken.get_mut(&self.pod) {
            Some(seats) if *seats > 1 => *seats -= 1,
            _ => drop(taken.remove(&self.pod)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_has_its_share_and_the_others_have_the_rest() {
        static SEATS: Seats = Seats::new(3, 2);
        let [a, b, c] = ["a", "b", "c"].map(Arc::<str>::from);
        let first = SEATS.take(&a).ok();
        let _second = SEATS.take(&a).ok();
        assert_eq!(SEATS.take(&a).err(), Some(NoSeat::Pod(2)));
        let of_another = SEATS.take(&b).ok();
        assert!(of_another.is_some());
        assert_eq!(SEATS.take(&c).err(), Some(NoSeat::Node(3)));
        drop(first);
        assert!(SEATS.take(&a).is_ok() && SEATS.take(&c).is_ok());
        drop(of_another);
        assert_eq!(SEATS.taken.lock().keys().collect::<Vec<_>>(), [&a]);
    }
}
