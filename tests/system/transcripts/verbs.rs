//! Verbs that change what is there, and the many ways to get.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use expect_test::expect_file;

use super::WEB;
use crate::harness::{Cluster, Transcript, run};

/// A PKCS #10 request of `CN=jane`, PEM in base64.
const REQUEST: &str = "\
    LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlISk1IRUNBUUF3RHpFTk1Bc0dBMVVFQXd3RWFtRnVaVEJaTUJNR0J5cUdTTT\
    Q5QWdFR0NDcUdTTTQ5QXdFSApBMElBQkFMMEVVMm1NeGJaeHJaNkhOcEFoUmY3dndKeHM2WldVTXpoNHVHcitIa29Kb3VNL2NhNFF5OFUxeEdv\
    CnZ5Zi8zVTJ6SWh3TjM0QkdyQm9yNWFQdEl6bWdBREFLQmdncWhrak9QUVFEQWdOSUFEQkZBaUVBMDdGZEx6b1AKeEdZUy9CNGJDZXU0OFpxTm\
    94Z2RYVlM1TFFFbXJjMzlmd0lDSUNPYnlZa0Q4bVhjNlhYNnpDMXJwZnJWR2NTOQpYSnhHQ3FCcnB5eU1Sc0NmCi0tLS0tRU5EIENFUlRJRklD\
    QVRFIFJFUVVFU1QtLS0tLQo=";

#[test]
fn set_rollout_replace_and_patch() {
    let cluster = Cluster::start();
    cluster.apply(WEB);
    let deployment = WEB.split_once("---").unwrap().0;
    let strategic = "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"main\",\"image\":\"x:3\"}]}}}}";
    let mut transcript = Transcript::new(&cluster);
    transcript
        .kubectl("set image deploy/web main=x:2")
        .kubectl("set image deploy/web other=x:2")
        .kubectl("set resources deploy/web --limits=cpu=1,memory=64Mi")
        .kubectl("set env deploy/web C=3 A-")
        .kubectl("set serviceaccount deploy/web default")
        .kubectl("set selector svc/web app=other")
        .kubectl(&format!("patch deploy web -p {strategic}"))
        .kubectl("patch deploy web --type=json -p [{\"op\":\"test\",\"path\":\"/spec/replicas\",\"value\":7}]")
        .kubectl("patch deploy web --type=json -p [{\"op\":\"remove\",\"path\":\"/spec/nothing\"}]")
        .kubectl("patch deploy web --type=merge -p {\"spec\":{\"selector\":{\"matchLabels\":{\"app\":\"y\"}}}}")
        .kubectl("patch deploy web --subresource=scale --type=merge -p {\"spec\":{\"replicas\":0}}")
        .kubectl("get deploy web -o jsonpath={.spec.template.spec.containers[0]}")
        .kubectl("rollout history deploy/web")
        .kubectl("annotate deploy web kubernetes.io/change-cause=testing")
        .kubectl_with_input("replace -f -", deployment)
        .kubectl_with_input("replace -f -", &deployment.replace("name: web", "name: none"))
        .kubectl_with_input("replace --force -f -", deployment)
        .kubectl_with_input("create -f -", deployment)
        .kubectl_with_input("create -f -", &deployment.replace("replicas", "replikas"))
        .kubectl_with_input("create -f -", &deployment.replace("matchLabels: {app: web}", "matchLabels: {app: x}"))
        .kubectl("delete deploy web --cascade=foreground --timeout=60s");
    expect_file!["../golden/verbs.txt"].assert_eq(&transcript.normalised());
    cluster.apply(WEB);
    let refused = cluster.kubectl("patch deploy web --type=merge -p {\"spec\":{\"replicas\":\"x\"}}").failed();
    let why = "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32\n";
    assert!(
        refused.starts_with("The request is invalid: patch: Invalid value: ") && refused.ends_with(why),
        "{refused}"
    );
}

#[test]
fn edit_changes_and_refuses() {
    let cluster = super::with_sites();
    cluster.apply(super::SITE);
    let edit = |script: &str, object: &str| {
        let mut command = cluster.kubectl_command();
        command.env("KUBE_EDITOR", format!("sed -i {script}")).args(["edit", object]);
        // kubectl keeps a copy of changes that were refused.
        command.env("TMPDIR", cluster.scratch());
        run(&mut command)
    };
    assert_eq!(edit("s/hello/bye/", "site/blog").ok(), "site.demo.example.com/blog edited\n");
    assert_eq!(cluster.kubectl("get site blog -o jsonpath={.spec.pages}").ok(), "{\"index\":\"bye\"}");
    assert_eq!(edit("s/bye/bye/", "site/blog").stderr, "Edit cancelled, no changes made.\n");
    let refused = edit("s/blog.example/moved/", "site/blog");
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("error: sites.demo.example.com \"blog\" is invalid"), "{}", refused.stderr);
    let kept = refused.stderr.split('"').find(|part| part.ends_with(".yaml")).expect("the name of the copy");
    let copy = std::fs::read_to_string(kept).unwrap();
    assert!(copy.contains("# * spec.domain: Invalid value: ") && copy.contains("a site keeps its domain"), "{copy}");
    let mut command = cluster.kubectl_command();
    let script = r#"sed -i s/phase.*/phase:\ Ready/"#;
    cluster.kubectl("patch site blog --subresource=status --type=merge -p {\"status\":{\"phase\":\"Failed\"}}").ok();
    command.env("KUBE_EDITOR", script).args(["edit", "site/blog", "--subresource=status"]);
    assert_eq!(run(&mut command).ok(), "site.demo.example.com/blog edited\n");
    assert_eq!(cluster.kubectl("get site blog -o jsonpath={.status.phase}").ok(), "Ready");
}

