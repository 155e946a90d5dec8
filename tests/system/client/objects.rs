//! One object, and lists of them.

use kube::ResourceExt as _;
use kube::api::{DeleteParams, ListParams, ObjectMeta, PostParams, Preconditions};

use super::{config_map, config_maps, refusal, value};

#[tokio::test]
async fn create_get_replace_delete() {
    let (_cluster, api) = config_maps().await;
    let created = api.create(&PostParams::default(), &config_map("a", "one")).await.unwrap();
    assert!(created.uid().is_some() && created.creation_timestamp().is_some());
    let again = api.create(&PostParams::default(), &config_map("a", "two")).await.unwrap_err();
    assert_eq!(refusal(again), (409, "AlreadyExists".into()));

    let mut got = api.get("a").await.unwrap();
    assert_eq!(got, created);
    got.data = config_map("a", "two").data;
    let replaced = api.replace("a", &PostParams::default(), &got).await.unwrap();
    assert_eq!(value(&replaced), "two");
    assert_ne!(replaced.resource_version(), created.resource_version());
    let stale = api.replace("a", &PostParams::default(), &created).await.unwrap_err();
    assert_eq!(refusal(stale), (409, "Conflict".into()));
    assert_eq!(value(&api.get("a").await.unwrap()), "two");

    // What changes nothing writes nothing.
    let same = api.replace("a", &PostParams::default(), &replaced).await.unwrap();
    assert_eq!(same.resource_version(), replaced.resource_version());

    let status = api.delete("a", &DeleteParams::default()).await.unwrap().right().expect("it is gone at once");
    assert!(status.is_success());
    assert!(api.get_opt("a").await.unwrap().is_none());
    assert_eq!(refusal(api.delete("a", &DeleteParams::default()).await.unwrap_err()), (404, "NotFound".into()));
}

#[tokio::test]
async fn a_precondition_protects_a_successor_of_the_same_name() {
    let (_cluster, api) = config_maps().await;
    let first = api.create(&PostParams::default(), &config_map("a", "one")).await.unwrap();
    api.delete("a", &DeleteParams::default()).await.unwrap();
    api.create(&PostParams::default(), &config_map("a", "two")).await.unwrap();
    let only_first = Preconditions { uid: first.uid(), resource_version: None };
    let error = api.delete("a", &DeleteParams::default().preconditions(only_first)).await.unwrap_err();
    assert_eq!(refusal(error), (409, "Conflict".into()));
    assert_eq!(value(&api.get("a").await.unwrap()), "two");
}

#[tokio::test]
async fn a_dry_run_answers_as_if_and_keeps_nothing() {
    let (_cluster, api) = config_maps().await;
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let answer = api.create(&dry, &config_map("a", "one")).await.unwrap();
    assert!(answer.uid().is_some());
    assert!(api.get_opt("a").await.unwrap().is_none());

    api.create(&PostParams::default(), &config_map("a", "one")).await.unwrap();
    let answer = api.replace("a", &dry, &config_map("a", "two")).await.unwrap();
    assert_eq!(value(&answer), "two");
    api.delete("a", &DeleteParams::default().dry_run()).await.unwrap();
    assert_eq!(value(&api.get("a").await.unwrap()), "one");
}

#[tokio::test]
async fn names_are_generated() {
    let (_cluster, api) = config_maps().await;
    let mut wanted = config_map("", "one");
    wanted.metadata = ObjectMeta { generate_name: Some("made-".into()), ..ObjectMeta::default() };
    let mut names = Vec::new();
    for _ in 0..3 {
        names.push(api.create(&PostParams::default(), &wanted).await.unwrap().name_any());
    }
    assert!(names.iter().all(|name| name.starts_with("made-") && name.len() == "made-".len() + 5), "{names:?}");
    names.dedup();
    assert_eq!(names.len(), 3);
}

#[tokio::test]
async fn a_list_comes_in_pages_of_one_moment() {
    let (_cluster, api) = config_maps().await;
    for index in 0..25 {
        let mut wanted = config_map(&format!("page-{index:02}"), "");
        wanted.labels_mut().insert("paged".into(), "yes".into());
        api.create(&PostParams::default(), &wanted).await.unwrap();
    }
    let pages = ListParams::default().labels("paged=yes").limit(10);
    let first = api.list(&pages).await.unwrap();
    assert_eq!(first.items.len(), 10);
    // What happens between the pages belongs to none of them.
    let mut late = config_map("page-99", "");
    late.labels_mut().insert("paged".into(), "yes".into());
    api.create(&PostParams::default(), &late).await.unwrap();
    api.delete("page-24", &DeleteParams::default()).await.unwrap();

    let mut names: Vec<String> = first.items.iter().map(kube::ResourceExt::name_any).collect();
    let mut token = first.metadata.continue_.clone();
    while let Some(more) = token.filter(|token| !token.is_empty()) {
        let page = api.list(&pages.clone().continue_token(&more)).await.unwrap();
        assert_eq!(page.metadata.resource_version, first.metadata.resource_version);
        names.extend(page.items.iter().map(kube::ResourceExt::name_any));
        token = page.metadata.continue_;
    }
    let expected: Vec<String> = (0..25).map(|index| format!("page-{index:02}")).collect();
    assert_eq!(names, expected);
}

#[tokio::test]
async fn selectors_choose_by_label_and_field() {
    let (_cluster, api) = config_maps().await;
    for (name, tier) in [("a", Some("front")), ("b", Some("back")), ("c", None)] {
        let mut wanted = config_map(name, "");
        if let Some(tier) = tier {
            wanted.labels_mut().insert("tier".into(), tier.into());
        }
        api.create(&PostParams::default(), &wanted).await.unwrap();
    }
    let labels = |selector: &str| ListParams::default().labels(selector);
    let not_ca = ListParams::default().labels("!tier").fields("metadata.name!=kube-root-ca.crt");
    for (selector, expected) in [
        (labels("tier=front"), "a"),
        (labels("tier"), "a b"),
        (labels("tier in (front, back),tier!=front"), "b"),
        (not_ca, "c"),
        (ListParams::default().fields("metadata.name=b"), "b"),
        (ListParams::default().fields("metadata.name=b").labels("tier=front"), ""),
    ] {
        let found: Vec<String> =
            api.list(&selector).await.unwrap().items.iter().map(kube::ResourceExt::name_any).collect();
        assert_eq!(found.join(" "), expected, "{selector:?}");
    }
    let error = api.list(&ListParams::default().fields("data.value=x")).await.unwrap_err();
    assert_eq!(refusal(error).0, 400);

    api.delete_collection(&DeleteParams::default(), &labels("tier")).await.unwrap();
    let left = api.list(&ListParams::default().fields("metadata.name!=kube-root-ca.crt")).await.unwrap();
    assert_eq!(left.items.iter().map(kube::ResourceExt::name_any).collect::<Vec<_>>(), ["c"]);
}
