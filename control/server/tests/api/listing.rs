//! LIST and GET: selectors, pages, revisions, shapes.

use serde_json::{Value, json};

use crate::support::{Cluster, MAPS, PODS, map, pod};

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|i| i["metadata"]["name"].as_str().unwrap()).collect()
}

async fn with_maps(count: usize) -> Cluster {
    let cluster = Cluster::new().await;
    for n in 0..count {
        let app = if n % 2 == 0 { "even" } else { "odd" };
        cluster.post(MAPS, map(&format!("m{n}"), json!({ "app": app }))).await.ok();
    }
    cluster
}

#[tokio::test]
async fn selectors_choose() {
    let cluster = with_maps(4).await;
    let list = cluster.get(&format!("{MAPS}?labelSelector=app%3Deven")).await.ok();
    assert_eq!((&list["kind"], names(&list)), (&json!("ConfigMapList"), vec!["m0", "m2"]));
    let list =
        cluster.get(&format!("{MAPS}?labelSelector=app+notin+(even)&fieldSelector=metadata.name!%3Dm1")).await.ok();
    assert_eq!(names(&list), ["m3"]);
    let everywhere = cluster.get("/api/v1/configmaps?fieldSelector=metadata.namespace%3Ddefault").await.ok();
    assert_eq!(names(&everywhere).len(), 4);
    let unknown = "\"data.k\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"";
    cluster.get(&format!("{MAPS}?fieldSelector=data.k%3Dv")).await.fails(400, unknown);
    assert_eq!(cluster.get(&format!("{MAPS}?labelSelector=a%3D%3D%3Db")).await.code, 400);
}

#[tokio::test]
async fn pods_can_be_selected_by_what_is_in_them() {
    let cluster = Cluster::new().await;
    cluster.post(PODS, pod("p")).await.ok();
    let pending = cluster.get(&format!("{PODS}?fieldSelector=status.phase%3DPending,spec.nodeName%3D")).await.ok();
    assert_eq!(names(&pending), ["p"]);
    assert!(names(&cluster.get(&format!("{PODS}?fieldSelector=spec.nodeName%3Dn")).await.ok()).is_empty());
}

#[tokio::test]
async fn pages_are_one_list() {
    let cluster = with_maps(5).await;
    let first = cluster.get(&format!("{MAPS}?limit=2")).await.ok();
    assert_eq!((names(&first), &first["metadata"]["remainingItemCount"]), (vec!["m0", "m1"], &json!(3)));
    // What happens between the pages is not in them.
    cluster.post(MAPS, map("m2a", json!({}))).await.ok();
    cluster.delete(&format!("{MAPS}/m3")).await.ok();
    let token = first["metadata"]["continue"].as_str().unwrap();
    let second = cluster.get(&format!("{MAPS}?limit=2&continue={token}")).await.ok();
    assert_eq!(names(&second), ["m2", "m3"]);
    assert_eq!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    let token = second["metadata"]["continue"].as_str().unwrap();
    let last = cluster.get(&format!("{MAPS}?limit=2&continue={token}")).await.ok();
    assert_eq!(names(&last), ["m4"]);
    assert!(last["metadata"].get("continue").is_none());
    assert_eq!(cluster.get(&format!("{MAPS}?limit=2&continue=nonsense")).await.code, 400);
}

#[tokio::test]
async fn a_page_of_a_forgotten_revision_is_410_with_a_way_on() {
    let cluster = Cluster::with(crate::support::config(), |store| store.history_events = 4).await;
    for n in 0..3 {
        cluster.post(MAPS, map(&format!("m{n}"), json!({}))).await.ok();
    }
    let first = cluster.get(&format!("{MAPS}?limit=1")).await.ok();
    for n in 0..20 {
        cluster.merge(&format!("{MAPS}/m2"), json!({ "data": { "k": n.to_string() } })).await.ok();
    }
    let token = first["metadata"]["continue"].as_str().unwrap();
    let expired = cluster.get(&format!("{MAPS}?limit=1&continue={token}")).await;
    assert_eq!((expired.code, &expired.body["reason"]), (410, &json!("Expired")));
    let token = expired.body["metadata"]["continue"].as_str().unwrap();
    assert_eq!(names(&cluster.get(&format!("{MAPS}?continue={token}")).await.ok()), ["m1", "m2"]);
}

#[tokio::test]
async fn revisions_are_waited_for_or_looked_back_to() {
    let cluster = with_maps(1).await;
    let revision = cluster.store.revision();
    cluster.post(MAPS, map("later", json!({}))).await.ok();
    let exact = format!("{MAPS}?resourceVersion={revision}&resourceVersionMatch=Exact");
    assert_eq!(names(&cluster.get(&exact).await.ok()), ["m0"]);
    let at_least = format!("{MAPS}?resourceVersion={revision}");
    assert_eq!(names(&cluster.get(&at_least).await.ok()), ["later", "m0"]);
    let none = "resourceVersion: Invalid value: \"abc\": strconv.ParseUint: parsing \"abc\": invalid syntax";
    let list = cluster.get(&format!("{MAPS}?resourceVersion=abc")).await;
    list.fails(400, &format!("invalid resource version: {none}"));
    let get = cluster.get(&format!("{MAPS}/m0?resourceVersion=abc")).await;
    assert!(get.body.get("reason").is_none());
    get.fails(500, none);
    cluster.get(&format!("{MAPS}?watch=1&resourceVersion=abc")).await.fails(500, none);
}

