//! Server-side apply: several managers, updates in between.
//!
//! Promises: applying the same again changes nothing, not even the books; the books can always be read; what was applied
//! decodes to itself; whoever forces gets what others refuse; and as long as nobody forces or updates, nobody's fields
//! change, so everybody can apply once more what he applied last.

use std::collections::BTreeMap;

use coracle_api::apply::{ApplyOptions, apply, track_create, track_update};
use coracle_api::catalog::Resource;
use coracle_api::decode::{FieldValidation, decode};
use serde_json::{Value, json};

use super::documents::{object, of_stored, show, stored_resource, without_nulls, written};
use super::supply::Supply;

const MANAGERS: [&str; 3] = ["one", "two", "kubectl"];
const TIMES: [&str; 3] = ["2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z"];
/// Writes to one object.
const MAX_STEPS: usize = 6;

/// Checks one input: configurations on lines, applied in turn by two managers, or decisions.
pub fn check(data: &[u8]) {
    if let Some(configs) = written(data) {
        let Some(resource) = configs.first().and_then(of_stored) else { return };
        let mut story = Story::new(&resource);
        for (index, config) in configs.into_iter().take(MAX_STEPS).enumerate() {
            story.apply(config, MANAGERS[index % 2], false, "");
        }
        return;
    }
    let mut supply = Supply::new(data);
    let resource = stored_resource(&mut supply);
    let mut story = Story::new(&resource);
    story.defaults = supply.once_in(2);
    for _ in 0..1 + supply.below(MAX_STEPS) {
        let (what, manager) = (supply.byte(), *supply.pick(&MANAGERS));
        let mut written = object(&mut supply, &resource);
        if let Some(metadata) = written["metadata"].as_object_mut() {
            metadata.remove("managedFields");
        }
        let subresource = if what & 0x40 != 0 && resource.has_status && story.live.is_some() { "status" } else { "" };
        match what & 7 {
            0 => story.update(written, manager, subresource),
            1 => story.apply(written, manager, true, subresource),
            _ => story.apply(written, manager, false, subresource),
        }
    }
}

/// The object without the times in its books: what is wanted and then reset (a status) makes a new time, and a write that
/// changes nothing else is none.
fn timeless(mut object: Value) -> Value {
    for entry in object["metadata"]["managedFields"].as_array_mut().into_iter().flatten() {
        entry.as_object_mut().map(|entry| entry.remove("time"));
    }
    // In Go both are always there.
    for part in ["spec", "status"] {
        if object[part] == json!({}) {
            object.as_object_mut().map(|object| object.remove(part));
        }
    }
    // They stand in the order of their times.
    if let Some(entries) = object["metadata"]["managedFields"].as_array_mut() {
        entries.sort_by_key(Value::to_string);
    }
    object
}

/// Whether there is `null` anywhere.
fn has_null(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.values().any(has_null),
        Value::Array(items) => items.iter().any(has_null),
        other => other.is_null(),
    }
}

/// Whether the server stores what is applied. Where it adds something of its own (to a Job's selector), validation, which
/// is not asked here, refuses the configuration.
fn is_kept(config: &Value, wanted: &Value, stored: &Value) -> bool {
    let same = |name: &String| without_nulls(wanted["spec"][name].clone()) == stored["spec"][name];
    config["spec"].as_object().is_none_or(|fields| fields.keys().all(same))
}

/// An object and who has applied what to it.
struct Story<'r> {
    resource: &'r Resource,
    live: Option<Value>,
    /// What each applied last, as long as all have only ever agreed.
    applied: BTreeMap<(&'static str, &'static str), Value>,
    time: usize,
    /// Whether what nobody says is filled in.
    defaults: bool,
}

impl<'r> Story<'r> {
    fn new(resource: &'r Resource) -> Self {
        Self { resource, live: None, applied: BTreeMap::new(), time: 0, defaults: true }
    }

