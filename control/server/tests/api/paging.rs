//! LIST in pages: continue tokens and what goes with them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::{Cluster, MAPS, config, map};

async fn with_maps(count: usize) -> Cluster {
    let cluster = Cluster::new().await;
    for n in 0..count {
        cluster.post(MAPS, map(&format!("m{n}"), json!({ "n": n.to_string() }))).await.ok();
    }
    cluster
}

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|i| i["metadata"]["name"].as_str().unwrap()).collect()
}

fn token(list: &Value) -> &str {
    list["metadata"]["continue"].as_str().unwrap()
}

#[tokio::test]
async fn what_is_left_is_counted_only_where_everything_is_selected() {
    let cluster = with_maps(4).await;
    let chosen = cluster.get(&format!("{MAPS}?limit=1&labelSelector=n")).await.ok();
    assert!(chosen["metadata"].get("remainingItemCount").is_none());
    let next = cluster.get(&format!("{MAPS}?limit=1&labelSelector=n&continue={}", token(&chosen))).await.ok();
    assert_eq!(names(&next), ["m1"]);
    let chosen = cluster.get(&format!("{MAPS}?limit=1&fieldSelector=metadata.name!%3Dm0")).await.ok();
    assert_eq!((names(&chosen), chosen["metadata"].get("remainingItemCount")), (vec!["m1"], None));
    let whole = cluster.get(&format!("{MAPS}?limit=4")).await.ok();
    assert!(whole["metadata"].get("continue").is_none() && whole["metadata"].get("remainingItemCount").is_none());
    for limit in ["0", "-1"] {
        assert_eq!(names(&cluster.get(&format!("{MAPS}?limit={limit}")).await.ok()).len(), 4);
    }
}

#[tokio::test]
async fn pages_over_all_namespaces_and_of_cluster_wide_objects_go_on_where_they_ended() {
    let cluster = with_maps(2).await;
    let other = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "a" } });
    cluster.post("/api/v1/namespaces", other).await.ok();
    cluster.post("/api/v1/namespaces/a/configmaps", map("z", json!({ "n": "z" }))).await.ok();
    for path in ["/api/v1/configmaps?labelSelector=n", "/api/v1/namespaces?x"] {
        let whole = cluster.get(path).await.ok();
        let mut seen: Vec<String> = Vec::new();
        let mut page = cluster.get(&format!("{path}&limit=1")).await.ok();
        loop {
            seen.extend(names(&page).iter().map(|name| (*name).to_string()));
            let Some(next) = page["metadata"]["continue"].as_str() else { break };
            page = cluster.get(&format!("{path}&limit=1&continue={next}")).await.ok();
        }
        assert_eq!(seen, names(&whole), "{path}");
    }
}

#[tokio::test]
async fn tokens_that_are_none_say_what_is_wrong_with_them() {
    let cluster = with_maps(2).await;
    let first = cluster.get(&format!("{MAPS}?limit=1")).await.ok();
    let invalid = "invalid continue token: continue key is not valid: ";
    let listed = async |query: &str| cluster.get(&format!("{MAPS}?{query}")).await;
    listed("continue=no%20token").await.fails(400, &format!("{invalid}illegal base64 data at input byte 2"));
    let other = URL_SAFE_NO_PAD.encode(r#"{"v":"meta.k8s.io/v2","rv":1,"start":"x"}"#);
    let unknown = "server does not recognize this encoded version meta.k8s.io/v2";
    listed(&format!("continue={other}")).await.fails(400, &format!("{invalid}{unknown}"));
    let first = token(&first);
    listed(&format!("continue={first}&resourceVersion=5"))
        .await
        .fails(400, "specifying resource version is not allowed when using continue");
    listed(&format!("continue={first}&resourceVersion=0")).await.ok();
    listed(&format!("continue={first}&resourceVersion=5&resourceVersionMatch=Exact")).await.fails(
        422,
        "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when \
         continue is provided",
    );
}

#[tokio::test]
async fn options_that_exclude_each_other_are_causes_of_an_invalid_request() {
    let cluster = Cluster::new().await;
    let answer = cluster.get(&format!("{MAPS}?resourceVersionMatch=Exact&sendInitialEvents=true")).await;
    assert_eq!(answer.body["details"]["causes"].as_array().unwrap().len(), 2);
    assert_eq!(answer.body["details"]["causes"][1]["field"], "sendInitialEvents");
    answer.fails(
        422,
        "ListOptions.meta.k8s.io \"\" is invalid: [resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless \
         resourceVersion is provided, sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list]",
    );
    let parsing = "strconv.ParseInt: parsing \"many\": invalid syntax";
    cluster.get(&format!("{MAPS}?limit=many")).await.fails(400, parsing);
}

#[tokio::test]
async fn a_revision_that_is_forgotten_or_still_to_come_is_no_list() {
    let mut config = config();
    config.limits.revision_wait = std::time::Duration::from_millis(20);
    let cluster = Cluster::with(config, |store| store.history_events = 4).await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    let old = cluster.store.revision();
    for n in 0..20 {
        cluster.merge(&format!("{MAPS}/a"), json!({ "data": { "k": n.to_string() } })).await.ok();
    }
    for query in ["resourceVersionMatch=Exact", "limit=5"] {
        let answer = cluster.get(&format!("{MAPS}?resourceVersion={old}&{query}")).await;
        assert_eq!(answer.body["reason"], "Expired");
        assert!(answer.body["metadata"].get("continue").is_none());
        answer.fails(410, "The resourceVersion for the provided list is too old.");
        let answer = cluster.get(&format!("{MAPS}?resourceVersion=999999&{query}")).await;
        assert_eq!((answer.code, &answer.body["reason"]), (504, &json!("Timeout")));
    }
    let get = cluster.get(&format!("{MAPS}/a?resourceVersion=999999")).await;
    assert_eq!(get.body["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
}
