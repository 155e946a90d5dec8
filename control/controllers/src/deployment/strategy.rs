//! How far a rollout may go at once: `maxSurge` and `maxUnavailable`, resolved to numbers of pods.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// The limits of one deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Pods wanted.
    pub replicas: i32,
    /// Pods that may exist above that.
    pub max_surge: i32,
    /// Pods that may be unavailable below that.
    pub max_unavailable: i32,
}

/// Whether all old pods go before the first new one comes.
pub fn is_recreate(deployment: &Deployment) -> bool {
    let strategy = deployment.spec.as_ref().and_then(|s| s.strategy.as_ref());
    strategy.and_then(|s| s.type_.as_deref()) == Some("Recreate")
}

impl Limits {
    /// Reads them. Percentages of surge are rounded up and of unavailability down; both zero would be a rollout that
    /// can't move, and becomes one unavailable.
    pub fn of(deployment: &Deployment) -> Limits {
        let spec = deployment.spec.as_ref();
        let replicas = spec.and_then(|s| s.replicas).unwrap_or(1);
        if is_recreate(deployment) {
            return Limits { replicas, max_surge: 0, max_unavailable: 0 };
        }
        let rolling = spec.and_then(|s| s.strategy.as_ref()).and_then(|s| s.rolling_update.as_ref());
        let quarter = IntOrString::String("25%".to_owned());
        let surge = rolling.and_then(|r| r.max_surge.as_ref()).unwrap_or(&quarter);
        let unavailable = rolling.and_then(|r| r.max_unavailable.as_ref()).unwrap_or(&quarter);
        let max_surge = resolve(surge, replicas, true);
        let max_unavailable = match resolve(unavailable, replicas, false) {
            0 if max_surge == 0 => 1,
            limit => limit.min(replicas.max(0)),
        };
        Limits { replicas, max_surge, max_unavailable }
    }

    /// Pods that may exist at most.
    pub fn max_pods(self) -> i32 {
        self.replicas.saturating_add(self.max_surge)
    }

    /// Pods that must be available at least.
    pub fn min_available(self) -> i32 {
        self.replicas - self.max_unavailable
    }
}

/// A number, or a percentage of `total`. What is neither counts as nothing: validation lets none through.
fn resolve(value: &IntOrString, total: i32, round_up: bool) -> i32 {
    match value {
        IntOrString::Int(number) => (*number).max(0),
        IntOrString::String(text) => {
            let Some(percent) = text.strip_suffix('%').and_then(|p| p.parse::<i64>().ok()) else { return 0 };
            let hundredths = i64::from(total) * percent.max(0);
            let rounded = if round_up { (hundredths + 99) / 100 } else { hundredths / 100 };
            i32::try_from(rounded).unwrap_or(i32::MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::rollout::testing::deployment;
    use serde_json::json;

    #[test]
    fn percentages_round_as_in_kubernetes() {
        for (replicas, surge, unavailable, expected) in [
            (10, json!("25%"), json!("25%"), (3, 2)),
            (1, json!("25%"), json!("25%"), (1, 0)),
            (4, json!(2), json!("100%"), (2, 4)),
            (5, json!(0), json!("10%"), (0, 1)),
            (0, json!("50%"), json!(1), (0, 0)),
            (3, json!(0), json!(7), (0, 3)),
        ] {
            let strategy = json!({"type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}});
            let limits = Limits::of(&deployment(replicas, &json!({"strategy": strategy})));
            assert_eq!((limits.max_surge, limits.max_unavailable), expected, "{replicas} {surge} {unavailable}");
        }
    }

    #[test]
    fn recreate_has_no_room() {
        let recreate = deployment(3, &json!({"strategy": {"type": "Recreate"}}));
        assert!(is_recreate(&recreate));
        assert_eq!(Limits::of(&recreate), Limits { replicas: 3, max_surge: 0, max_unavailable: 0 });
    }
}
