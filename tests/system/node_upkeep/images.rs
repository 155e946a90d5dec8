//! The images of a node as its status tells them, and what becomes of them when the disk is too full; and what the node's
//! metrics tell of pods that are gone.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{field, guest, images_here, ready};
use crate::harness::guests::{self, image, push};
use crate::harness::{Cluster, Options, eventually};

/// The images of the node's status that are of one of the names.
fn listed(cluster: &Cluster) -> Vec<(Vec<String>, u64)> {
    let images: Value = serde_json::from_str(&field(cluster, "node node", ".status.images")).unwrap_or_default();
    let names = |image: &Value| serde_json::from_value(image["names"].clone()).unwrap();
    images.as_array().into_iter().flatten().map(|it| (names(it), it["sizeBytes"].as_u64().unwrap())).collect()
}

/// What the event of the pull has said about the image's size.
fn pulled_size(cluster: &Cluster, name: &str) -> u64 {
    let query = format!("get events --field-selector reason=Pulled,involvedObject.name={name}");
    let events = cluster.kubectl(&query).ok();
    let size = events.split_once("Image size: ").and_then(|(_, rest)| rest.split_once(" bytes")).map(|(size, _)| size);
    size.and_then(|size| size.parse().ok()).unwrap_or_else(|| panic!("no size: {events}"))
}

/// Waits until the node's status has exactly these images: of each its tags.
fn lists(cluster: &Cluster, wanted: &[&[String]]) -> Vec<(Vec<String>, u64)> {
    eventually("the images of the node's status", || {
        let found = listed(cluster);
        let tags = found.iter().map(|(names, _)| names.get(1..).unwrap_or_default());
        if tags.eq(wanted.iter().copied()) { Ok(found) } else { Err(format!("{found:?}")) }
    })
}

/// What the node has on its disk for an image, by its digest.
fn has_blob(cluster: &Cluster, digest: &str) -> bool {
    let hex = digest.strip_prefix("sha256:").unwrap_or_else(|| panic!("{digest:?} is no digest"));
    cluster.data_dir().join("images/blobs/sha256").join(hex).exists()
}

/// The node tells its images, the largest first and each with all its names. When the disk is fuller than it may be, those
/// that no pod uses go, with their files; the others stay, and run.
#[test]
fn images_are_told_of_and_go_when_nobody_uses_them() {
    let flags = ["--image-gc-high-threshold=1", "--image-gc-low-threshold=0", "--image-minimum-gc-age=0s"];
    let flags = flags.map(String::from).to_vec();
    let mut cluster = Cluster::start_with(Options { flags, ..Options::default() });
    push(&cluster, "ticker", guests::TICKER);
    push(&cluster, "quick", guests::QUICK);
    crate::harness::run(
        crate::harness::coracle()
            .arg("push")
            .arg(cluster.scratch().join("quick.wat"))
            .arg(format!("{}/guest/quick:2", cluster.line("registry"))),
    )
    .ok();
    let second = image("quick").replace(":1", ":2");
    cluster.apply(&guest("busy", "ticker", "", ""));
    cluster.apply(&guest("once", "quick", "", "restartPolicy: Never"));
    cluster.apply(&super::pod("again", &second, "", "restartPolicy: Never"));
    ready(&cluster, "busy");
    for name in ["once", "again"] {
        cluster.kubectl(&format!("wait --for=jsonpath={{.status.phase}}=Succeeded pod/{name} --timeout=60s")).ok();
    }
    let busy = [image("ticker")];
    let found = lists(&cluster, &[&busy, &[image("quick"), second]]);
    assert_eq!(found[0].1, pulled_size(&cluster, "busy"));
    assert_eq!(found[1].1, pulled_size(&cluster, "once"));
    assert!(found[0].1 > found[1].1, "{found:?}");
    let digests: Vec<String> = found
        .iter()
        .map(|(names, _)| {
            let (name, digest) = names[0].split_once('@').unwrap_or_else(|| panic!("{names:?}"));
            assert_eq!(Some(name), names[1].strip_suffix(":1"));
            digest.to_owned()
        })
        .collect();
    let pod_has = field(&cluster, "pod busy", ".status.containerStatuses[0].imageID");
    assert_eq!(pod_has, found[0].0[0]);
    assert!(digests.iter().all(|digest| has_blob(&cluster, digest)));

    // An image is looked at when the node begins, and then every five minutes.
    cluster.kubectl("delete pod once again --timeout=60s").ok();
    cluster.stop();
    cluster.boot();
    lists(&cluster, &[&busy]);
    assert!(!images_here(&cluster.data_dir()).contains("quick"));
    assert!(has_blob(&cluster, &digests[0]) && !has_blob(&cluster, &digests[1]));
    ready(&cluster, "busy");
    eventually("what could not be freed is told", || {
        let events = cluster.kubectl("get events --field-selector reason=FreeDiskSpaceFailed").ok();
        let said = events.contains("Failed to garbage collect required amount of images. Attempted to free ");
        if said { Ok(()) } else { Err(events) }
    });
}

/// Samples without their values.
fn series(text: &str) -> BTreeSet<String> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.filter_map(|line| line.split_once(' ').map(|(series, _)| series.to_owned())).collect()
}

/// What the node measures of a pod goes with the pod, and nothing that it counts is counted by pod.
#[test]
fn metrics_forget_pods_that_are_gone() {
    let cluster = Cluster::start();
    push(&cluster, "ticker", guests::TICKER);
    let raw = |path: &str| cluster.kubectl(&format!("get --raw /api/v1/nodes/node/proxy/{path}")).ok();
    cluster.apply(&guest("first", "ticker", "", ""));
    ready(&cluster, "first");
    let (counted, measured) = (series(&raw("metrics")), series(&raw("metrics/resource")));
    let of_pod = |name: &str| {
        let text = raw("metrics/resource");
        text.matches(&format!("pod=\"{name}\"")).count()
    };
    assert_eq!(of_pod("first"), 5, "three of its container, two of its own: {measured:?}");
    let names = ["second", "third", "fourth"];
    names.iter().for_each(|name| drop(cluster.apply(&guest(name, "ticker", "", ""))));
    names.iter().for_each(|name| ready(&cluster, name));
    names.iter().for_each(|name| assert_eq!(of_pod(name), 5));
    assert_eq!(series(&raw("metrics")), counted);
    cluster.kubectl("delete pod second third fourth --timeout=60s").ok();
    eventually("what is measured is as before", || {
        let now = series(&raw("metrics/resource"));
        if now == measured { Ok(()) } else { Err(format!("{:?}", now.difference(&measured))) }
    });
    assert_eq!(series(&raw("metrics")), counted);
}
