//! Which names a CustomResourceDefinition gets: those it asks for, unless another one of its group has them.
//!
//! Follows the naming controller of `k8s.io/apiextensions-apiserver`. Pure.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::conditions::{Condition, find, is_true};

pub(super) const NAMES_ACCEPTED: &str = "NamesAccepted";
pub(super) const ESTABLISHED: &str = "Established";
pub(super) const TERMINATING: &str = "Terminating";

/// The names that the other definitions of a group have been given.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Plurals, singulars and short names, which share one space.
    resources: BTreeSet<String>,
    /// Kinds and list kinds, which share another.
    kinds: BTreeSet<String>,
}

impl Taken {
    /// The accepted names of all these definitions.
    pub(super) fn by<'a>(definitions: impl Iterator<Item = &'a Value>) -> Self {
        let mut taken = Self::default();
        for definition in definitions {
            let names = &definition["status"]["acceptedNames"];
            let text = |field: &str| names[field].as_str().filter(|name| !name.is_empty()).map(str::to_string);
            taken.resources.extend(text("plural").into_iter().chain(text("singular")));
            taken.resources.extend(strings(&names["shortNames"]));
            taken.kinds.extend(text("kind").into_iter().chain(text("listKind")));
        }
        taken
    }
}

fn strings(list: &Value) -> impl Iterator<Item = String> + '_ {
    list.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_string))
}

/// Writes `acceptedNames` and the conditions `NamesAccepted` and `Established` into the definition.
pub(super) fn judge(definition: &mut Value, taken: &Taken, now: &str) {
    let (accepted, names) = accept(definition, taken);
    definition["status"]["acceptedNames"] = accepted;
    names.set(definition, now);
    if is_true(definition, NAMES_ACCEPTED) && !is_true(definition, ESTABLISHED) {
        Condition::new(ESTABLISHED, true, "InitialNamesAccepted", "the initial names have been accepted")
            .set(definition, now);
    } else if find(definition, ESTABLISHED).is_none() {
        Condition::new(ESTABLISHED, false, "NotAccepted", "not all names are accepted").set(definition, now);
    }
}

/// The names it gets, and whether those are the ones it wants. Of several conflicts the last one is told.
fn accept(definition: &Value, taken: &Taken) -> (Value, Condition) {
    let (wanted, has) = (&definition["spec"]["names"], &definition["status"]["acceptedNames"]);
    let mut accepted = if has.is_object() { has.clone() } else { json!({}) };
    let mut conflict: Option<(&str, String)> = None;
    let fields: [(&str, &str, &BTreeSet<String>); 5] = [
        ("plural", "PluralConflict", &taken.resources),
        ("singular", "SingularConflict", &taken.resources),
        ("shortNames", "ShortNamesConflict", &taken.resources),
        ("kind", "KindConflict", &taken.kinds),
        ("listKind", "ListKindConflict", &taken.kinds),
    ];
    for (field, reason, taken) in fields {
        let refused = match field {
            "shortNames" => short_names_in_use(wanted, has, taken),
            _ => name_in_use(wanted[field].as_str(), has[field].as_str(), taken),
        };
        match refused {
            Some(message) => conflict = Some((reason, message)),
            None => copy(wanted, &mut accepted, field),
        }
    }
    copy(wanted, &mut accepted, "categories");
    let condition = match conflict {
        None => Condition::new(NAMES_ACCEPTED, true, "NoConflicts", "no conflicts found"),
        Some((reason, message)) => Condition::new(NAMES_ACCEPTED, false, reason, message),
    };
    (accepted, condition)
}

fn name_in_use(wanted: Option<&str>, has: Option<&str>, taken: &BTreeSet<String>) -> Option<String> {
    let wanted = wanted.filter(|name| has != Some(name) && taken.contains(*name))?;
    Some(in_use(wanted))
}

fn short_names_in_use(wanted: &Value, has: &Value, taken: &BTreeSet<String>) -> Option<String> {
    let mine: BTreeSet<String> = strings(&has["shortNames"]).collect();
    let refused = strings(&wanted["shortNames"]).filter(|name| !mine.contains(name) && taken.contains(name));
    let refused: Vec<String> = refused.map(|name| in_use(&name)).collect();
    match refused.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        many => Some(format!("[{}]", many.join(", "))),
    }
}

fn in_use(name: &str) -> String {
    format!("{} is already in use", json!(name))
}

fn copy(from: &Value, to: &mut Value, field: &str) {
    match from.get(field) {
        Some(value) => to[field] = value.clone(),
        None => {
            to.as_object_mut().map(|fields| fields.remove(field));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(plural: &str, short: &[&str], kind: &str) -> Value {
        json!({ "spec": { "names": {
            "plural": plural, "singular": kind.to_lowercase(), "shortNames": short, "kind": kind,
            "listKind": format!("{kind}List"),
        } } })
    }

    fn judged(mut definition: Value, others: &[&Value]) -> Value {
        judge(&mut definition, &Taken::by(others.iter().copied()), "now");
        definition
    }

    fn reason(definition: &Value, kind: &str) -> (String, String) {
        let condition = find(definition, kind).unwrap();
        (condition["reason"].as_str().unwrap().into(), condition["message"].as_str().unwrap().into())
    }

    #[test]
    fn free_names_are_accepted() {
        let first = judged(definition("crontabs", &["ct"], "CronTab"), &[]);
        assert!(is_true(&first, NAMES_ACCEPTED) && is_true(&first, ESTABLISHED));
        assert_eq!(reason(&first, NAMES_ACCEPTED), ("NoConflicts".into(), "no conflicts found".into()));
        assert_eq!(first["status"]["acceptedNames"], first["spec"]["names"]);
        let again = judged(first.clone(), &[&first]);
        assert_eq!(again, first, "its own names are no conflict");
    }

    #[test]
    fn taken_names_are_refused_with_the_reason_of_upstream() {
        let first = judged(definition("crontabs", &["ct"], "CronTab"), &[]);
        let cases = [
            (definition("ct", &[], "Other"), "PluralConflict", "\"ct\" is already in use"),
            (definition("others", &["ct"], "Other"), "ShortNamesConflict", "\"ct\" is already in use"),
            (definition("others", &[], "CronTabList"), "KindConflict", "\"CronTabList\" is already in use"),
        ];
        for (wanted, expected, message) in cases {
            let second = judged(wanted, &[&first]);
            assert_eq!(reason(&second, NAMES_ACCEPTED), (expected.into(), message.into()));
            assert_eq!(reason(&second, ESTABLISHED).0, "NotAccepted");
        }
    }

    #[test]
    fn what_is_established_stays_so_when_a_later_name_is_refused() {
        let first = judged(definition("crontabs", &["ct"], "CronTab"), &[]);
        let mut second = judged(definition("others", &["ot"], "Other"), &[&first]);
        second["spec"]["names"]["shortNames"] = json!(["ct"]);
        let second = judged(second, &[&first]);
        assert!(!is_true(&second, NAMES_ACCEPTED) && is_true(&second, ESTABLISHED));
        assert_eq!(second["status"]["acceptedNames"]["shortNames"], json!(["ot"]));
    }
}
