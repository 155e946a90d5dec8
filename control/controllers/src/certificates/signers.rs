//! The signers that a cluster has, and what each of them signs (`pkg/controller/certificates/signer`, `pkg/apis/certificates`).

use super::request::Subject;

const CLIENT: &str = "kubernetes.io/kube-apiserver-client";
/// The signer of nodes' client certificates.
pub const KUBELET_CLIENT: &str = "kubernetes.io/kube-apiserver-client-kubelet";
const KUBELET_SERVING: &str = "kubernetes.io/kubelet-serving";
const UNKNOWN: &str = "kubernetes.io/legacy-unknown";

const NODES: &str = "system:nodes";
const NODE: &str = "system:node:";

/// Whether one of the cluster's own signers is asked.
pub fn is_own(signer: &str) -> bool {
    [CLIENT, KUBELET_CLIENT, KUBELET_SERVING, UNKNOWN].contains(&signer)
}

/// Whether the signer signs this.
///
/// # Errors
/// When it does not: says why.
pub fn check(signer: &str, subject: &Subject, usages: &[String]) -> Result<(), String> {
    match signer {
        CLIENT => {
            let allowed = ["digital signature", "key encipherment", "client auth"];
            let is_allowed = usages.iter().all(|usage| allowed.contains(&usage.as_str()));
            if is_allowed && has(usages, "client auth") {
                return Ok(());
            }
            Err("usages did not match [digital signature, key encipherment, client auth]".to_owned())
        }
        KUBELET_CLIENT => check_kubelet_client(subject, usages),
        KUBELET_SERVING => check_kubelet_serving(subject, usages),
        _ => Ok(()),
    }
}

/// Whether it is for the client certificate of a node.
///
/// # Errors
/// When it is not: says why.
pub fn check_kubelet_client(subject: &Subject, usages: &[String]) -> Result<(), String> {
    node(subject)?;
    if subject.dns + subject.addresses + subject.emails + subject.uris > 0 {
        return Err("DNS, email, IP address and URI subjectAltNames are not allowed".to_owned());
    }
    exactly(usages, "client auth")
}

fn check_kubelet_serving(subject: &Subject, usages: &[String]) -> Result<(), String> {
    node(subject)?;
    if subject.dns + subject.addresses == 0 {
        return Err("DNS or IP subjectAltName is required".to_owned());
    }
    if subject.emails + subject.uris > 0 {
        return Err("email and URI subjectAltNames are not allowed".to_owned());
    }
    exactly(usages, "server auth")
}

fn node(subject: &Subject) -> Result<(), String> {
    if subject.organizations != [NODES] {
        return Err(format!("subject organization is not {NODES}"));
    }
    if subject.common_name.len() <= NODE.len() || !subject.common_name.starts_with(NODE) {
        return Err(format!("subject common name does not begin with {NODE}"));
    }
    Ok(())
}

/// A signature, perhaps encipherment (of keys that can), and this purpose.
fn exactly(usages: &[String], purpose: &str) -> Result<(), String> {
    let known = |usage: &String| ["digital signature", "key encipherment", purpose].contains(&usage.as_str());
    if usages.iter().all(known) && has(usages, "digital signature") && has(usages, purpose) {
        return Ok(());
    }
    Err(format!("usages did not match [digital signature, key encipherment, {purpose}]"))
}

fn has(usages: &[String], usage: &str) -> bool {
    usages.iter().any(|own| own == usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usages(usages: &[&str]) -> Vec<String> {
        usages.iter().map(|usage| (*usage).to_owned()).collect()
    }

    fn node() -> Subject {
        Subject { common_name: "system:node:n1".into(), organizations: vec![NODES.into()], ..Subject::default() }
    }

    #[test]
    fn a_nodes_client_certificate_is_of_a_node_and_for_nothing_else() {
        let wanted = usages(&["digital signature", "client auth"]);
        assert_eq!(check(KUBELET_CLIENT, &node(), &wanted), Ok(()));
        for (subject, usages) in [
            (Subject { organizations: vec!["system:masters".into()], ..node() }, wanted.clone()),
            (Subject { organizations: vec![NODES.into(), "system:masters".into()], ..node() }, wanted.clone()),
            (Subject { common_name: "system:node:".into(), ..node() }, wanted.clone()),
            (Subject { dns: 1, ..node() }, wanted.clone()),
            (node(), usages(&["digital signature", "client auth", "server auth"])),
            (node(), usages(&["client auth"])),
        ] {
            assert!(check(KUBELET_CLIENT, &subject, &usages).is_err(), "{subject:?} {usages:?}");
        }
    }

    #[test]
    fn a_nodes_serving_certificate_has_names() {
        let wanted = usages(&["digital signature", "key encipherment", "server auth"]);
        assert_eq!(check(KUBELET_SERVING, &Subject { addresses: 1, ..node() }, &wanted), Ok(()));
        for subject in [node(), Subject { dns: 1, uris: 1, ..node() }] {
            assert!(check(KUBELET_SERVING, &subject, &wanted).is_err(), "{subject:?}");
        }
    }

    #[test]
    fn clients_are_signed_as_clients() {
        let jane = Subject { common_name: "jane".into(), ..Subject::default() };
        assert_eq!(check(CLIENT, &jane, &usages(&["client auth"])), Ok(()));
        assert!(check(CLIENT, &jane, &usages(&["client auth", "server auth"])).is_err());
        assert!(check(CLIENT, &jane, &usages(&["digital signature"])).is_err());
    }
}
