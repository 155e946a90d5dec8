//! What the table of usage shows (`metrics.k8s.io`, as metrics-server serves it). Its objects are made when somebody
//! asks, so there is nothing to default or to check.

use serde_json::{Value, json};

use super::table::column;
use crate::catalog::{Column, RowCells, Rules};
use crate::quantity::Quantity;

/// The columns of both kinds.
const COLUMNS: &[Column] = &[
    column("Cpu", "CPU used over the window, as an average."),
    column("Memory", "Memory in use at the end of the window."),
    column("Window", "The time that the CPU was measured over."),
];

/// The rules of `nodes.metrics.k8s.io`.
pub static NODES: Rules = Rules {
    columns: COLUMNS,
    cells: |node, _| RowCells { cells: cells(node, std::iter::once(&node["usage"])) },
    ..Rules::GENERIC
};

/// The rules of `pods.metrics.k8s.io`.
pub static PODS: Rules = Rules {
    columns: COLUMNS,
    cells: |pod, _| RowCells {
        cells: cells(pod, pod["containers"].as_array().into_iter().flatten().map(|container| &container["usage"])),
    },
    ..Rules::GENERIC
};

fn cells<'a>(object: &Value, usages: impl Iterator<Item = &'a Value>) -> Vec<Value> {
    let amount = |usage: &Value, name: &str| Quantity::from_value(&usage[name]).map_or(0, Quantity::nanos);
    let (cpu, memory) = usages
        .fold((0, 0), |(cpu, memory), usage| (cpu + amount(usage, "cpu"), memory + amount(usage, "memory") / NANOS));
    vec![json!(format!("{cpu}n")), json!(format!("{}Ki", memory / 1024)), object["window"].clone()]
}

/// Nanos of one.
const NANOS: i128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pods_row_is_the_sum_of_its_containers() {
        let usage = |cpu: &str, memory: &str| json!({ "usage": { "cpu": cpu, "memory": memory } });
        let pod = json!({ "window": "5s", "containers": [usage("250n", "3Ki"), usage("1m", "1Mi")] });
        assert_eq!((PODS.cells)(&pod, 0).cells, [json!("1000250n"), json!("1027Ki"), json!("5s")]);
        let node = json!({ "window": "5s", "usage": { "cpu": "2", "memory": "1Gi" } });
        assert_eq!((NODES.cells)(&node, 0).cells, [json!("2000000000n"), json!("1048576Ki"), json!("5s")]);
    }
}
