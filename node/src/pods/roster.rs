//! The pods of this node as objects, and what they ask for together: for those who must judge a pod or all of them.

use std::{collections::HashMap, sync::Arc};

use coracle_api::{
    pod::{is_terminal, requests},
    quantity::Quantity,
};
use k8s_openapi::api::core::v1::Pod;
use parking_lot::RwLock;

/// Resources that are counted, in the order of [`Asked`].
pub const COUNTED: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// What pods ask for: thousandths of CPUs, bytes of memory, bytes of local storage.
pub type Asked = [i64; COUNTED.len()];

/// The pods by UID.
#[derive(Default)]
pub struct Roster {
    inner: RwLock<Inner>,
}

#[derive(Default)]
struct Inner {
    pods: HashMap<String, Entry>,
    sum: Asked,
    active: u32,
}

struct Entry {
    pod: Arc<Pod>,
    /// What it asks for; None once it has ended or was refused.
    asked: Option<Asked>,
    /// The node does not take it, whether the API knows that already or not.
    refused: bool,
}

/// What one pod asks for.
pub fn asked(pod: &Pod) -> Asked {
    let all = requests(pod);
    COUNTED.map(|name| {
        let amount = all.get(name).copied().unwrap_or(Quantity::ZERO);
        if name == "cpu" { amount.milli_value() } else { amount.value() }
    })
}

impl Roster {
    /// Takes in a pod, new or changed.
    pub fn put(&self, uid: &str, pod: Arc<Pod>) {
        let mut inner = self.inner.write();
        let refused = inner.pods.get(uid).is_some_and(|entry| entry.refused);
        let asked = (!refused && !is_terminal(&pod)).then(|| asked(&pod));
        inner.count(asked, 1);
        let before = inner.pods.insert(uid.to_owned(), Entry { pod, asked, refused });
        inner.count(before.and_then(|entry| entry.asked), -1);
    }

    /// The node does not take the pod: it counts no more.
    pub fn refuse(&self, uid: &str) {
        let mut inner = self.inner.write();
        let Some(entry) = inner.pods.get_mut(uid) else { return };
        entry.refused = true;
        let asked = entry.asked.take();
        inner.count(asked, -1);
    }

    /// The pod is gone.
    pub fn remove(&self, uid: &str) {
        let mut inner = self.inner.write();
        let before = inner.pods.remove(uid);
        inner.count(before.and_then(|entry| entry.asked), -1);
    }

    /// The pod of this UID.
    pub fn get(&self, uid: &str) -> Option<Arc<Pod>> {
        self.inner.read().pods.get(uid).map(|entry| Arc::clone(&entry.pod))
    }

    /// All pods, those that have ended among them.
    pub fn all(&self) -> Vec<Arc<Pod>> {
        self.inner.read().pods.values().map(|entry| Arc::clone(&entry.pod)).collect()
    }

    /// The pods that have not ended and were not refused, with their UIDs.
    pub fn active(&self) -> Vec<(String, Arc<Pod>)> {
        let inner = self.inner.read();
        let active = inner.pods.iter().filter(|(_, entry)| entry.asked.is_some());
        active.map(|(uid, entry)| (uid.clone(), Arc::clone(&entry.pod))).collect()
    }

    /// How many pods have not ended, and what they ask for together.
    pub fn load(&self) -> (u32, Asked) {
        let inner = self.inner.read();
        (inner.active, inner.sum)
    }
}

impl Inner {
    fn count(&mut self, asked: Option<Asked>, sign: i64) {
        let Some(asked) = asked else { return };
        for (sum, amount) in self.sum.iter_mut().zip(asked) {
            *sum = sum.saturating_add(amount.saturating_mul(sign));
        }
        self.active = self.active.saturating_add_signed(if sign > 0 { 1 } else { -1 });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(cpu: &str, phase: &str) -> Arc<Pod> {
        let containers = json!([{"name": "c", "resources": {"requests": {"cpu": cpu, "memory": "1Ki"}}}]);
        let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": containers}, "status": {"phase": phase}});
        Arc::new(serde_json::from_value(pod).unwrap())
    }

    #[test]
    fn what_has_not_ended_is_counted_once() {
        let roster = Roster::default();
        roster.put("a", pod("500m", "Pending"));
        roster.put("b", pod("1", "Running"));
        assert_eq!(roster.load(), (2, [1500, 2048, 0]));
        roster.put("b", pod("2", "Running"));
        assert_eq!(roster.load(), (2, [2500, 2048, 0]));
        roster.put("b", pod("2", "Succeeded"));
        assert_eq!((roster.load(), roster.active().len(), roster.all().len()), ((1, [500, 1024, 0]), 1, 2));
        roster.refuse("a");
        roster.refuse("c");
        roster.put("a", pod("500m", "Pending"));
        assert_eq!((roster.load(), roster.active().len()), ((0, [0, 0, 0]), 0));
        roster.remove("a");
        roster.remove("b");
        roster.remove("b");
        assert_eq!(roster.load(), (0, [0, 0, 0]));
    }
}
