//! The file that tells kubectl where the cluster is and who is asking.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::Identity;

/// A kubeconfig with one cluster, one user and one context, everything embedded. JSON is YAML, and kubectl rewrites
/// the file its own way when it changes something.
pub fn kubeconfig(cluster: &str, server_url: &str, authority_pem: &str, user: &str, identity: &Identity) -> String {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": cluster,
        "clusters": [{ "name": cluster, "cluster": {
            "server": server_url,
            "certificate-authority-data": STANDARD.encode(authority_pem),
        } }],
        "users": [{ "name": user, "user": {
            "client-certificate-data": STANDARD.encode(&identity.certificate_pem),
            "client-key-data": STANDARD.encode(&identity.key_pem),
        } }],
        "contexts": [{ "name": cluster, "context": { "cluster": cluster, "user": user } }],
        "preferences": {},
    });
    serde_yaml::to_string(&config).unwrap_or_else(|_| config.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_back_as_yaml() {
        let identity = Identity { certificate_pem: "C".into(), key_pem: "K".into() };
        let text = kubeconfig("coracle", "https://127.0.0.1:6443", "CA", "admin", &identity);
        let value: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        assert_eq!(value["clusters"][0]["cluster"]["server"], "https://127.0.0.1:6443");
        assert_eq!(value["users"][0]["user"]["client-key-data"], STANDARD.encode("K"));
        assert_eq!(value["contexts"][0]["name"], value["current-context"]);
    }
}
