use coracle_api::Catalog;
use serde_json::json;

use super::*;

/// An update that changes nothing is none, unless the stored form is of an older key: then it is what renews it.
#[test]
fn an_unchanged_object_is_written_only_if_its_stored_form_is_stale() {
    let secrets = Catalog::builtin().rows().iter().find(|row| row.plural == "secrets").unwrap().clone();
    let old = json!({ "metadata": { "name": "s", "uid": "u" }, "data": { "a": "YQ==" } });
    assert!(Change::to(&secrets, old.clone(), &old, false).is_none());
    match Change::to(&secrets, old.clone(), &old, true) {
        Some(Change::Write(object)) => assert_eq!(object, old),
        _ => panic!("not written"),
    }
    let timed = |time: &str| {
        let mut object = old.clone();
        object["metadata"]["managedFields"] = json!([{ "manager": "m", "operation": "Apply", "time": time }]);
        object
    };
    assert!(Change::to(&secrets, timed("2026-01-02T00:00:00Z"), &timed("2026-01-01T00:00:00Z"), false).is_none());
    let other = json!({ "metadata": { "name": "s", "uid": "u" } });
    assert!(matches!(Change::to(&secrets, other, &old, false), Some(Change::Write(_))));
}
