use openraft::{CommittedLeaderId, Entry};

use super::*;
use crate::encryption::tests::configured;
use crate::event::EventKind;
use crate::raft::LogId;
use crate::testing::{on_node, pod};
use crate::txn::Expect;

fn vault(providers: &[&str]) -> Vault {
    Vault::new(Arc::new(configured(providers)))
}

fn secret(name: &str) -> Key {
    Key::new("secrets", "a", name)
}

fn entry(txns: Vec<Txn>) -> RaftEntry {
    let log_id = LogId::new(CommittedLeaderId::new(1, 1), 7);
    Entry { log_id, payload: EntryPayload::Normal(Arc::new(Batch { txns })) }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

/// Of an entry only the Secrets are encrypted, written and deleted ones, and it comes back as it was.
#[test]
fn an_entry_hides_its_secrets_and_nothing_else() {
    let vault = vault(&["aesgcm key1 1"]);
    let entry = entry(vec![
        Txn::put(pod("a", "x"), on_node("x", "pod-node"), Expect::Absent),
        Txn::new(vec![
            Op::Put { key: secret("x"), object: on_node("x", "put-node"), expect: Expect::Revision(3) },
            Op::Delete { key: secret("y"), expect: Expect::Any, last: Some(on_node("y", "last-node")) },
            Op::Delete { key: secret("z"), expect: Expect::Any, last: None },
        ]),
    ]);
    let row = vault.encode_entry(&entry).unwrap();
    assert!(contains(&row, "pod-node") && !contains(&row, "put-node") && !contains(&row, "last-node"));
    let (back, form) = vault.decode_entry(&row).unwrap();
    let (EntryPayload::Normal(batch), EntryPayload::Normal(given)) = (back.payload, entry.payload) else {
        panic!("batches")
    };
    assert_eq!((back.log_id, form), (entry.log_id, Form::Current));
    assert_eq!(format!("{batch:?}"), format!("{given:?}"));
    // What was spliced around the revision still fits.
    let (_, object) = carried(&batch.txns[1].ops[0]).unwrap();
    let (_, json) = object.at_revision(EventKind::Added, 9);
    assert!(contains(&json, r#""resourceVersion":"9""#) && contains(&json, "put-node"));
}

/// Neither another object nor the other table takes a value that was moved there.
#[test]
fn values_can_not_be_moved() {
    let vault = vault(&["secretbox key1 1"]);
    let json = br#"{"metadata":{}}"#;
    let row = vault.seal_row(&secret("x"), json).unwrap().into_owned();
    assert_eq!(vault.open_row(&secret("x"), &row).unwrap().0, json.as_slice());
    for other in [secret("y"), Key::new("secrets", "b", "x"), Key::new("secrets", "", "ax")] {
        let error = vault.open_row(&other, &row).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{other} cannot be decrypted: it does not open with")), "{error}");
    }
    let error = vault.open(Place::Log, &secret("x"), &row).unwrap_err().to_string();
    assert!(error.starts_with("secrets/a/x (in the log) cannot be decrypted"), "{error}");
}

/// What is left to do is counted down by writes and by the background.
#[test]
fn stale_rows_are_remembered_until_they_are_written() {
    let vault = vault(&["aesgcm key1 1"]);
    let keys = ["a", "b", "c", "d"].map(secret);
    vault.found(Some(&keys[0]), Form::Current);
    keys[1..].iter().for_each(|key| vault.found(Some(key), Form::Stale));
    vault.found(None, Form::Stale);
    assert_eq!((vault.is_stale(&keys[0]), vault.is_stale(&keys[1]), vault.stale_rows()), (false, true, 3));
    assert_eq!(vault.stale_after(None, 2), keys[1..3]);
    assert_eq!(vault.stale_after(Some(&keys[2]), 2), keys[3..]);
    vault.renewed(keys.iter());
    assert!(vault.has_stale() && vault.stale_rows() == 0, "the log is still old");
    vault.log_renewed();
    assert!(!vault.has_stale());
}
