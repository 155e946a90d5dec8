//! The secrets that an account lets its pods have, if it is told to be strict: then those that it names, and no others.

use std::collections::HashSet;

use coracle_api::meta;
use serde_json::Value;

use crate::value::{items, text};

const ENFORCE: &str = "kubernetes.io/enforce-mountable-secrets";

/// What a strict account names.
struct Named<'a> {
    account: &'a str,
    secrets: HashSet<&'a str>,
}

impl<'a> Named<'a> {
    /// `None` for an account that does not care.
    fn by(account: &'a Value) -> Option<Self> {
        is_strict(account).then(|| Self { account: meta::name(account), secrets: names(&account["secrets"]) })
    }

    fn check(&self, secret: &Value, what: impl FnOnce() -> String) -> Result<(), String> {
        let (secret, account) = (text(secret), self.account);
        if self.secrets.contains(secret) {
            return Ok(());
        }
        Err(format!(
            "{} secret.secretName=\"{secret}\" is not allowed because service account {account} does not reference that \
             secret",
            what()
        ))
    }

    fn check_containers(&self, containers: &Value, what: &str) -> Result<(), String> {
        for container in items(containers) {
            let name = text(&container["name"]);
            for variable in items(&container["env"]) {
                let secret = &variable["valueFrom"]["secretKeyRef"];
                if secret.is_object() {
                    let variable = text(&variable["name"]);
                    self.check(&secret["name"], || format!("{what} {name} with envVar {variable} referencing"))?;
                }
            }
            for source in items(&container["envFrom"]).filter(|source| source["secretRef"].is_object()) {
                self.check(&source["secretRef"]["name"], || format!("{what} {name} with envFrom referencing"))?;
            }
        }
        Ok(())
    }
}

/// Whether the account has all secrets among its own that a new pod uses. Projected volumes are not looked at, nor are they
/// upstream.
///
/// # Errors
/// What is wrong with the first other one.
pub(super) fn check_pod(account: &Value, pod: &Value) -> Result<(), String> {
    let Some(named) = Named::by(account) else { return Ok(()) };
    let spec = &pod["spec"];
    for volume in items(&spec["volumes"]).filter(|volume| volume["secret"].is_object()) {
        named.check(&volume["secret"]["secretName"], || "volume with".into())?;
    }
    named.check_containers(&spec["initContainers"], "init container")?;
    named.check_containers(&spec["containers"], "container")?;
    let pull = names(&account["imagePullSecrets"]);
    for (index, secret) in items(&spec["imagePullSecrets"]).enumerate() {
        let (secret, account) = (text(&secret["name"]), named.account);
        if !pull.contains(secret) {
            return Err(format!(
                "imagePullSecrets[{index}].name=\"{secret}\" is not allowed because service account {account} does not \
                 reference that imagePullSecret"
            ));
        }
    }
    Ok(())
}

/// The same for the containers that are added to a pod that runs.
///
/// # Errors
/// What is wrong with the first other one.
pub(super) fn check_ephemeral(account: &Value, pod: &Value) -> Result<(), String> {
    let named = Named::by(account);
    named.map_or(Ok(()), |named| named.check_containers(&pod["spec"]["ephemeralContainers"], "ephemeral container"))
}

/// As Go's `ParseBool` reads it; what that can't read is no.
fn is_strict(account: &Value) -> bool {
    let told = meta::annotations(account).get(ENFORCE).copied();
    matches!(told, Some("1" | "t" | "T" | "true" | "TRUE" | "True"))
}

fn names(references: &Value) -> HashSet<&str> {
    items(references).filter_map(|reference| reference["name"].as_str()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn account(strict: &str) -> Value {
        json!({
            "metadata": { "name": "app", "annotations": { ENFORCE: strict } },
            "secrets": [{ "name": "a" }], "imagePullSecrets": [{ "name": "pull" }],
        })
    }

    fn refused(spec: Value) -> String {
        check_pod(&account("true"), &json!({ "spec": spec })).unwrap_err()
    }

    #[test]
    fn a_strict_account_knows_every_secret_of_its_pods() {
        let variable =
            |secret: &str| json!({ "name": "V", "valueFrom": { "secretKeyRef": { "name": secret, "key": "k" } } });
        let from = |secret: &str| json!({ "secretRef": { "name": secret } });
        let volume = |secret: &str| json!({ "name": "v", "secret": { "secretName": secret } });
        let end = "is not allowed because service account app does not reference that secret";
        assert_eq!(
            refused(json!({ "volumes": [volume("a"), volume("b")] })),
            format!("volume with secret.secretName=\"b\" {end}")
        );
        assert_eq!(
            refused(json!({ "initContainers": [{ "name": "i", "env": [variable("a"), variable("b")] }] })),
            format!("init container i with envVar V referencing secret.secretName=\"b\" {end}")
        );
        assert_eq!(
            refused(json!({ "containers": [{ "name": "c", "envFrom": [from("a"), from("b")] }] })),
            format!("container c with envFrom referencing secret.secretName=\"b\" {end}")
        );
        assert_eq!(
            refused(json!({ "imagePullSecrets": [{ "name": "pull" }, { "name": "a" }] })),
            "imagePullSecrets[1].name=\"a\" is not allowed because service account app does not reference that \
             imagePullSecret"
        );
        let fine = json!({ "spec": {
            "volumes": [volume("a"), { "name": "p", "projected": { "sources": [{ "secret": { "name": "b" } }] } }],
            "containers": [{ "name": "c", "env": [variable("a"), { "name": "W", "value": "w" }], "envFrom": [from("a")] }],
            "imagePullSecrets": [{ "name": "pull" }],
        } });
        assert_eq!(check_pod(&account("true"), &fine), Ok(()));
        let debugged = json!({ "spec": { "ephemeralContainers": [{ "name": "e", "env": [variable("b")] }] } });
        assert_eq!(
            check_ephemeral(&account("true"), &debugged).unwrap_err(),
            format!("ephemeral container e with envVar V referencing secret.secretName=\"b\" {end}")
        );
        assert_eq!(check_ephemeral(&account("false"), &debugged), Ok(()));
    }

    #[test]
    fn accounts_are_strict_in_the_words_of_go() {
        for (told, strict) in
            [("1", true), ("t", true), ("TRUE", true), ("True", true), ("tRUE", false), ("yes", false)]
        {
            assert_eq!(is_strict(&account(told)), strict, "{told}");
        }
        assert!(!is_strict(&json!({ "metadata": { "name": "app" } })));
    }
}
