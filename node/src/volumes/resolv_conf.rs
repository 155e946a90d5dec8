//! `/etc/resolv.conf` of a pod, from `dnsPolicy` and `dnsConfig`.
//!
//! The cluster has no DNS server: names are resolved by the node's host side, for WASI's `ip-name-lookup` and for what
//! the pod's sockets dial. The file is for programs that read it; its nameservers are the node's own.

use k8s_openapi::api::core::v1::{PodDNSConfig, PodSpec};

/// What resolvers take (glibc; Kubernetes' own limits).
const NAMESERVERS_LIMIT: usize = 3;
const SEARCHES_LIMIT: usize = 32;

#[derive(Debug, Default)]
struct Settings {
    nameservers: Vec<String>,
    searches: Vec<String>,
    options: Vec<String>,
}

/// The file's content, beside a node whose own file is `of_node`.
pub fn resolv_conf(spec: &PodSpec, namespace: &str, domain: &str, of_node: &str) -> String {
    let host_network = spec.host_network.unwrap_or(false);
    let mut settings = match spec.dns_policy.as_deref() {
        Some("None") => Settings::default(),
        Some("Default") => parse(of_node),
        Some("ClusterFirstWithHostNet") => in_cluster(parse(of_node), namespace, domain),
        _ if host_network => parse(of_node),
        _ => in_cluster(parse(of_node), namespace, domain),
    };
    if let Some(config) = &spec.dns_config {
        settings.add(config);
    }
    settings.nameservers.truncate(NAMESERVERS_LIMIT);
    settings.searches.truncate(SEARCHES_LIMIT);
    settings.to_text()
}

fn in_cluster(of_node: Settings, namespace: &str, domain: &str) -> Settings {
    let mut searches = vec![format!("{namespace}.svc.{domain}"), format!("svc.{domain}"), domain.to_owned()];
    add_new(&mut searches, of_node.searches);
    Settings { nameservers: of_node.nameservers, searches, options: vec!["ndots:5".to_owned()] }
}

fn parse(text: &str) -> Settings {
    let mut settings = Settings::default();
    for line in text.lines().filter(|line| !line.starts_with(['#', ';'])) {
        let mut words = line.split_whitespace().map(str::to_owned);
        match words.next().as_deref() {
            Some("nameserver") => settings.nameservers.extend(words.next()),
            // The last line of each counts.
            Some("search") => settings.searches = words.filter(|search| search != ".").collect(),
            Some("options") => settings.options = words.collect(),
            _ => {}
        }
    }
    settings
}

impl Settings {
    /// What `dnsConfig` adds; an option takes the place of one of the same name.
    fn add(&mut self, config: &PodDNSConfig) {
        add_new(&mut self.nameservers, config.nameservers.clone().unwrap_or_default());
        add_new(&mut self.searches, config.searches.clone().unwrap_or_default());
        for option in config.options.iter().flatten() {
            let Some(name) = &option.name else { continue };
            self.options.retain(|known| known.split(':').next() != Some(name));
            let value = option.value.as_deref().filter(|value| !value.is_empty());
            self.options.push(value.map_or_else(|| name.clone(), |value| format!("{name}:{value}")));
        }
    }

    fn to_text(&self) -> String {
        let mut lines = Vec::new();
        if !self.searches.is_empty() {
            lines.push(format!("search {}\n", self.searches.join(" ")));
        }
        lines.extend(self.nameservers.iter().map(|server| format!("nameserver {server}\n")));
        if !self.options.is_empty() {
            lines.push(format!("options {}\n", self.options.join(" ")));
        }
        lines.concat()
    }
}

fn add_new(to: &mut Vec<String>, more: Vec<String>) {
    for one in more {
        if !to.contains(&one) {
            to.push(one);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn policies_and_settings_combine_as_in_kubernetes() {
        let node = "# mine\nnameserver 192.0.2.1\nsearch lan .\noptions timeout:1\n";
        let cluster =
            "search ns.svc.cluster.local svc.cluster.local cluster.local lan\nnameserver 192.0.2.1\noptions ndots:5\n";
        let host = "search lan\nnameserver 192.0.2.1\noptions timeout:1\n";
        let config = json!({"nameservers": ["192.0.2.9"], "searches": ["a.b"], "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}]});
        for (spec, text) in [
            (json!({}), cluster),
            (json!({"dnsPolicy": "ClusterFirst", "hostNetwork": true}), host),
            (json!({"dnsPolicy": "ClusterFirstWithHostNet", "hostNetwork": true}), cluster),
            (json!({"dnsPolicy": "Default"}), host),
            (
                json!({"dnsPolicy": "None", "dnsConfig": config}),
                "search a.b\nnameserver 192.0.2.9\noptions ndots:2 edns0\n",
            ),
            (
                json!({"dnsPolicy": "ClusterFirst", "dnsConfig": config}),
                "search ns.svc.cluster.local svc.cluster.local cluster.local lan a.b\nnameserver 192.0.2.1\nnameserver 192.0.2.9\noptions ndots:2 edns0\n",
            ),
        ] {
            let mut spec = spec;
            spec["containers"] = json!([]);
            let spec = serde_json::from_value(spec).unwrap();
            assert_eq!(resolv_conf(&spec, "ns", "cluster.local", node), text);
        }
    }
}
