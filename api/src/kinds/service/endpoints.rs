//! Rules of Endpoints, which older clients read instead of EndpointSlices.

use serde_json::{Value, json};

use super::endpoint_validation;
use crate::catalog::{Column, RowCells, Rules};
use crate::kinds::json::{integer, items, list, set_if_zero, text};
use crate::kinds::table::{AGE, age, column, or_none};
use crate::names;

/// The rules of the row.
pub static ENDPOINTS: Rules = Rules {
    defaults,
    validate: endpoint_validation::endpoints,
    deprecation: Some(DEPRECATED),
    name_errors: names::subdomain_name,
    columns: COLUMNS,
    cells,
    ..Rules::GENERIC
};

const DEPRECATED: &str = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice";

const COLUMNS: &[Column] = &[
    column(
        "Endpoints",
        "The set of all endpoints is the union of all subsets. Addresses are placed into subsets according to the IPs \
         they share. A single address with multiple ports, some of which are ready and some of which are not (because \
         they come from different containers) will result in the address being displayed in different subsets for the \
         different ports. No address will appear in both Addresses and NotReadyAddresses in the same subset. Sets of \
         addresses and ports that comprise a service.",
    ),
    AGE,
];

/// How many elements a cell shows before it counts the rest.
pub(super) const SHOWN: usize = 3;

fn defaults(endpoints: &mut Value) {
    for subset in items(endpoints, "subsets") {
        items(subset, "ports").filter_map(Value::as_object_mut).for_each(|port| set_if_zero(port, "protocol", "TCP"));
    }
}

/// The first few texts, and how many more there are.
pub(super) fn abridged(all: &[String]) -> String {
    let shown = all[..all.len().min(SHOWN)].join(",");
    match all.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} + {more} more..."),
    }
}

fn cells(endpoints: &Value, now_seconds: i64) -> RowCells {
    let mut all = Vec::new();
    for subset in list(endpoints, "subsets") {
        let addresses = list(subset, "addresses").iter().map(|a| text(a, "ip"));
        match list(subset, "ports") {
            [] => all.extend(addresses.map(str::to_string)),
            ports => all.extend(ports.iter().flat_map(|p| addresses.clone().map(|a| host_port(a, integer(p, "port"))))),
        }
    }
    RowCells { cells: vec![or_none(&abridged(&all)), json!(age(endpoints, now_seconds))] }
}

fn host_port(address: &str, port: i64) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}
