//! Conditions of an object's `status`, as JSON.

use serde_json::{Value, json};

/// `status.conditions[type]`
pub(crate) fn find<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)
}

/// Whether the condition is `True`.
pub(crate) fn is_true(object: &Value, kind: &str) -> bool {
    find(object, kind).is_some_and(|condition| condition["status"] == "True")
}

/// A condition to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) kind: &'static str,
    pub(crate) status: &'static str,
    pub(crate) reason: String,
    pub(crate) message: String,
}

impl Condition {
    pub(crate) fn new(kind: &'static str, status: bool, reason: &str, message: impl Into<String>) -> Self {
        let status = if status { "True" } else { "False" };
        Self { kind, status, reason: reason.into(), message: message.into() }
    }

    /// Writes the condition into the object. The time of the last transition is that of the last change of status.
    pub(crate) fn set(&self, object: &mut Value, now: &str) {
        let since = find(object, self.kind)
            .filter(|old| old["status"] == self.status)
            .and_then(|old| old["lastTransitionTime"].as_str())
            .unwrap_or(now);
        let entry = json!({
            "type": self.kind,
            "status": self.status,
            "reason": self.reason,
            "message": self.message,
            "lastTransitionTime": since,
        });
        if !object["status"]["conditions"].is_array() {
            object["status"]["conditions"] = json!([]);
        }
        let Some(conditions) = object["status"]["conditions"].as_array_mut() else { return };
        match conditions.iter_mut().find(|condition| condition["type"] == self.kind) {
            Some(condition) => *condition = entry,
            None => conditions.push(entry),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_condition_is_that_of_its_last_change() {
        let mut object = json!({});
        Condition::new("Established", false, "Installing", "a").set(&mut object, "t1");
        Condition::new("Established", false, "NotAccepted", "b").set(&mut object, "t2");
        let condition = find(&object, "Established").unwrap();
        assert_eq!((&condition["lastTransitionTime"], &condition["reason"]), (&json!("t1"), &json!("NotAccepted")));
        Condition::new("Established", true, "InitialNamesAccepted", "c").set(&mut object, "t3");
        assert!(is_true(&object, "Established"));
        assert_eq!(object["status"]["conditions"].as_array().unwrap().len(), 1);
        assert_eq!(find(&object, "Established").unwrap()["lastTransitionTime"], "t3");
    }
}
