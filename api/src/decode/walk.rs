//! The walk over a document and its schema.

use serde_json::{Value, json};

use super::json_error::json_type;
use super::scalar;
use super::{DecodeError, MAX_STRICT_ERRORS, Wording, converter};
use crate::schema::{Field, ObjectId, Scalar, Schemas, Type};

/// Checks and normalises `value` in place. Returns the paths of the fields that it dropped because nobody knows them.
pub(super) fn walk(
    schemas: &Schemas,
    value: &mut Value,
    ty: &Type,
    wording: Wording,
) -> Result<Vec<String>, DecodeError> {
    let mut walker = Walker { schemas, wording, unknown: Vec::new(), path: String::new(), go: Vec::new() };
    walker.value(value, ty, None)?;
    Ok(walker.unknown)
}

struct Walker<'s> {
    schemas: &'s Schemas,
    wording: Wording,
    unknown: Vec<String>,
    /// Path as strict decoding spells it: with indices and map keys.
    path: String,
    /// Path as encoding/json spells it: structs and their fields, without indices and keys.
    go: Vec<(&'s str, &'s str)>,
}

impl<'s> Walker<'s> {
    fn value(&mut self, value: &mut Value, ty: &'s Type, go_type: Option<&str>) -> Result<(), DecodeError> {
        match ty {
            Type::Any => Ok(()),
            Type::Scalar(scalar) => self.scalar(value, *scalar, go_type),
            Type::Object(id) => self.object(value, *id, ty),
            Type::Map(element) => self.map(value, element, ty, go_type),
            Type::List(element) => self.list(value, element, ty, go_type),
        }
    }

    fn object(&mut self, value: &mut Value, id: ObjectId, ty: &Type) -> Result<(), DecodeError> {
        let Value::Object(fields) = value else { return Err(self.mismatch((json_type(value), value), ty, None)) };
        let object = self.schemas.object(id);
        let mut failure = None;
        fields.retain(|name, value| {
            if failure.is_some() {
                return true;
            }
            let Some(field) = object.field(name) else {
                self.drop_unknown(name);
                return false;
            };
            if value.is_null() {
                return false;
            }
            failure = self.field(object.go_struct(), field, value).err();
            true
        });
        failure.map_or(Ok(()), Err)
    }

    fn field(&mut self, owner: &'s str, field: &'s Field, value: &mut Value) -> Result<(), DecodeError> {
        let length = self.push_key(&field.name);
        self.go.push((owner, &field.name));
        self.value(value, &field.ty, field.go_type)?;
        self.go.pop();
        self.path.truncate(length);
        Ok(())
    }

    fn map(
        &mut self,
        value: &mut Value,
        element: &'s Type,
        ty: &Type,
        go_type: Option<&str>,
    ) -> Result<(), DecodeError> {
        let Value::Object(entries) = value else { return Err(self.mismatch((json_type(value), value), ty, go_type)) };
        for (key, entry) in entries.iter_mut() {
            if entry.is_null() {
                *entry = zero(element);
                continue;
            }
            let length = self.push_key(key);
            self.value(entry, element, None)?;
            self.path.truncate(length);
        }
        Ok(())
    }

    fn list(
        &mut self,
        value: &mut Value,
        element: &'s Type,
        ty: &Type,
        go_type: Option<&str>,
    ) -> Result<(), DecodeError> {
        let Value::Array(items) = value else { return Err(self.mismatch((json_type(value), value), ty, go_type)) };
        let item_type = go_type.and_then(|name| name.strip_prefix("[]"));
        for (index, item) in items.iter_mut().enumerate() {
            if item.is_null() {
                *item = zero(element);
                continue;
            }
            let length = self.path.len();
            self.path.push_str(&format!("[{index}]"));
            self.value(item, element, item_type)?;
            self.path.truncate(length);
        }
        Ok(())
    }

    fn scalar(&mut self, value: &mut Value, scalar: Scalar, go_type: Option<&str>) -> Result<(), DecodeError> {
        match scalar::normalize(value, scalar) {
            Ok(()) => Ok(()),
            Err(scalar::ScalarError::Mismatch(found)) => {
                Err(self.mismatch((&found, value), &Type::Scalar(scalar), go_type))
            }
            Err(scalar::ScalarError::Text(text)) => Err(DecodeError::Type(text)),
        }
    }

    fn mismatch(&self, (found, value): (&str, &Value), ty: &Type, go_type: Option<&str>) -> DecodeError {
        let wanted = go_type.map_or_else(|| self.schemas.go_name(ty), str::to_string);
        if self.wording == Wording::Converter {
            return DecodeError::Type(converter::mismatch(value, ty, &wanted));
        }
        let Some((owner, _)) = self.go.last() else {
            return DecodeError::Type(format!("json: cannot unmarshal {found} into Go value of type {wanted}"));
        };
        let path: Vec<&str> = self.go.iter().map(|(_, field)| *field).collect();
        let path = path.join(".");
        DecodeError::Type(format!(
            "json: cannot unmarshal {found} into Go struct field {owner}.{path} of type {wanted}"
        ))
    }

    /// Extends the path by a field or key; returns the length to go back to.
    fn push_key(&mut self, key: &str) -> usize {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(key);
        length
    }

    fn drop_unknown(&mut self, name: &str) {
        if self.unknown.len() < MAX_STRICT_ERRORS {
            let length = self.push_key(name);
            self.unknown.push(self.path.clone());
            self.path.truncate(length);
        }
    }
}

/// What Go makes of a `null` inside a list or map: the zero value of the element.
fn zero(ty: &Type) -> Value {
    match ty {
        Type::Object(_) => json!({}),
        Type::Scalar(Scalar::String) => json!(""),
        Type::Scalar(Scalar::Bool) => json!(false),
        Type::Scalar(Scalar::Int32 | Scalar::Int64 | Scalar::Double | Scalar::IntOrString) => json!(0),
        Type::Scalar(Scalar::Quantity) => json!("0"),
        Type::Scalar(Scalar::Bytes) => json!(""),
        Type::Map(_) => json!({}),
        Type::List(_) => json!([]),
        Type::Scalar(Scalar::Time | Scalar::MicroTime) | Type::Any => Value::Null,
    }
}
