//! The quality-of-service class of a pod.

use std::fmt;

use k8s_openapi::api::core::v1::{Pod, ResourceRequirements};

use super::resources::{ResourceList, read_list};

/// `status.qosClass`: who is evicted first when a node runs short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QosClass {
    /// Every container has limits for CPU and memory, and requests equal to them.
    Guaranteed,
    /// Something is requested or limited.
    Burstable,
    /// Nothing is.
    BestEffort,
}

impl QosClass {
    /// As it stands in `status.qosClass`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Guaranteed => "Guaranteed",
            Self::Burstable => "Burstable",
            Self::BestEffort => "BestEffort",
        }
    }
}

impl fmt::Display for QosClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The class the pod's requests and limits of CPU and memory put it in.
pub fn qos_class(pod: &Pod) -> QosClass {
    let Some(spec) = &pod.spec else { return QosClass::BestEffort };
    let containers = || spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let parts: Vec<Option<&ResourceRequirements>> = match &spec.resources {
        // Requirements of the pod as a whole decide alone (KEP-2837).
        Some(pod_level) if pod_level.requests.is_some() || pod_level.limits.is_some() => vec![Some(pod_level)],
        _ => containers().map(|c| c.resources.as_ref()).collect(),
    };
    let (mut requests, mut limits) = (ResourceList::new(), ResourceList::new());
    let mut all_limited = true;
    for part in parts {
        sum_counted(&mut requests, read_list(part.and_then(|r| r.requests.as_ref())));
        let limited = sum_counted(&mut limits, read_list(part.and_then(|r| r.limits.as_ref())));
        all_limited &= limited == 2;
    }
    if requests.is_empty() && limits.is_empty() {
        QosClass::BestEffort
    } else if all_limited && requests == limits {
        QosClass::Guaranteed
    } else {
        QosClass::Burstable
    }
}

/// Adds the positive amounts of CPU and memory and says how many there were.
fn sum_counted(total: &mut ResourceList, more: ResourceList) -> usize {
    let counted = |name: &str| matches!(name, "cpu" | "memory");
    let mut found = 0;
    for (name, amount) in more {
        if counted(&name) && !amount.is_zero() && !amount.is_negative() {
            *total.entry(name).or_default() += amount;
            found += 1;
        }
    }
    found
}
