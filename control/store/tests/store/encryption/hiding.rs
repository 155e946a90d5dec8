//! What the files of a store show: nothing.

use std::fs;

use coracle_store::{Encryption, Expect, Object, Txn};

use super::{BASE64, PLAIN, Place, contents, key, object, put};

/// What a Secret says is in no file: in the log, among the objects, in a final state, after snapshots, purges and restarts.
#[tokio::test]
async fn no_file_shows_a_secret() {
    let place = Place::new();
    let store = place.open_usual().await;
    put(&store, "first", "x").await;
    place.assert_hidden("in the log");
    for number in 0..200 {
        put(&store, &format!("s{}", number % 40), "x").await;
        if number % 10 == 0 {
            let last = Some(object("gone", "x"));
            store
                .commit(Txn::delete(key("secrets", &format!("s{}", number % 40)), Expect::Any, last))
                .await
                .expect("commits");
            place.assert_hidden("while it is written");
        }
    }
    store.shutdown().await.expect("in order");
    place.assert_hidden("after the end");
    assert!(place.shows("k8s:enc:aesgcm:v1:key1:"));
    let before = contents(&store);
    drop(store);

    let store = place.open_usual().await;
    assert_eq!(contents(&store), before);
    assert!(!store.needs_old_keys());
    place.assert_hidden("after a restart");
    store.commit(Txn::put(key("configmaps", "c"), object("c", "x"), Expect::Any)).await.expect("commits");
    assert!(place.shows(PLAIN) && place.shows(BASE64), "what is not to be encrypted is not, and the search finds it");
    store.shutdown().await.expect("in order");
}

/// A directory from before there was encryption opens, and nothing of its Secrets is left, not even of deleted ones.
#[tokio::test]
async fn an_old_directory_is_written_anew() {
    let place = Place::new();
    let store = place.open(Encryption::none()).await;
    for number in 0..30 {
        put(&store, &format!("s{number}"), "x").await;
    }
    store.commit(Txn::delete(key("secrets", "s3"), Expect::Any, None)).await.expect("commits");
    store.shutdown().await.expect("in order");
    let (before, revision) = (contents(&store), store.revision());
    drop(store);
    assert!(place.shows(PLAIN));
    let crashed = place.copy();
    // What a start left that did not come to an end.
    fs::write(crashed.store().join("store.new"), "half a copy").expect("writes");

    for place in [place, crashed] {
        let store = place.open_usual().await;
        assert_eq!((contents(&store), store.revision()), (before.clone(), revision));
        place.assert_hidden("after it was encrypted");
        put(&store, "s1", "y").await;
        store.shutdown().await.expect("in order");
        drop(store);
        assert_eq!(fs::read_to_string(place.store().join("format")).expect("reads"), "2\n", "older versions stay away");
        let error = place.refused(Encryption::none()).await;
        assert!(error.contains("cannot be decrypted: it is encrypted with the aesgcm key \"key1\""), "{error}");
        place.open_usual().await.shutdown().await.expect("in order");
        place.assert_hidden("at the end");
    }
}

/// A deleted Secret is not there in a live row, only in pages that nobody uses.
#[tokio::test]
async fn an_old_directory_without_secrets_is_written_anew_too() {
    let place = Place::new();
    let store = place.open(Encryption::none()).await;
    // So large that what comes later does not write over all of it, and each with something behind it that stays: the end
    // of a file is given back when nobody uses it.
    for number in 0..8 {
        put(&store, &format!("s{number}"), &PLAIN.repeat(10_000)).await;
        let other = harmless(&format!("l{number}"), &"x".repeat(280_000));
        store.commit(Txn::put(key("configmaps", &format!("l{number}")), other, Expect::Any)).await.expect("commits");
    }
    for number in 0..8 {
        store.commit(Txn::delete(key("secrets", &format!("s{number}")), Expect::Any, None)).await.expect("commits");
    }
    // So many that the entries of all that are purged from the log.
    for number in 0..100 {
        let other = harmless(&format!("c{number}"), "");
        store.commit(Txn::put(key("configmaps", "c"), other, Expect::Any)).await.expect("commits");
    }
    store.shutdown().await.expect("in order");
    drop(store);
    assert!(place.shows(PLAIN), "there is something to hide");
    place.open_usual().await.shutdown().await.expect("in order");
    place.assert_hidden("in unused pages");
}

/// An object that has nothing to hide.
fn harmless(name: &str, text: &str) -> Object {
    let json = format!(r#"{{"metadata":{{"name":"{name}"}},"data":{{"text":"{text}"}}}}"#);
    Object::from_json(json.into_bytes()).expect("an object")
}
