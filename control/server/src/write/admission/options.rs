//! The options of a request as webhooks and policies see them (`request.options`): those of the operation, whatever verb
//! has led to it. A patch that creates has `CreateOptions`.

use serde_json::{Map, Value, json};

use super::Action;
use crate::http::Params;

/// What a request says besides its object.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    fields: Map<String, Value>,
}

impl Options {
    /// Of a write, by its query.
    pub(crate) fn of_query(params: &Params) -> Self {
        let mut fields = Map::new();
        let tried: Vec<&str> = params.all("dryRun").collect();
        if !tried.is_empty() {
            fields.insert("dryRun".into(), json!(tried));
        }
        for name in ["fieldManager", "fieldValidation"] {
            if let Some(text) = params.get(name) {
                fields.insert(name.into(), json!(text));
            }
        }
        Self { fields }
    }

    /// Of a deletion: the fields of `DeleteOptions` that are given.
    pub(crate) fn of_deletion(fields: Map<String, Value>) -> Self {
        Self { fields }
    }

    /// The object; null where the operation has none.
    pub(crate) fn shown(&self, action: Action) -> Value {
        let kind = match action {
            Action::Create => "CreateOptions",
            Action::Update => "UpdateOptions",
            Action::Delete => "DeleteOptions",
            Action::Connect => return Value::Null,
        };
        let mut shown = self.fields.clone();
        shown.insert("kind".into(), json!(kind));
        shown.insert("apiVersion".into(), json!("meta.k8s.io/v1"));
        Value::Object(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_those_of_the_operation() {
        let options = Options::of_query(&Params::parse(Some("fieldManager=m&dryRun=All&pretty=1")));
        let expected = json!({
            "kind": "UpdateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "m", "dryRun": ["All"],
        });
        assert_eq!(options.shown(Action::Update), expected);
        assert_eq!(options.shown(Action::Connect), Value::Null);
    }
}
