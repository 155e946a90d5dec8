//! Containers: amounts, variables and ports that are not what they seem.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{SECCOMP, fractions};
use crate::kinds::json::{has, integer, list, part, text};
use crate::kinds::pod::validation::APP_ARMOR;

const SECCOMP_OF_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
const LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

fn each<'a>(spec: &'a Value, path: &str) -> Vec<(&'a Value, String)> {
    let of = |key: &'static str| {
        let path = path.to_string();
        list(spec, key).iter().enumerate().map(move |(index, container)| (container, format!("{path}.{key}[{index}]")))
    };
    LISTS.into_iter().flat_map(of).collect()
}

pub(super) fn of_containers(spec: &Value, path: &str, notes: &BTreeMap<&str, &str>, notes_path: &str) -> Vec<String> {
    let mut found = Vec::new();
    let is_template = path != "spec";
    for (container, path) in each(spec, path) {
        let note = |prefix: &str, text: &str| {
            let key = format!("{prefix}{}", self::text(container, "name"));
            notes.contains_key(key.as_str()).then(|| format!("{notes_path}[{key}]: {text}"))
        };
        if !has(container, "securityContext.seccompProfile") {
            found.extend(note(SECCOMP_OF_CONTAINER, SECCOMP));
        }
        // A pod's annotation becomes its field, which is when it is told.
        let field = has(spec, "securityContext.appArmorProfile") || has(container, "securityContext.appArmorProfile");
        if is_template || !field {
            let text = "deprecated since v1.30; use the \"appArmorProfile\" field instead";
            found.extend(note(APP_ARMOR, text).filter(|_| !field));
        }
        let resources = part(container, "resources");
        for name in ["memory", "ephemeral-storage"] {
            for list in ["limits", "requests"] {
                let all = fractions(&part(&resources, list), &format!("{path}.resources.{list}"));
                found.extend(all.into_iter().filter(|text| text.contains(&format!("[{name}]"))));
            }
        }
        found.extend(hidden_variables(container, &path));
    }
    found
}

/// A variable twice is lost when the list is merged by name; fine if the later one builds on the former.
fn hidden_variables(container: &Value, path: &str) -> Vec<String> {
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    for (index, variable) in list(container, "env").iter().enumerate() {
        let (name, value) = (text(variable, "name"), text(variable, "value"));
        let reference = format!("$({name})");
        let builds_on = !has(variable, "valueFrom") && value != reference && value.contains(&reference);
        if !seen.insert(name) && !builds_on {
            found.push(format!(
                "{path}.env[{index}]: hides previous definition of {name:?}, which may be dropped when using apply"
            ));
        }
    }
    found
}

/// Warnings about ports after which no more are looked for: each use of a port may be in the way of each other.
const WARNINGS_LIMIT: usize = 1_000;

/// A use of a port: its path, host port and host address.
type Use = (String, i64, String);

/// The uses of one port, in order, and where in that order those of a host port are.
#[derive(Default)]
struct Uses {
    all: Vec<Use>,
    of_host: BTreeMap<i64, Vec<usize>>,
    of_address: BTreeMap<(i64, String), Vec<usize>>,
}

impl Uses {
    fn add(&mut self, path: String, host: i64, address: &str) {
        let at = self.all.len();
        self.of_host.entry(host).or_default().push(at);
        self.of_address.entry((host, address.to_string())).or_default().push(at);
        self.all.push((path, host, address.to_string()));
    }

    /// Those that such a use is in the way of, in order.
    fn in_the_way(&self, host: i64, address: &str) -> Vec<&Use> {
        if host == 0 {
            return self.all.iter().collect();
        }
        let at = |address: &str| self.of_address.get(&(host, address.to_string()));
        let same = if address.is_empty() { [self.of_host.get(&host), None] } else { [at(address), at("")] };
        let mut places: Vec<usize> =
            same.into_iter().chain([self.of_host.get(&0)]).flatten().flatten().copied().collect();
        places.sort_unstable();
        places.into_iter().filter_map(|at| self.all.get(at)).collect()
    }
}

/// The same port twice is lost when the list is merged by port and protocol.
pub(super) fn of_ports(spec: &Value, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen: BTreeMap<(i64, String), Uses> = BTreeMap::new();
    for (container, path) in each(spec, path) {
        for (index, port) in list(container, "ports").iter().enumerate() {
            if found.len() >= WARNINGS_LIMIT {
                return found;
            }
            let path = format!("{path}.ports[{index}]");
            let (number, host) = (integer(port, "containerPort"), integer(port, "hostPort"));
            let (protocol, address) = (protocol(port), text(port, "hostIP"));
            if !address.is_empty() && host == 0 {
                let name = text(port, "name");
                found.push(format!(
                    "{path}: hostIP set without hostPort: {{Name:{name} HostPort:0 ContainerPort:{number} \
                     Protocol:{protocol} HostIP:{address}}}"
                ));
            }
            let others = seen.entry((number, protocol.to_string())).or_default();
            for (other, other_host, other_address) in others.in_the_way(host, address) {
                let what = if address == other_address && host == *other_host {
                    "duplicate"
                } else if host == 0 || *other_host == 0 {
                    "overlapping"
                } else {
                    "dangerously ambiguous"
                };
                found.push(format!("{path}: {what} port definition with {other}"));
            }
            others.add(path, host, address);
        }
    }
    found
}

/// Warnings are also given about what is not defaulted yet.
fn protocol(port: &Value) -> &str {
    match text(port, "protocol") {
        "" => "TCP",
        given => given,
    }
}
