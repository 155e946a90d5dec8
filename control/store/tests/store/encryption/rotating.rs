//! From one key to the next.

use std::path::Path;

use coracle_store::{Encryption, Scope};

use super::{FIRST, Place, SECOND, THIRD, contents, keys, put, renewed};

/// With a new first key everything is read at once and encrypted anew behind the scenes; then the new key is enough.
#[tokio::test]
async fn keys_are_rotated_without_anybody_noticing() {
    let place = Place::new();
    let store = place.open(keys(&[FIRST])).await;
    for number in 0..150 {
        put(&store, &format!("s{number:03}"), "x").await;
    }
    store.shutdown().await.expect("in order");
    let (mut before, mut revision) = (contents(&store), store.revision());
    drop(store);

    for (new, old) in [(SECOND, FIRST), (THIRD, SECOND), (FIRST, THIRD)] {
        let store = place.open(keys(&[new, old])).await;
        assert_eq!((contents(&store), store.revision()), (before, revision), "the same objects, of the same revisions");
        // Writers go on meanwhile.
        for number in 140..170 {
            put(&store, &format!("s{number:03}"), "y").await;
        }
        renewed(&store).await;
        assert!(!store.list(&Scope::all("secrets")).iter().any(|record| store.is_stale(&record.key)));
        (before, revision) = (contents(&store), store.revision());
        let crashed = place.copy();
        store.shutdown().await.expect("in order");
        drop(store);
        for place in [&crashed, &place] {
            let store = place.open(keys(&[new])).await;
            assert_eq!((contents(&store), store.revision()), (before.clone(), revision), "without the old key");
            assert!(!store.needs_old_keys());
            store.shutdown().await.expect("in order");
            place.assert_hidden("after a rotation");
        }
    }
}

/// Rows and log entries that were written before are read until they are gone: without the old key nothing opens.
#[tokio::test]
async fn the_old_key_is_asked_for_as_long_as_anything_needs_it() {
    let place = Place::new();
    let store = place.open(keys(&[FIRST])).await;
    put(&store, "s", "x").await;
    // Still only in the log.
    let crashed = place.copy();
    store.shutdown().await.expect("in order");
    drop(store);
    let wants = |object: &str, place: &Place| {
        format!(
            "the store in {} is not opened: {object} cannot be decrypted: it is encrypted with the aesgcm key \"key1\", \
             which given.yaml does not have for secrets; add this key to its providers, behind the first one if it is an \
             old key",
            place.store().display()
        )
    };
    assert_eq!(place.refused(keys(&[SECOND])).await, wants("secrets/default/s", &place));
    assert_eq!(crashed.refused(keys(&[SECOND])).await, wants("secrets/default/s (in the log)", &crashed));
    for place in [&place, &crashed] {
        let store = place.open(keys(&[SECOND, FIRST])).await;
        assert_eq!(contents(&store).len(), 1, "the attempt has done no harm");
        renewed(&store).await;
        store.shutdown().await.expect("in order");
        drop(store);
        place.open(keys(&[SECOND])).await.shutdown().await.expect("in order");
    }
}

/// `identity` in front: everything is plain again, in the background.
#[tokio::test]
async fn encryption_can_be_given_up() {
    let place = Place::new();
    let store = place.open(keys(&[FIRST])).await;
    put(&store, "s", "x").await;
    store.shutdown().await.expect("in order");
    let text = "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: [secrets]\n  \
                providers:\n  - identity: {}\n";
    let off =
        |more: &str| Encryption::from_yaml(&format!("{text}{more}"), Path::new("off.yaml")).expect("a configuration");
    let secret = "a".repeat(42) + "A=";
    let store = place.open(off(&format!("  - aesgcm: {{keys: [{{name: key1, secret: {secret}}}]}}\n"))).await;
    renewed(&store).await;
    store.shutdown().await.expect("in order");
    let store = place.open(off("")).await;
    assert_eq!(contents(&store).len(), 1);
    store.shutdown().await.expect("in order");
}
