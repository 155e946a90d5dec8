//! How the seats of the server are shared out among its levels (`apf_controller.go`, `finishQueueSetReconfigsLocked`).

use super::spec::{LevelSpec, Response};

/// The widest request: it takes so many seats at most (`maximumSeats`).
pub(super) const MAX_SEATS: u32 = 10;
/// No request takes more of its level than this, in percent (`priorityLevelMaxSeatsPercent`).
const WIDEST_PERCENT: u32 = 15;

/// What a level may have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Limits {
    /// Its own seats: `NominalCL`.
    pub(super) nominal: u32,
    /// So many of them may be lent: `LendableCL`.
    pub(super) lendable: u32,
    /// Its own seats with all that it may borrow: `MaxCL`.
    pub(super) most: u32,
    /// Seats of its widest request.
    pub(super) widest: u32,
}

impl Limits {
    /// Of a level, out of `total` seats that are shared among levels with `sum` shares.
    pub(super) fn of(spec: &LevelSpec, total: u32, sum: u64) -> Self {
        let shares = u64::from(spec.shares);
        // Rounded up, so that a level with a share has a seat; together they may be some more than the total.
        let nominal = if sum == 0 { 0 } else { (u64::from(total) * shares).div_ceil(sum) };
        let nominal = u32::try_from(nominal).unwrap_or(u32::MAX);
        let borrowing = spec.borrowing_percent.map_or(total, |percent| percentage(nominal, percent));
        let widest = match spec.response {
            Response::Queue(queuing) => {
                let part = (u64::from(nominal) * u64::from(WIDEST_PERCENT)).div_ceil(100);
                u64::from(nominal / queuing.hand.max(1)).min(part).clamp(1, u64::from(MAX_SEATS)) as u32
            }
            Response::Exempt | Response::Reject => MAX_SEATS,
        };
        let lendable = percentage(nominal, spec.lendable_percent);
        Self { nominal, lendable, most: nominal.saturating_add(borrowing), widest }
    }
}

/// Rounded as Go rounds: a half up.
fn percentage(of: u32, percent: u32) -> u32 {
    u32::try_from((u64::from(of) * u64::from(percent) + 50) / 100).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bootstrap;

    fn defaults() -> Vec<LevelSpec> {
        bootstrap::priority_levels().iter().filter_map(LevelSpec::read).collect()
    }

    /// The table in Kubernetes' own documentation: 600 seats and the levels that every cluster has.
    #[test]
    fn a_cluster_shares_its_seats_as_kubernetes_does() {
        let levels = defaults();
        let sum = levels.iter().map(|level| u64::from(level.shares)).sum();
        assert_eq!(sum, 245);
        let seats = |name: &str| {
            let limits = Limits::of(levels.iter().find(|level| &*level.name == name).unwrap(), 600, sum);
            (limits.nominal, limits.lendable, limits.most, limits.widest)
        };
        assert_eq!(seats("exempt"), (0, 0, 600, 10));
        assert_eq!(seats("catch-all"), (13, 0, 613, 10));
        assert_eq!(seats("system"), (74, 24, 674, 10));
        assert_eq!(seats("node-high"), (98, 25, 698, 10));
        assert_eq!(seats("leader-election"), (25, 0, 625, 4));
        assert_eq!(seats("workload-high"), (98, 49, 698, 10));
        assert_eq!(seats("workload-low"), (245, 221, 845, 10));
        assert_eq!(seats("global-default"), (49, 25, 649, 8));
    }

    #[test]
    fn borrowing_has_a_limit_if_it_is_given() {
        let mut level = defaults().into_iter().find(|level| &*level.name == "global-default").unwrap();
        level.borrowing_percent = Some(50);
        assert_eq!(Limits::of(&level, 100, 40), Limits { nominal: 50, lendable: 25, most: 75, widest: 8 });
        level.borrowing_percent = Some(0);
        assert_eq!(Limits::of(&level, 100, 40).most, 50);
        level.shares = 0;
        assert_eq!(Limits::of(&level, 100, 0), Limits { nominal: 0, lendable: 0, most: 0, widest: 1 });
    }
}