    fn options(&mut self, manager: &'static str, force: bool, subresource: &'static str) -> ApplyOptions<'static> {
        self.time += 1;
        ApplyOptions { manager, force, subresource, now: TIMES[self.time % TIMES.len()] }
    }

    fn apply(&mut self, mut config: Value, manager: &'static str, force: bool, subresource: &'static str) {
        // The server counts, whatever anybody says.
        config["metadata"].as_object_mut().map(|metadata| metadata.remove("generation"));
        show(&format!("{manager} applies {subresource}"), &config);
        let options = self.options(manager, force, subresource);
        let result = apply(self.resource, self.live.as_ref(), config.clone(), options);
        let next = match result {
            Ok(next) => next,
            Err(error) if error.code() == 409 => {
                assert!(!force, "a conflict in spite of force: {}", error.message);
                let forced = ApplyOptions { force: true, ..options };
                let forced = apply(self.resource, self.live.as_ref(), config, forced);
                assert!(forced.is_ok(), "what only conflicts can be forced: {forced:?}");
                return;
            }
            Err(error) => {
                assert!(!error.message.contains("failed to decode managed fields"), "{}", error.message);
                return;
            }
        };
        let wanted = self.defaulted(next.clone());
        let next = self.stored(next, self.live.as_ref(), subresource);
        show("which makes", &next);
        self.is_sound(&next);
        let later = ApplyOptions { now: "2026-02-02T00:00:00Z", ..options };
        let again = apply(self.resource, Some(&next), config.clone(), later).expect("applying the same again works");
        let again = self.stored(again, Some(&next), subresource);
        // A default stands where somebody wants nothing, and belongs to nobody; and Go makes an empty text of a `null` in a
        // list, which the next `null` does not find there.
        let says_what = !has_null(&config);
        // Who applies nothing that can be owned leaves no books, and the next time all belongs to whoever came before.
        let owns = next["metadata"].get("managedFields").is_some();
        let is_kept = !subresource.is_empty() || is_kept(&config, &wanted, &next);
        // Kinds prepare objects that have their defaults.
        if owns && says_what && is_kept && self.defaults {
            assert_eq!(timeless(next.clone()), timeless(again), "applying the same again changes something");
        }
        if force {
            self.applied.clear();
        }
        // What was applied before is given up in any case.
        self.applied.remove(&(manager, subresource));
        if says_what {
            self.applied.insert((manager, subresource), config);
        }
        self.live = Some(next);
        self.all_agree(options);
    }

    /// Nobody has lost anything.
    fn all_agree(&self, options: ApplyOptions<'_>) {
        for ((manager, subresource), config) in &self.applied {
            let options = ApplyOptions { manager, subresource, force: false, ..options };
            let again = apply(self.resource, self.live.as_ref(), config.clone(), options);
            let conflict = again.err().filter(|error| error.code() == 409);
            assert!(conflict.is_none(), "a field of {manager} was changed without force: {conflict:?}");
        }
    }

    fn update(&mut self, new: Value, manager: &'static str, subresource: &'static str) {
        let Ok((mut new, _)) = decode(self.resource, new, FieldValidation::Ignore) else { return };
        show(&format!("{manager} updates {subresource}"), &new);
        let options = self.options(manager, false, subresource);
        match self.live.take() {
            None => track_create(self.resource, &mut new, options),
            Some(old) => {
                new["metadata"]["managedFields"] = old["metadata"]["managedFields"].clone();
                new = self.stored(new, Some(&old), subresource);
                track_update(self.resource, &old, &mut new, options);
                let mut same = new.clone();
                track_update(self.resource, &new, &mut same, ApplyOptions { manager: "idle", ..options });
                assert_eq!(new, same, "an update that changes nothing changes the books");
            }
        }
        self.is_sound(&new);
        self.applied.clear();
        self.live = Some(new);
    }

    /// What a write stores, when `next` is wanted.
    fn stored(&self, next: Value, old: Option<&Value>, subresource: &str) -> Value {
        let mut next = self.defaulted(next);
        match (old, subresource) {
            (None, _) => self.resource.prepare_create(&mut next),
            (Some(old), "") => self.resource.prepare_update(&mut next, old),
            (Some(old), _) => {
                // Nothing else is written, and in Go there is always a status.
                next["spec"] = old["spec"].clone();
                if next["status"].is_null() {
                    next["status"] = json!({});
                }
                self.resource.prepare_status(&mut next, old);
            }
        }
        without_nulls(next)
    }

    fn defaulted(&self, mut next: Value) -> Value {
        if self.defaults {
            self.resource.defaults(&mut next);
        }
        next
    }

    /// What is written can be read.
    fn is_sound(&self, object: &Value) {
        let (again, _) =
            decode(self.resource, object.clone(), FieldValidation::Ignore).expect("what is stored decodes");
        assert_eq!(*object, again, "decoding changes what was written");
        for entry in object["metadata"]["managedFields"].as_array().into_iter().flatten() {
            assert_eq!(entry["fieldsType"], json!("FieldsV1"));
            assert!(
                entry["fieldsV1"].as_object().is_some_and(|fields| !fields.is_empty()),
                "an entry of nothing: {entry}"
            );
        }
    }
}
