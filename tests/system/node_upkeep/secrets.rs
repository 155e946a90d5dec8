//! A registry that gives its images to those only who have a password, and the pods that have it.

use std::fs;
use std::path::Path;

use super::{pod, ready, tells, waits};
use crate::harness::{Cluster, DockerRegistry, coracle, eventually, guests, run, skip};

/// `ann` with the password `sesame`, as `htpasswd -B` writes it.
const PASSWORDS: &str = "ann:$2b$04$abcdefghijklmnopqrstuuinwY/tkBVrn3xrxQI/TgnMHhkvl85RW\n";

/// A registry with a password, and the image `team/ticker:1` in it.
fn registry(dir: &Path) -> Option<(DockerRegistry, String)> {
    let passwords = dir.join("passwords");
    fs::write(&passwords, PASSWORDS).unwrap();
    let auth = format!("auth: {{htpasswd: {{realm: shop, path: {}}}}}", passwords.display());
    let registry = DockerRegistry::start(dir, "", &auth)?;
    let (guest, password) = (dir.join("ticker.wat"), dir.join("password"));
    fs::write(&guest, guests::TICKER).unwrap();
    fs::write(&password, "sesame\n").unwrap();
    let image = format!("{}/team/ticker:1", registry.address);
    let push = |more: &[&str]| run(coracle().arg("push").arg(&guest).arg(&image).args(more));
    push(&[]).failed();
    push(&["--username", "ann", "--password-file", password.to_str().unwrap()]).ok();
    Some((registry, image))
}

/// A Secret for the registry.
fn secret(cluster: &Cluster, name: &str, registry: &str, password: &str) {
    let server = format!("--docker-server={registry} --docker-username=ann --docker-password={password}");
    cluster.kubectl(&format!("create secret docker-registry {name} {server}")).ok();
}

fn with(secret: &str) -> String {
    format!("imagePullSecrets: [{{name: {secret}}}]")
}

/// The pod does not run, and is told so in containerd's words.
fn refused(cluster: &Cluster, name: &str, image: &str) {
    let message = waits(cluster, name, "ImagePullBackOff");
    let start = format!("Back-off pulling image {image:?}: ErrImagePull: failed to pull and unpack image {image:?}: ");
    let end = "pull access denied, repository does not exist or may require authorization: server message: ";
    assert!(message.starts_with(&start) && message.contains(end), "{message}");
    tells(cluster, name, "Error: ErrImagePull");
}

/// Who has the password of a registry gets its images, and nobody else, whether they are here already or not; the node
/// remembers that, and asks the registry no more than it must.
#[test]
fn an_image_with_a_password_is_for_those_who_have_it() {
    let dir = tempfile::tempdir().unwrap();
    let Some((registry, image)) = registry(dir.path()) else { return skip("docker-registry is not installed") };
    let mut cluster = Cluster::start();
    secret(&cluster, "right", &registry.address, "sesame");
    secret(&cluster, "wrong", &registry.address, "guessed");
    cluster.apply(&pod("stranger", &image, "", ""));
    cluster.apply(&pod("mistaken", &image, "", &with("wrong")));
    cluster.apply(&pod("hopeful", &image, "", &with("missing")));
    for name in ["stranger", "mistaken", "hopeful"] {
        refused(&cluster, name, &image);
    }
    let missing = "Unable to retrieve some image pull secrets (missing); attempting to pull the image may not succeed";
    tells(&cluster, "hopeful", missing);

    cluster.apply(&pod("guest", &image, "", &with("right")));
    ready(&cluster, "guest");
    tells(&cluster, "guest", &format!("Successfully pulled image {image:?}"));

    // It is here now; that changes nothing for those who have no password, or another one.
    cluster.apply(&pod("late", &image, "", ""));
    cluster.apply(&pod("guesser", &image, "", &with("wrong")));
    cluster.apply(&pod("never", &image, "imagePullPolicy: Never", ""));
    refused(&cluster, "late", &image);
    refused(&cluster, "guesser", &image);
    let message = waits(&cluster, "never", "ErrImageNeverPull");
    assert_eq!(message, format!("Container image {image:?} is not present with pull policy of Never"));

    // A ServiceAccount gives its secrets to its pods.
    let account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: buyer}\nimagePullSecrets: [{name: right}]\n";
    cluster.apply(account);
    cluster.apply(&pod("served", &image, "imagePullPolicy: Never", "serviceAccountName: buyer"));
    ready(&cluster, "served");
    let here = format!("Container image {image:?} already present on machine and can be accessed by the pod");
    tells(&cluster, "served", &here);

    // The registry is gone, the node begins anew: those who had the image have it, and still nobody else.
    drop(registry);
    cluster.stop();
    cluster.boot();
    ready(&cluster, "guest");
    cluster.apply(&pod("newcomer", &image, "", &with("right")));
    ready(&cluster, "newcomer");
    tells(&cluster, "newcomer", &here);
    cluster.apply(&pod("outsider", &image, "", ""));
    eventually("the outsider is sent to the registry", || {
        let message = waits(&cluster, "outsider", "ImagePullBackOff");
        if message.contains("failed to do request") { Ok(()) } else { Err(message) }
    });
}
