//! What a PriorityLevelConfiguration and a FlowSchema say.

use std::sync::Arc;

use coracle_api::meta;
use serde_json::Value;

use super::deal::MAX_HAND;
use super::rule::Rule;
use crate::authz::{Attributes, Subject};
use crate::identity::User;

/// The level, and the schema, that are never limited; they take no other name.
pub(super) const EXEMPT: &str = "exempt";
/// The level, and the schema, of whatever no other one is about.
pub(super) const CATCH_ALL: &str = "catch-all";

/// A PriorityLevelConfiguration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LevelSpec {
    pub(super) name: Arc<str>,
    pub(super) uid: String,
    pub(super) response: Response,
    /// `nominalConcurrencyShares`
    pub(super) shares: u32,
    pub(super) lendable_percent: u32,
    /// `borrowingLimitPercent`; without it a level may borrow as much as there is.
    pub(super) borrowing_percent: Option<u32>,
}

/// What becomes of a request for which there is no seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Response {
    /// There always is one.
    Exempt,
    Reject,
    Queue(Queuing),
}

/// How requests queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Queuing {
    pub(super) queues: u32,
    pub(super) hand: u32,
    /// `queueLengthLimit`
    pub(super) length: usize,
}

impl LevelSpec {
    /// From an object; `None` when it contradicts itself, which is as if it was not there.
    pub(super) fn read(object: &Value) -> Option<Self> {
        let (spec, name) = (&object["spec"], meta::name(object));
        let exempt = spec["type"] == "Exempt";
        if exempt != (name == EXEMPT) {
            return None;
        }
        let fields = if exempt { &spec["exempt"] } else { &spec["limited"] };
        let response = if exempt { Response::Exempt } else { Response::read(&fields["limitResponse"])? };
        Some(Self {
            name: name.into(),
            uid: meta::uid(object).to_string(),
            response,
            shares: number(fields, "nominalConcurrencyShares").unwrap_or(0),
            lendable_percent: number(fields, "lendablePercent").unwrap_or(0).min(100),
            borrowing_percent: number(fields, "borrowingLimitPercent"),
        })
    }

    pub(super) fn is_exempt(&self) -> bool {
        self.response == Response::Exempt
    }
}

impl Response {
    fn read(response: &Value) -> Option<Self> {
        let queuing = &response["queuing"];
        match response["type"].as_str()? {
            "Reject" => Some(Self::Reject),
            "Queue" => {
                let queues = number(queuing, "queues").filter(|queues| *queues > 0)?;
                let hand = number(queuing, "handSize").filter(|hand| *hand > 0)?.min(queues).min(MAX_HAND);
                Some(Self::Queue(Queuing { queues, hand, length: number(queuing, "queueLengthLimit")? as usize }))
            }
            _ => None,
        }
    }
}

fn number(fields: &Value, name: &str) -> Option<u32> {
    fields[name].as_i64().map(|number| u32::try_from(number.max(0)).unwrap_or(u32::MAX))
}

/// A FlowSchema.
#[derive(Debug)]
pub(super) struct SchemaSpec {
    pub(super) name: Arc<str>,
    pub(super) uid: String,
    /// The name of its level.
    pub(super) level: String,
    precedence: i64,
    distinguisher: Option<Distinguisher>,
    rules: Vec<Rule>,
}

/// What tells the flows of one schema apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Distinguisher {
    User,
    Namespace,
}

impl SchemaSpec {
    /// From an object.
    pub(super) fn read(object: &Value) -> Self {
        let spec = &object["spec"];
        Self {
            name: meta::name(object).into(),
            uid: meta::uid(object).to_string(),
            level: level_of(object).to_string(),
            precedence: spec["matchingPrecedence"].as_i64().unwrap_or(i64::MAX),
            distinguisher: match spec["distinguisherMethod"]["type"].as_str() {
                Some("ByUser") => Some(Distinguisher::User),
                Some("ByNamespace") => Some(Distinguisher::Namespace),
                _ => None,
            },
            rules: spec["rules"].as_array().into_iter().flatten().map(Rule::read).collect(),
        }
    }

    /// What schemas are sorted by: the first that is about a request has it.
    pub(super) fn order(&self) -> (i64, &str) {
        (self.precedence, &self.name)
    }

    /// Whether the schema is about a request.
    pub(super) fn matches(&self, user: &User, attributes: &Attributes<'_>) -> bool {
        self.rules.iter().any(|rule| rule.matches(user, attributes))
    }

    /// What tells the request's flow from others of the schema.
    pub(super) fn distinguish<'a>(&self, user: &'a User, attributes: &Attributes<'a>) -> &'a str {
        match (self.distinguisher, attributes.target) {
            (Some(Distinguisher::User), _) => &user.name,
            (Some(Distinguisher::Namespace), Subject::Resource { namespace, .. }) => namespace,
            _ => "",
        }
    }
}

/// The name of the level that a FlowSchema leads to.
pub(super) fn level_of(schema: &Value) -> &str {
    schema["spec"]["priorityLevelConfiguration"]["name"].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn level(name: &str, spec: Value) -> Option<LevelSpec> {
        LevelSpec::read(&json!({ "metadata": { "name": name }, "spec": spec }))
    }

    #[test]
    fn levels_that_contradict_themselves_are_none() {
        let exempt = json!({ "type": "Exempt", "exempt": { "nominalConcurrencyShares": 1, "lendablePercent": 50 } });
        assert_eq!(level("exempt", exempt.clone()).unwrap().shares, 1);
        assert_eq!(level("other", exempt), None);
        let queue = |queuing| {
            let response = json!({ "type": "Queue", "queuing": queuing });
            level("a", json!({ "type": "Limited", "limited": { "limitResponse": response } }))
        };
        assert_eq!(queue(json!({ "queues": 0, "handSize": 1, "queueLengthLimit": 1 })), None);
        assert_eq!(queue(Value::Null), None);
        let kept = queue(json!({ "queues": 4, "handSize": 9, "queueLengthLimit": 2 })).unwrap();
        assert_eq!(kept.response, Response::Queue(Queuing { queues: 4, hand: 4, length: 2 }));
        assert_eq!(
            level("exempt", json!({ "type": "Limited", "limited": { "limitResponse": { "type": "Reject" } } })),
            None
        );
    }
}
