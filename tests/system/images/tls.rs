//! A registry that talks TLS with an authority of its own, and only with those who show it a certificate.

use std::fs;
use std::path::Path;

use super::{pod, push_hello};
use crate::harness::{Cluster, DockerRegistry, Options, answering, eventually, skip};

/// A pod of the image does not run, and its events say why.
fn expect_failure(cluster: &Cluster, name: &str, image: &str, why: &str) {
    cluster.apply(&pod(name, image));
    eventually(why, || {
        let events = cluster.kubectl(&format!("events --for pod/{name}")).ok();
        if events.contains("ErrImagePull") && events.contains(why) { Ok(()) } else { Err(events) }
    });
}

fn expect_success(cluster: &Cluster, name: &str, image: &str) {
    cluster.apply(&pod(name, image));
    eventually("a ready pod", || {
        let ready = cluster.kubectl(&format!("wait --for=condition=Ready pod/{name} --timeout=20s"));
        ready
            .result()
            .map_err(|error| format!("{error}: {}", cluster.kubectl(&format!("events --for pod/{name}")).stdout))
    });
}

/// Starts the registry again, over the same files: with the cluster's certificates, and tokens from elsewhere.
fn secured(cluster: &Cluster, directory: &Path, token_server: &str) -> DockerRegistry {
    let pki = cluster.data_dir().join("pki");
    let pki = pki.display();
    let tls =
        format!("tls: {{certificate: {pki}/apiserver.crt, key: {pki}/apiserver.key, clientcas: [{pki}/ca.crt]}},");
    let auth = format!("auth: {{silly: {{realm: 'http://{token_server}/token', service: shop}}}}");
    DockerRegistry::start(directory, &tls, &auth).expect("it was started before")
}

#[test]
fn a_registry_that_wants_a_certificate_gets_the_one_of_its_hosts_file() {
    let mut cluster = Cluster::unstarted(Options::default());
    let hosts = cluster.scratch().join("hosts");
    fs::create_dir(&hosts).unwrap();
    cluster.options.flags = vec!["--registry-config-dir".into(), hosts.display().to_string()];
    cluster.boot();
    let files = tempfile::tempdir().unwrap();
    let plain = DockerRegistry::start(files.path(), "", "");
    let Some(plain) = plain else { return skip("docker-registry is not installed") };
    push_hello(&format!("{}/team/hello:1", plain.address));
    drop(plain);
    let (tokens, asked) = answering("200 OK", "{\"token\":\"t0k\"}");
    let registry = secured(&cluster, files.path(), &tokens);
    let image = format!("{}/team/hello:1", registry.address);

    let own = hosts.join(&registry.address);
    fs::create_dir(&own).unwrap();
    let pki = cluster.data_dir().join("pki");
    for (from, to) in [("ca.crt", "ca.crt"), ("admin.crt", "client.cert"), ("admin.key", "client.key")] {
        fs::copy(pki.join(from), own.join(to)).unwrap();
    }
    let write = |settings: &str| {
        fs::write(own.join("hosts.toml"), format!("server = \"https://{}\"\n{settings}\n", registry.address)).unwrap();
    };
    let pair = "client = [[\"client.cert\", \"client.key\"]]";

    write(pair);
    expect_failure(&cluster, "stranger", &image, "UnknownIssuer");
    write("ca = \"ca.crt\"");
    expect_failure(&cluster, "anonymous", &image, "failed to do request: ");
    write(&format!("ca = \"ca.crt\"\n{pair}"));
    expect_success(&cluster, "known", &image);
    let wanted = "GET /token?scope=repository%3Ateam%2Fhello%3Apull&service=shop HTTP/1.1";
    assert!(asked.lock().unwrap().iter().any(|line| line == wanted), "{asked:?}");

    // Both in one file, and whatever the registry shows is believed.
    let both = [own.join("client.key"), own.join("client.cert")].map(|file| fs::read_to_string(file).unwrap()).concat();
    fs::write(own.join("both.pem"), both).unwrap();
    write("skip_verify = true\nclient = \"both.pem\"");
    expect_success(&cluster, "trusting", &format!("{}/team/hello@{}", registry.address, digest(&cluster, &image)));

    // Docker's older form, without a hosts.toml.
    fs::remove_file(own.join("hosts.toml")).unwrap();
    expect_failure(&cluster, "older", &image.replace(":1", ":2"), "not found");
}

/// The digest that the node knows the image by.
fn digest(cluster: &Cluster, image: &str) -> String {
    let id = cluster.kubectl("get pod known -o jsonpath={.status.containerStatuses[0].imageID}").ok();
    let digest = id.rsplit_once('@').map(|(_, digest)| digest.to_owned());
    digest.unwrap_or_else(|| panic!("{image} has no digest: {id}"))
}
