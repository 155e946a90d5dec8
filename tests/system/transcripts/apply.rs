//! `kubectl apply` and `kubectl diff`, client-side and server-side.

use expect_test::expect_file;

use super::{SITE, WEB, with_sites};
use crate::harness::{Cluster, Transcript};

/// Which fields were applied, and by whom.
const APPLIERS: &str =
    "-o jsonpath='{range .metadata.managedFields[?(@.operation==\"Apply\")]}{.manager} {.fieldsV1}{\"\\n\"}{end}'";
/// Who owns what.
const OWNERS: &str =
    "-o jsonpath='{range .metadata.managedFields[*]}{.manager} {.operation} {.fieldsV1}{\"\\n\"}{end}'";

/// The Deployment's controller annotates it, which would shift the lines of a diff.
fn settle(cluster: &Cluster, object: &str) {
    if let Some(name) = object.strip_prefix("deploy ") {
        cluster.kubectl(&format!("rollout status deploy/{name} --timeout=60s")).ok();
    }
}

#[test]
fn client_side_apply_of_built_in_and_custom_objects() {
    let cluster = with_sites();
    let changed_web = WEB.replace(", tier: front", "").replace("        - {name: B, value: \"2\"}\n", "");
    let changed_web = changed_web.replace("x:1", "x:2");
    let changed_site = SITE.replace("replicas: 2, pages: {index: hello}", "pages: {about: us}");
    let mut transcript = Transcript::new(&cluster);
    for (first, changed, object) in [(WEB, changed_web, "deploy web"), (SITE, changed_site, "site blog")] {
        transcript
            .kubectl_with_input("apply -f - --dry-run=server", first)
            .kubectl(&format!("get {object}"))
            .kubectl_with_input("apply -f -", first);
        settle(&cluster, object);
        transcript
            .kubectl_with_input("apply -f -", first)
            .kubectl_with_input("diff -f -", first)
            .kubectl_with_input("apply -f - --dry-run=server", &changed)
            .kubectl_with_input("diff -f -", &changed)
            .kubectl_with_input("apply -f -", &changed)
            .kubectl_with_input("apply -f -", &changed)
            .kubectl(&format!("apply view-last-applied {object} -o json"));
    }
    transcript
        .kubectl("get deploy web -o jsonpath={.metadata.labels}{.spec.template.spec.containers[0].env}")
        .kubectl("get site blog -o jsonpath={.spec}");
    expect_file!["../golden/apply_client_side.txt"].assert_eq(&transcript.normalised());
}

#[test]
fn prune_takes_away_what_left_the_manifest() {
    let cluster = Cluster::start();
    let config_map = |name: &str| {
        format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, labels: {{set: one}}}}\n")
    };
    let mut transcript = Transcript::new(&cluster);
    let prune = "apply -f - -l set=one --prune --prune-allowlist=core/v1/ConfigMap";
    transcript
        .kubectl_with_input(prune, &(config_map("a") + &config_map("b")))
        .kubectl_with_input(&format!("{prune} --dry-run=server"), &config_map("a"))
        .kubectl_with_input(prune, &config_map("a"))
        .kubectl("get cm -l set=one -o name");
    expect_file!["../golden/apply_prune.txt"].assert_eq(&transcript.normalised());
}

#[test]
fn server_side_apply_of_built_in_and_custom_objects() {
    let cluster = with_sites();
    let deployment = WEB.split_once("---").unwrap().0;
    let mut transcript = Transcript::new(&cluster);
    for (first, from, to, object) in
        [(deployment, "x:1", "x:2", "deploy web"), (SITE, "index: hello", "index: bye", "site blog")]
    {
        let second = first.replace(from, to);
        transcript
            .kubectl_with_input("apply --server-side -f - --dry-run=server", first)
            .kubectl_with_input("apply --server-side -f -", first);
        settle(&cluster, object);
        transcript
            .kubectl_with_input("apply --server-side -f -", first)
            .kubectl_with_input("apply --server-side -f - --field-manager=other", first)
            .kubectl_with_input("apply --server-side -f - --field-manager=other", &second)
            .kubectl_with_input("diff --server-side -f - --field-manager=other --force-conflicts", &second)
            .kubectl_with_input("apply --server-side -f - --field-manager=other --force-conflicts", &second)
            .kubectl_with_input("apply --server-side -f -", first)
            .kubectl_with_input("diff --server-side -f -", &second)
            .kubectl_with_input("apply --server-side -f -", &second)
            .kubectl_with_input("apply --server-side -f - --validate=strict", &format!("{first}wrong: field\n"))
            .kubectl(&format!("get {object} --show-managed-fields {APPLIERS}"));
    }
    expect_file!["../golden/apply_server_side.txt"].assert_eq(&transcript.normalised());
}

#[test]
fn ownership_is_handed_over_given_up_and_upgraded() {
    let cluster = Cluster::start();
    let config_map = |data: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{{data}}}\n");
    let data = "get cm a -o jsonpath={.data}";
    let owners = format!("get cm a --show-managed-fields {OWNERS}");
    let mut transcript = Transcript::new(&cluster);
    transcript
        // What one manager gives up stays while another owns it, and goes with its last owner.
        .kubectl_with_input("apply --server-side --field-manager=one -f -", &config_map("p: '1', q: '1'"))
        .kubectl_with_input("apply --server-side --field-manager=two -f -", &config_map("q: '1', r: '1'"))
        .kubectl_with_input("apply --server-side --field-manager=one -f -", &config_map("p: '1'"))
        .kubectl(data)
        .kubectl(&owners)
        .kubectl_with_input("apply --server-side --field-manager=two -f -", &config_map("r: '1'"))
        .kubectl(data)
        // A plain update takes what it changes, and the next apply is told.
        .kubectl("patch cm a --type=merge -p {\"data\":{\"p\":\"2\"}}")
        .kubectl(&owners)
        .kubectl("delete cm a")
        // From client-side to server-side apply and on: nothing is left with the old manager.
        .kubectl_with_input("apply -f -", &config_map("p: '1', q: '1'"))
        .kubectl_with_input("apply --server-side -f -", &config_map("p: '1', q: '1'"))
        .kubectl(&owners)
        .kubectl_with_input("apply --server-side -f -", &config_map("p: '2'"))
        .kubectl(data)
        .kubectl("apply view-last-applied cm a -o json")
        // And back again.
        .kubectl_with_input("apply -f -", &config_map("p: '3'"))
        .kubectl(data);
    expect_file!["../golden/apply_ownership.txt"].assert_eq(&transcript.normalised());
}
