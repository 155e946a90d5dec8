//! The pods of this node as objects, and what they have been let have together: for those who must judge a pod or all
//! of them. A pod that wants more than it has (KEP-1287) gets it here, or waits here.

mod waiting;

use std::{collections::HashMap, sync::Arc};

use coracle_api::{
    pod::{ResourceList, requests},
    quantity::Quantity,
};
use k8s_openapi::api::core::v1::Pod;
use parking_lot::RwLock;
use tokio::sync::{Notify, oneshot};

use self::waiting::{Waiting, insert};
use super::{
    allocation::found_allocated,
    kept_pod::{KeptPod, PodAtHand},
};

pub use waiting::Claim;

/// Resources that are counted, in the order of [`Asked`].
pub const COUNTED: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// What pods ask for: thousandths of CPUs, bytes of memory, bytes of local storage.
pub type Asked = [i64; COUNTED.len()];

/// The pods by UID.
#[derive(Default)]
pub struct Roster {
    inner: RwLock<Inner>,
    freed: Notify,
}

#[derive(Default)]
struct Inner {
    pods: HashMap<String, Entry>,
    sum: Asked,
    active: u32,
    waiting: Vec<Waiting>,
}

struct Entry {
    pod: Arc<KeptPod>,
    /// What it has been let have; None once it has ended or was refused.
    asked: Option<Asked>,
}

/// A pod that counts.
#[derive(Debug, Clone)]
pub struct Holder {
    /// Its UID.
    pub uid: String,
    /// The pod.
    pub pod: Arc<KeptPod>,
    /// What it has been let have.
    pub held: Asked,
}

/// A pod that wants more, as it is judged.
pub struct Growth<'a> {
    /// The pod.
    pub pod: &'a Pod,
    /// What it has.
    pub held: Asked,
    /// What it wants to have.
    pub wanted: Asked,
    /// What all others have.
    pub others: Asked,
}

/// What becomes of a claim.
#[derive(Debug)]
pub enum Verdict {
    /// The pod has what it wants.
    Granted,
    /// It has to wait.
    Waits {
        /// Why.
        message: String,
        /// Says when it should ask again; fails if another claim took this one's place.
        news: oneshot::Receiver<()>,
    },
    /// It waits already, and listens.
    StillWaits,
}

/// What one pod asks for.
pub fn asked(pod: &Pod) -> Asked {
    in_units(&requests(pod))
}

/// Amounts of the resources that are counted, in the units that they are counted in; zero for those that aren't there.
pub fn in_units(amounts: &ResourceList) -> Asked {
    COUNTED.map(|name| {
        let amount = amounts.get(name).copied().unwrap_or(Quantity::ZERO);
        if name == "cpu" { amount.milli_value() } else { amount.value() }
    })
}

impl Roster {
    /// Takes in a pod, new or changed. What a known pod has been let have stays: a resize asks for itself.
    pub fn put(&self, uid: &str, pod: &PodAtHand) {
        let is_new = !self.inner.read().pods.contains_key(uid);
        let found = is_new.then(|| found_allocated(pod));
        self.changed(|inner| inner.put(uid, pod.kept(), found));
    }

    /// Takes in a new pod, and says how it is judged beside the others: how many they are, and what they have. Unless it
    /// is refused, it counts from now on.
    ///
    /// # Errors
    /// That of `judge`.
    pub fn admit<T, E>(
        &self,
        uid: &str,
        pod: &PodAtHand,
        judge: impl FnOnce(u32, Asked) -> Result<T, E>,
    ) -> Result<T, E> {
        let found = found_allocated(pod);
        self.changed(|inner| {
            let verdict = judge(inner.active, inner.sum);
            inner.put(uid, pod.kept(), verdict.is_ok().then_some(found));
            verdict
        })
    }

    /// The node does not take the pod, whether the API knows that already or not: it counts no more.
    pub fn refuse(&self, uid: &str) {
        self.changed(|inner| inner.refuse(uid));
    }

    /// The pod is gone.
    pub fn remove(&self, uid: &str) {
        self.changed(|inner| {
            let before = inner.pods.remove(uid);
            inner.count(before.and_then(|entry| entry.asked), -1);
            inner.waiting.retain(|it| it.uid != uid);
        });
    }

