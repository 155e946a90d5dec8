//! Strategic merge patch: a merge patch that knows which lists are really maps.
//!
//! Behaviour and error texts follow `k8s.io/apimachinery/pkg/util/strategicpatch` with the options of the API server
//! (parallel lists are merged, nulls without a counterpart are dropped). Merge keys and strategies come from the
//! schema.
//!
//! Directives: `$patch: replace|delete`, `$retainKeys`, `$setElementOrder/LIST`, `$deleteFromPrimitiveList/LIST`.

mod directives;
mod elements;
mod list;
mod map;
mod order;

use serde_json::{Map, Value};

use super::errors::rejected;
use super::go_format::format;
use crate::decode::json_type;
use crate::error::{ApiError, Reason};
use crate::schema::{ListRule, Schemas, Type};

/// Why a strategic merge patch can't be applied.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(super) enum StrategicError {
    /// The patch is no object.
    #[error("json: cannot unmarshal {0} into Go value of type map[string]interface {{}}")]
    NotAnObject(&'static str),
    #[error("invalid patch format of primitive list")]
    PrimitiveListFormat,
    #[error("invalid patch format of retainKeys")]
    RetainKeysFormat,
    #[error("invalid patch format of setElementOrder list")]
    ElementOrderFormat,
    #[error("lists of lists are not supported")]
    ListOfLists,
    #[error("unknown patch type: {} in map: {}", format(.0), format(.1))]
    UnknownDirective(Value, Value),
    #[error("map: {} does not contain declared merge key: {}", format(.0), .1)]
    NoMergeKey(Value, &'static str),
    #[error("merging lists cannot yet be specified in the patch")]
    MergeDirectiveInList,
    #[error("unable to find api field in struct {object} for the json field {field:?}")]
    UnknownField { object: String, field: String },
    #[error("cannot merge lists without merge key for {0}")]
    NoDeclaredKey(String),
    #[error("list element types are not identical: {}", format(.0))]
    MixedList(Value),
    #[error("expected a []interface {{}}, but received a {0}")]
    NotAList(&'static str),
    #[error("The order in patch list:\n{}\n doesn't match $setElementOrder list:\n{}\n", format(.0), format(.1))]
    OrderMismatch(Value, Value),
}

impl StrategicError {
    /// The answer to the client; which errors are 400, 422 or 500 is upstream's choice.
    pub(super) fn into_api(self) -> ApiError {
        match self {
            Self::NotAnObject(_) | Self::PrimitiveListFormat | Self::RetainKeysFormat | Self::ElementOrderFormat => {
                ApiError::bad_request(self.to_string())
            }
            Self::ListOfLists => rejected(),
            _ => ApiError::new(Reason::Unknown, self.to_string()),
        }
    }
}

type Result<T> = std::result::Result<T, StrategicError>;

/// Applies a patch to a document of the type.
pub(super) fn apply(schemas: &Schemas, ty: &Type, current: &Value, patch: Value) -> Result<Value> {
    let Value::Object(patch) = patch else { return Err(StrategicError::NotAnObject(json_type(&patch))) };
    let current = current.as_object().cloned().unwrap_or_default();
    Merger { schemas }.map(current, patch, ty).map(Value::Object)
}

/// The merge, for one set of schemas.
#[derive(Clone, Copy)]
struct Merger<'s> {
    schemas: &'s Schemas,
}

/// What is known of a field.
struct Known<'s> {
    ty: &'s Type,
    rule: ListRule,
}

impl<'s> Merger<'s> {
    /// Looks a field of a struct or map up.
    fn field(&self, ty: &'s Type, name: &str) -> Result<Known<'s>> {
        match ty {
            Type::Object(id) => {
                let object = self.schemas.object(*id);
                let field = object.field(name).ok_or_else(|| StrategicError::UnknownField {
                    object: object.go_struct().to_string(),
                    field: name.to_string(),
                })?;
                Ok(Known { ty: &field.ty, rule: field.rule })
            }
            Type::Map(element) => Ok(Known { ty: element, rule: ListRule::ATOMIC }),
            _ => Ok(Known { ty: &Type::Any, rule: ListRule::ATOMIC }),
        }
    }
}

/// An object as a value again, for errors.
fn whole(fields: &Map<String, Value>) -> Value {
    Value::Object(fields.clone())
}
