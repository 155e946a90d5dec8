//! The life of a custom kind, as kubectl sees it.

use expect_test::expect_file;

use super::SITE;
use crate::harness::{Cluster, Transcript};

#[test]
fn a_custom_kind_from_its_definition_to_its_end() {
    let cluster = Cluster::start();
    let with = |from: &str, to: &str| SITE.replace(from, to);
    let mut transcript = Transcript::new(&cluster);
    transcript
        .kubectl_with_input("apply -f -", SITE)
        .kubectl_with_input("apply -f -", crate::operator::site::DEFINITION)
        .kubectl("wait --for=condition=established crd/sites.demo.example.com --timeout=30s")
        .kubectl("get crd")
        .kubectl("get sites")
        .kubectl_with_input("create -f -", SITE)
        .kubectl_with_input("create -f -", SITE)
        .kubectl("get sites")
        .kubectl("get st blog -o wide")
        .kubectl("get all")
        .kubectl("get site.demo.example.com/blog -o jsonpath={.spec}")
        .kubectl("get sites.v1.demo.example.com -o name");
    // What the schema and its rules refuse.
    for wrong in [
        with("replicas: 2", "replicas: many"),
        with("replicas: 2", "replicas: -1"),
        with("replicas: 2", "replicas: 4"),
        with("replicas: 2", "replica: 2"),
        with("domain: blog.example, ", ""),
        with("blog.example", "another"),
        with("kind: Site", "kind: Sight"),
    ] {
        transcript.kubectl_with_input("replace -f -", &wrong);
    }
    transcript
        .kubectl("scale site blog --replicas=3")
        .kubectl("scale site blog --replicas=3 --current-replicas=1")
        .kubectl("scale site blog --replicas=9")
        .kubectl("patch site blog --subresource=status --type=merge -p {\"status\":{\"phase\":\"Ready\"},\"spec\":{\"limit\":9}}")
        .kubectl("patch site blog --subresource=status --type=merge -p {\"status\":{\"phase\":\"Odd\"}}")
        .kubectl("patch site blog --type=merge -p {\"status\":{\"phase\":\"Failed\"}}")
        .kubectl("get site blog -o wide")
        .kubectl("get site blog --subresource=status -o jsonpath={.status}{.spec}")
        .kubectl("get site blog --subresource=scale -o jsonpath={.spec}{.status}")
        .kubectl("wait site/blog --for=jsonpath={.status.phase}=Ready --timeout=30s")
        .kubectl("wait site/blog --for=jsonpath={.status.phase}=Failed --timeout=0s")
        .kubectl("patch site blog -p {}")
        .kubectl("patch site blog --type=json -p [{\"op\":\"replace\",\"path\":\"/spec/pages/index\",\"value\":\"new\"}]")
        .kubectl("label site blog tier=front")
        .kubectl("annotate site blog note=hi")
        .kubectl("get sites -l tier=front --show-labels")
        .kubectl("get sites --field-selector=metadata.name=blog -o name")
        .kubectl("get sites --field-selector=spec.domain=x")
        .kubectl("describe site blog")
        .kubectl("patch site blog --type=merge -p {\"metadata\":{\"finalizers\":[\"demo.example.com/hold\"]}}")
        .kubectl("delete site blog --wait=false")
        .kubectl("patch site blog --type=merge -p {\"metadata\":{\"finalizers\":[\"demo.example.com/hold\",\"demo.example.com/more\"]}}")
        .kubectl("get site blog -o jsonpath={.metadata.finalizers}{.metadata.deletionGracePeriodSeconds}")
        .kubectl("patch site blog --type=merge -p {\"metadata\":{\"finalizers\":null}}")
        .kubectl("get site blog")
        .kubectl_with_input("create -f -", SITE)
        .kubectl("delete crd sites.demo.example.com")
        .kubectl("get sites");
    expect_file!["../golden/custom.txt"].assert_eq(&transcript.normalised());
}
