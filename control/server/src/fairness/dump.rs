//! `/debug/api_priority_and_fairness/dump_priority_levels`: what each level is doing, a line each (`apf_controller_debug.go`).

use super::Fairness;

/// The path of the dump.
pub(crate) const PATH: &str = "/debug/api_priority_and_fairness/dump_priority_levels";

const COLUMNS: [&str; 6] =
    ["PriorityLevelName", "ActiveQueues", "IsIdle", "IsQuiescing", "WaitingRequests", "ExecutingRequests"];

impl Fairness {
    /// The levels as a table whose columns are as wide as they must be.
    pub(crate) fn dump(&self) -> String {
        let mut rows = vec![COLUMNS.map(String::from)];
        {
            let state = self.state.lock();
            let mut levels: Vec<_> = state.levels.values().collect();
            levels.sort_by(|a, b| a.spec.name.cmp(&b.spec.name));
            rows.extend(levels.iter().map(|level| {
                [
                    level.spec.name.to_string(),
                    level.queues.active().to_string(),
                    level.tickets.is_empty().to_string(),
                    level.retired.to_string(),
                    level.queues.waiting().to_string(),
                    level.running().to_string(),
                ]
            }));
        }
        table(&rows)
    }
}

fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let widths: [usize; N] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or_default() + 2);
    let mut text = String::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            let last = column + 1 == N;
            let cell = if last { cell.clone() } else { format!("{cell},") };
            text += &if last { cell } else { format!("{cell:<width$}", width = widths[column]) };
        }
        text.push('\n');
    }
    text
}