#[test]
fn the_many_ways_to_get() {
    let cluster = Cluster::start();
    for (name, tier) in [("c", "front"), ("a", "back"), ("b", "front")] {
        cluster.kubectl(&format!("create cm {name} --from-literal=of={name}")).ok();
        cluster.kubectl(&format!("label cm {name} tier={tier}")).ok();
    }
    cluster.kubectl("create secret generic one --from-literal=a=b").ok();
    let mut transcript = Transcript::new(&cluster);
    transcript
        .kubectl("get cm -l tier")
        .kubectl("get cm -l tier=front -L tier")
        .kubectl("get cm -l 'tier in (front,back),tier!=back' -o name")
        .kubectl("get cm -l 'tier in (front'")
        .kubectl("get cm -l tier --sort-by=.data.of --no-headers")
        .kubectl("get cm -l tier --chunk-size=1 -o name")
        .kubectl("get cm --field-selector=metadata.name=a")
        .kubectl("get cm --field-selector=metadata.name!=a,metadata.namespace=default -l tier -o name")
        .kubectl("get cm --field-selector=data.of=a")
        .kubectl("get secrets --field-selector=type=Opaque")
        .kubectl("get svc --field-selector=spec.clusterIP=None")
        .kubectl("get pods --field-selector=status.phase!=Running,spec.nodeName=node")
        .kubectl("get cm a b")
        .kubectl("get cm/a secret/one")
        .kubectl("get cm a -o jsonpath={.data.of}")
        .kubectl("get cm -l tier -o go-template='{{range .items}}{{.metadata.name}} {{end}}'")
        .kubectl("get cm -l tier -o custom-columns=N:.metadata.name,V:.data.of")
        .kubectl("get cm a -n none")
        .kubectl("get cm a none --ignore-not-found -o name")
        .kubectl("delete cm -l tier=front")
        .kubectl("delete cm a a");
    expect_file!["../golden/getting.txt"].assert_eq(&transcript.normalised());
}

#[test]
fn a_watching_get_shows_every_change() {
    let cluster = super::with_sites();
    cluster.apply(super::SITE);
    let mut command = cluster.kubectl_command();
    command.args(["get", "sites", "-w", "--no-headers", "--output-watch-events", "--request-timeout=60s"]);
    let mut watching = command.stdout(Stdio::piped()).spawn().expect("kubectl starts");
    let mut lines = BufReader::new(watching.stdout.take().expect("it is piped")).lines();
    // The request's timeout ends the lines if one never comes.
    let mut next = || {
        let line = lines.next().expect("another event").expect("it can be read");
        line.split_whitespace().map(str::to_string).collect::<Vec<_>>()
    };
    assert_eq!(next(), ["ADDED", "blog", "blog.example", "2"]);
    cluster.kubectl("scale site blog --replicas=3").ok();
    assert_eq!(next(), ["MODIFIED", "blog", "blog.example", "3"]);
    cluster.kubectl("delete site blog").ok();
    assert_eq!(next(), ["DELETED", "blog", "blog.example", "3"]);
    watching.kill().expect("it runs");
    watching.wait().expect("it ends");
}

#[test]
fn a_certificate_request_is_approved_and_denied() {
    let cluster = Cluster::start();
    let request = |name: &str| {
        format!(
            "apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nmetadata: {{name: {name}}}\nspec:\n  \
             signerName: example.com/any\n  usages: [client auth]\n  request: {REQUEST}\n"
        )
    };
    let mut transcript = Transcript::new(&cluster);
    transcript
        .kubectl_with_input("create -f -", &request("one"))
        .kubectl_with_input("create -f -", &request("two"))
        .kubectl("get csr")
        .kubectl("certificate approve one")
        .kubectl("certificate deny two")
        .kubectl("certificate approve two")
        .kubectl("get csr")
        .kubectl("get csr one -o jsonpath={.status.conditions[0].type}/{.status.conditions[0].reason}")
        .kubectl("certificate approve nobody");
    expect_file!["../golden/certificates.txt"].assert_eq(&transcript.normalised());
}