#[tokio::test]
async fn a_revision_that_does_not_come_is_504() {
    let mut config = crate::support::config();
    config.limits.revision_wait = std::time::Duration::from_millis(20);
    let cluster = Cluster::with(config, |_| {}).await;
    let answer = cluster.get(&format!("{MAPS}?resourceVersion=999999")).await;
    let current = cluster.store.revision();
    assert_eq!(answer.headers["retry-after"], "1");
    answer.clone().fails(504, &format!("Timeout: Too large resource version: 999999, current: {current}"));
    assert_eq!(answer.body["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
}

#[tokio::test]
async fn tables_have_columns_and_rows() {
    let cluster = Cluster::new().await;
    cluster.post(PODS, pod("p")).await.ok();
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let table = cluster.get_as(PODS, accept).await.ok();
    assert_eq!(table["kind"], "Table");
    let columns: Vec<&str> =
        table["columnDefinitions"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(&columns[..4], ["Name", "Ready", "Status", "Restarts"]);
    let row = &table["rows"][0];
    assert_eq!((&row["cells"][0], &row["object"]["kind"]), (&json!("p"), &json!("PartialObjectMetadata")));
    assert_eq!(row["cells"].as_array().unwrap().len(), columns.len());
    let whole = cluster.get_as(&format!("{PODS}?includeObject=Object"), accept).await.ok();
    assert_eq!(whole["rows"][0]["object"]["spec"]["containers"][0]["name"], "main");
    let one = cluster.get_as(&format!("{PODS}/p?includeObject=None"), accept).await.ok();
    assert!(one["rows"][0].get("object").is_none());
}

#[tokio::test]
async fn every_kind_has_a_row_as_wide_as_its_table() {
    let cluster = Cluster::new().await;
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
    for path in [
        "/api/v1/namespaces",
        "/api/v1/services",
        "/api/v1/endpoints",
        "/api/v1/serviceaccounts",
        "/apis/discovery.k8s.io/v1/endpointslices",
    ] {
        let table = cluster.get_as(path, accept).await.ok();
        let width = table["columnDefinitions"].as_array().unwrap().len();
        let rows = table["rows"].as_array().unwrap();
        assert!(!rows.is_empty() && rows.iter().all(|r| r["cells"].as_array().unwrap().len() == width), "{path}");
    }
}

#[tokio::test]
async fn metadata_only_and_yaml() {
    let cluster = with_maps(1).await;
    let accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
    let list = cluster.get_as(MAPS, accept).await.ok();
    assert_eq!(
        (&list["kind"], &list["items"][0]["kind"]),
        (&json!("PartialObjectMetadataList"), &json!("PartialObjectMetadata"))
    );
    assert!(list["items"][0].get("data").is_none());
    let yaml = cluster.get_as(&format!("{MAPS}/m0"), "application/yaml").await;
    assert!(yaml.text().contains("kind: ConfigMap\n"), "{}", yaml.text());
    assert_eq!(cluster.get_as(MAPS, "text/html").await.code, 406);
    assert!(cluster.get(&format!("{MAPS}/m0?pretty=true")).await.text().contains("\n  \"data\""));
}

#[tokio::test]
async fn a_large_list_comes_in_pieces_and_compressed_on_request() {
    let cluster = Cluster::new().await;
    for n in 0..12 {
        let mut object = map(&format!("big{n}"), json!({}));
        object["data"] = json!({ "k": "x".repeat(20_000) });
        cluster.post(MAPS, object).await.ok();
    }
    let plain = cluster.get(MAPS).await;
    assert_eq!(names(&plain.clone().ok()).len(), 12);
    let mut request = crate::support::request(http::Method::GET, MAPS, Value::Null);
    request.headers_mut().insert("accept-encoding", "gzip".parse().unwrap());
    let zipped = cluster.send(request).await;
    assert_eq!(zipped.headers["content-encoding"], "gzip");
    assert!(zipped.bytes.len() < plain.bytes.len() / 10);
}

#[tokio::test]
async fn events_are_the_same_objects_in_both_groups() {
    let cluster = Cluster::new().await;
    let event = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": { "name": "e", "namespace": "default" },
        "eventTime": "2026-01-01T00:00:00.000000Z", "reportingController": "example.com/c", "reportingInstance": "c-1",
        "action": "Act", "reason": "Because", "type": "Normal", "note": "it was so",
        "regarding": { "kind": "Pod", "name": "p", "namespace": "default", "apiVersion": "v1" },
    });
    cluster.post("/apis/events.k8s.io/v1/namespaces/default/events", event).await.ok();
    let core = cluster.get("/api/v1/namespaces/default/events/e").await.ok();
    assert_eq!((&core["apiVersion"], &core["message"]), (&json!("v1"), &json!("it was so")));
    assert_eq!(core["involvedObject"]["name"], "p");
    let list = cluster.get("/apis/events.k8s.io/v1/events").await.ok();
    assert_eq!((&list["apiVersion"], &list["items"][0]["note"]), (&json!("events.k8s.io/v1"), &json!("it was so")));
}