    /// A pod wants to have something else than it has. If `judge` says why that can't be, it waits for its turn.
    pub fn claim(
        &self,
        uid: &str,
        mut claim: Claim,
        mut judge: impl FnMut(&Growth<'_>) -> Result<(), String>,
    ) -> Verdict {
        self.changed(|inner| {
            if let Some(known) = inner.waiting.iter_mut().find(|it| it.uid == uid && it.claim.wanted == claim.wanted) {
                let message = known.message.clone();
                return known.listen().map_or(Verdict::StillWaits, |news| Verdict::Waits { message, news });
            }
            if let Some(at) = inner.waiting.iter().position(|it| it.uid == uid) {
                claim.since = claim.since.min(inner.waiting.remove(at).claim.since);
            }
            insert(&mut inner.waiting, Waiting::new(uid, claim));
            inner.settle(&mut judge);
            let Some(known) = inner.waiting.iter_mut().find(|it| it.uid == uid) else { return Verdict::Granted };
            let message = known.message.clone();
            known.listen().map_or(Verdict::StillWaits, |news| Verdict::Waits { message, news })
        })
    }

    /// The pod wants nothing any more that it doesn't have.
    pub fn withdraw(&self, uid: &str) {
        self.inner.write().waiting.retain(|it| it.uid != uid);
    }

    /// Tries again for all who wait, in their order; who gets what it wants is told.
    pub fn settle(&self, mut judge: impl FnMut(&Growth<'_>) -> Result<(), String>) {
        self.changed(|inner| inner.settle(&mut judge));
    }

    /// Returns when somebody waits and there is more room than there was.
    pub async fn freed(&self) {
        self.freed.notified().await;
    }

    /// The pod of this UID.
    pub fn get(&self, uid: &str) -> Option<Arc<KeptPod>> {
        self.inner.read().pods.get(uid).map(|entry| Arc::clone(&entry.pod))
    }

    /// All pods, those that have ended among them.
    pub fn all(&self) -> Vec<Arc<KeptPod>> {
        self.inner.read().pods.values().map(|entry| Arc::clone(&entry.pod)).collect()
    }

    /// The pods that have not ended and were not refused, with their UIDs.
    pub fn active(&self) -> Vec<(String, Arc<KeptPod>)> {
        let inner = self.inner.read();
        let active = inner.pods.iter().filter(|(_, entry)| entry.asked.is_some());
        active.map(|(uid, entry)| (uid.clone(), Arc::clone(&entry.pod))).collect()
    }

    /// Those of them that are here beside one, and what they have.
    pub fn beside(&self, uid: &str) -> Vec<Holder> {
        let inner = self.inner.read();
        let others = inner.pods.iter().filter(|(other, _)| *other != uid);
        let holder = |(uid, entry): (&String, &Entry)| {
            Some(Holder { uid: uid.clone(), pod: Arc::clone(&entry.pod), held: entry.asked? })
        };
        others.filter_map(holder).collect()
    }

    /// Changes what is there; if that leaves more room, whoever looks after those who wait is told.
    fn changed<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = self.inner.write();
        let before = inner.sum;
        let result = change(&mut inner);
        let has_more = inner.sum.iter().zip(before).any(|(now, before)| *now < before);
        if has_more && !inner.waiting.is_empty() {
            self.freed.notify_one();
        }
        result
    }
}

impl Inner {
    fn refuse(&mut self, uid: &str) {
        let asked = self.pods.get_mut(uid).and_then(|entry| entry.asked.take());
        self.count(asked, -1);
        self.waiting.retain(|it| it.uid != uid);
    }

    /// `found` is what a pod has that comes for the first time; None if it was refused.
    fn put(&mut self, uid: &str, pod: &Arc<KeptPod>, found: Option<Asked>) {
        let held = self.pods.get(uid).map_or(found, |entry| entry.asked);
        let asked = held.filter(|_| !pod.has_ended);
        if asked.is_none() {
            self.waiting.retain(|it| it.uid != uid);
        }
        self.count(asked, 1);
        let pod = Arc::clone(pod);
        let before = self.pods.insert(uid.to_owned(), Entry { pod, asked });
        self.count(before.and_then(|entry| entry.asked), -1);
    }

    fn count(&mut self, asked: Option<Asked>, sign: i64) {
        let Some(asked) = asked else { return };
        for (sum, amount) in self.sum.iter_mut().zip(asked) {
            *sum = sum.saturating_add(amount.saturating_mul(sign));
        }
        self.active = self.active.saturating_add_signed(if sign > 0 { 1 } else { -1 });
    }

    /// Gives to those who wait what fits by now. One that can't be served doesn't hold up those behind it, as in kubelet.
    fn settle(&mut self, judge: &mut dyn FnMut(&Growth<'_>) -> Result<(), String>) {
        for mut it in std::mem::take(&mut self.waiting) {
            let Some(entry) = self.pods.get_mut(&it.uid) else { continue };
            let (Some(held), wanted) = (entry.asked, it.claim.wanted) else { continue };
            let others = std::array::from_fn(|index| self.sum[index].saturating_sub(held[index]));
            let waits = match judge(&Growth { pod: &entry.pod.open(), held, wanted, others }) {
                Err(message) => it.refuse(message),
                Ok(()) => {
                    // Without a listener its worker is gone, and the next one asks for itself.
                    if it.tell() {
                        entry.asked = Some(wanted);
                        self.count(Some(wanted), 1);
                        self.count(Some(held), -1);
                    }
                    false
                }
            };
            if waits {
                self.waiting.push(it);
            }
        }
    }
}

#[cfg(test)]
#[path = "roster_tests.rs"]
mod tests;
