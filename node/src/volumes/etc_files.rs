//! The files the node gives to every command: `/etc/hosts`, `/etc/hostname`, `/etc/resolv.conf`.

use std::{
    fs,
    io::{self, Read},
    net::IpAddr,
    path::{Path, PathBuf},
};

use k8s_openapi::api::core::v1::{HostAlias, PodSpec};

use super::{mount::Binding, resolv_conf::resolv_conf};

/// What is read of a file of the node.
const FILE_LIMIT_BYTES: u64 = 1 << 20;

/// What the files say.
pub struct EtcFiles<'a> {
    /// The pod.
    pub spec: &'a PodSpec,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name among those of its domain.
    pub hostname: &'a str,
    /// Its domain.
    pub domain: Option<&'a str>,
    /// The name it knows itself by: one of the two, or both together.
    pub called: &'a str,
    /// Its address.
    pub address: IpAddr,
    /// `cluster.local`
    pub cluster_domain: &'a str,
}

impl EtcFiles<'_> {
    /// Puts the files into `dir`, the pod's, and tells where a container finds them. Files that are as they should be
    /// are not touched: other containers see them.
    pub(super) fn bindings(&self, dir: &Path) -> io::Result<Vec<Binding>> {
        let resolver = node_file(Path::new("/etc/resolv.conf"));
        let files = [
            ("hosts", self.hosts(Path::new("/etc/hosts"))),
            ("hostname", format!("{}\n", self.called)),
            ("resolv.conf", resolv_conf(self.spec, self.namespace, self.cluster_domain, &resolver)),
        ];
        fs::create_dir_all(dir)?;
        let dir = dir.canonicalize()?;
        let binding = |(name, content): (&str, String)| {
            let host = dir.join(name);
            if fs::read(&host).ok().as_deref() != Some(content.as_bytes()) {
                fs::write(&host, content)?;
            }
            let guest = PathBuf::from("/etc").join(name);
            Ok(Binding { guest, host, read_only: true, is_file: true, outlives: false })
        };
        files.into_iter().map(binding).collect()
    }

    /// `/etc/hosts` as kubelet writes it.
    fn hosts(&self, of_node: &Path) -> String {
        let aliases = self.spec.host_aliases.as_deref().unwrap_or_default();
        if self.spec.host_network.unwrap_or(false) {
            let own = node_file(of_node);
            return format!("# Kubernetes-managed hosts file (host network).\n{own}{}", alias_lines(aliases));
        }
        let (address, hostname) = (self.address, self.hostname);
        let own = match self.domain {
            Some(domain) => format!("{address}\t{hostname}.{domain}\t{hostname}\n"),
            None => format!("{address}\t{hostname}\n"),
        };
        let lines = [
            "# Kubernetes-managed hosts file.",
            "127.0.0.1\tlocalhost",
            "::1\tlocalhost ip6-localhost ip6-loopback",
            "fe00::0\tip6-localnet",
            "fe00::0\tip6-mcastprefix",
            "fe00::1\tip6-allnodes",
            "fe00::2\tip6-allrouters",
        ];
        format!("{}\n{own}{}", lines.join("\n"), alias_lines(aliases))
    }
}

fn alias_lines(aliases: &[HostAlias]) -> String {
    if aliases.is_empty() {
        return String::new();
    }
    let line =
        |alias: &HostAlias| format!("{}\t{}\n", alias.ip, alias.hostnames.as_deref().unwrap_or_default().join("\t"));
    let lines: String = aliases.iter().map(line).collect();
    format!("\n# Entries added by HostAliases.\n{lines}")
}

/// The beginning of a file of the node; empty if it can't be read.
fn node_file(path: &Path) -> String {
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(FILE_LIMIT_BYTES).read_to_end(&mut bytes));
    read.map(|_| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hosts(spec: serde_json::Value, domain: Option<&str>) -> String {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("hosts"), "127.0.0.1 here\n").unwrap();
        let spec = serde_json::from_value(spec).unwrap();
        let address = "10.1.0.7".parse().unwrap();
        let files = EtcFiles {
            spec: &spec,
            namespace: "ns",
            hostname: "web-0",
            domain,
            called: "web-0",
            address,
            cluster_domain: "cluster.local",
        };
        files.hosts(&dir.path().join("hosts"))
    }

    #[test]
    fn hosts_is_what_kubelet_writes() {
        let head = "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n\
                    fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n";
        assert_eq!(hosts(json!({"containers": []}), None), format!("{head}10.1.0.7\tweb-0\n"));
        let aliases = json!([{"ip": "123.45.67.89", "hostnames": ["foo", "bar"]}]);
        let lines = "\n# Entries added by HostAliases.\n123.45.67.89\tfoo\tbar\n";
        assert_eq!(
            hosts(json!({"containers": [], "hostAliases": aliases}), Some("web.ns.svc.cluster.local")),
            format!("{head}10.1.0.7\tweb-0.web.ns.svc.cluster.local\tweb-0\n{lines}")
        );
        assert_eq!(
            hosts(json!({"containers": [], "hostNetwork": true, "hostAliases": aliases}), None),
            format!("# Kubernetes-managed hosts file (host network).\n127.0.0.1 here\n{lines}")
        );
    }
}
