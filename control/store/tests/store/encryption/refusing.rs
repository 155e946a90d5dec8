//! What a store says that can not be decrypted.

use std::fs;

use coracle_store::Encryption;
use redb::ReadableTable;

use super::{FIRST, Place, contents, keys, put};

/// The directory was restored and the keys were not: nothing is made, nothing is lost, and it is said what is missing.
#[tokio::test]
async fn without_its_keys_a_restored_directory_says_so() {
    let place = Place::new();
    let store = place.open_usual().await;
    put(&store, "s", "x").await;
    store.shutdown().await.expect("in order");
    drop(store);
    let restored = place.copy();
    assert_eq!(
        restored.refused(Encryption::kept_in(&restored.keys()).expect("new keys")).await,
        format!(
            "the store in {} is not opened: secrets/default/s cannot be decrypted: it is encrypted with the aesgcm key \
             \"key1\", and {} does not exist; put the file back that belongs to this data directory, or name the \
             configuration with that key by --encryption-provider-config",
            restored.store().display(),
            restored.keys().display()
        )
    );
    assert!(!restored.keys().exists());
    // Keys of another cluster.
    let other = Place::new();
    other.open_usual().await.shutdown().await.expect("in order");
    let error = restored.refused(Encryption::kept_in(&other.keys()).expect("keys")).await;
    assert!(
        error.contains("secrets/default/s cannot be decrypted: it does not open with the aesgcm key \"key1\""),
        "{error}"
    );
    assert!(error.contains("this is another key of the same name"), "{error}");
    // And its own.
    fs::create_dir(restored.keys().parent().expect("a directory")).expect("a directory");
    fs::copy(place.keys(), restored.keys()).expect("copies");
    let store = restored.open_usual().await;
    assert_eq!(contents(&store).len(), 1);
    store.shutdown().await.expect("in order");
}

/// A value that was cut off or changed is found when the store opens, wherever it was cut.
#[tokio::test]
async fn a_damaged_value_is_found_at_the_start() {
    let place = Place::new();
    let store = place.open(keys(&[FIRST])).await;
    put(&store, "s", "x").await;
    store.shutdown().await.expect("in order");
    drop(store);
    const OBJECTS: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("objects");
    let row_key = b"secrets\0default\0s".as_slice();
    let change = |change: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        let db = redb::Database::open(place.store().join("store.redb")).expect("the database");
        let txn = db.begin_write().expect("a transaction");
        let whole = {
            let mut objects = txn.open_table(OBJECTS).expect("objects");
            let whole = objects.get(row_key).expect("reads").expect("the row").value().to_vec();
            objects.insert(row_key, change(whole.clone()).as_slice()).expect("writes");
            whole
        };
        txn.commit().expect("commits");
        whole
    };
    // Behind the row's head of 16 bytes: nothing left, within the mark, the key's name, the nonce, the text.
    for cut in [16, 20, 36, 46, 100] {
        let whole = change(&|row| row[..cut].to_vec());
        let error = place.refused(keys(&[FIRST])).await;
        assert!(error.contains("secrets/default/s cannot be decrypted: "), "{cut}: {error}");
        change(&|_| whole.clone());
    }
    let whole = change(&|mut row| {
        let last = row.len() - 1;
        row[last] ^= 1;
        row
    });
    let error = place.refused(keys(&[FIRST])).await;
    assert!(error.contains("or the value is damaged"), "{error}");
    change(&|_| whole.clone());
    place.open(keys(&[FIRST])).await.shutdown().await.expect("in order");
}
