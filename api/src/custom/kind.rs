//! One version of a custom kind: everything that its definition says about its objects.

use std::sync::Arc;

use serde_json::{Value, json};

use super::finalizers::finalizer_warnings;
use super::json_path::JsonPath;
use super::rules::{Rules, rule_errors, rule_warnings};
use super::scale::scale_errors;
use super::schema::Schema;
use super::table::PrinterColumn;
use super::{apply_defaults, coerce_embedded, embedded_errors, list_errors, prune, value_errors};
use crate::field::{ErrorType, FieldError, Path};
use crate::meta;

/// Errors that rules don't run beside.
const BLOCKING: [ErrorType; 5] =
    [ErrorType::NotSupported, ErrorType::Required, ErrorType::TooLong, ErrorType::TooMany, ErrorType::TypeInvalid];
const UNCHECKED: &str = "some validation rules were not checked because the object was invalid; correct the existing errors to \
    complete validation";
/// A version of a custom kind.
#[derive(Debug)]
pub struct CustomKind {
    /// `group/version`
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// The kind of lists.
    pub list_kind: String,
    /// Name of the definition that it comes from.
    pub definition: String,
    /// `apiVersion` that objects are stored in.
    pub storage_version: String,
    /// How objects get from one version to another.
    pub conversion: Conversion,
    /// The schema as written, for documents.
    pub document: Value,
    /// The schema.
    pub schema: Arc<Schema>,
    /// Its rules, if there are any.
    pub rules: Option<Rules>,
    /// Whether `status` is a subresource.
    pub has_status: bool,
    /// The `scale` subresource.
    pub scale: Option<CustomScale>,
    /// Columns of tables, after the name.
    pub columns: Vec<PrinterColumn>,
    /// Labels of fields that objects can be selected by, with where to find them.
    pub selectable: Vec<(String, JsonPath)>,
    /// What to warn clients of.
    pub deprecation: Option<String>,
    /// Whether the definition is on its way out, so that discovery offers nothing that makes or changes objects.
    pub terminating: bool,
}

/// How objects get from one version to another.
#[derive(Debug, Clone, PartialEq)]
pub enum Conversion {
    /// Only `apiVersion` changes.
    None,
    /// A webhook converts: `spec.conversion.webhook`.
    Webhook(Value),
}

/// Paths behind `scale`.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomScale {
    /// `specReplicasPath`, without the leading dot
    pub spec_replicas: String,
    /// `statusReplicasPath`, without the leading dot
    pub status_replicas: String,
    /// `labelSelectorPath`, without the leading dot; leads to a selector as text
    pub selector: Option<String>,
}

impl CustomKind {
    /// Drops what the schema does not know, everywhere but in the object's own metadata. Returns the paths.
    pub fn prune(&self, object: &mut Value) -> Vec<String> {
        let mut unknown = prune(object, &self.schema, true);
        unknown.extend(coerce_embedded(object, &self.schema));
        unknown
    }

    /// Fills what is absent and has a default.
    pub fn defaults(&self, object: &mut Value) {
        apply_defaults(object, &self.schema);
    }

    /// A new object starts without status, if that is a subresource, and with generation 1.
    pub fn prepare_create(&self, object: &mut Value) {
        if self.has_status
            && let Some(fields) = object.as_object_mut()
        {
            fields.remove("status");
        }
        meta::metadata_mut(object).insert("generation".into(), json!(1));
    }

    /// The status stays, if it is a subresource; a change of anything but metadata (and status) makes a new generation.
    pub fn prepare_update(&self, new: &mut Value, old: &Value) {
        if self.has_status
            && let Some(fields) = new.as_object_mut()
        {
            match old.get("status") {
                Some(status) => fields.insert("status".into(), status.clone()),
                None => fields.remove("status"),
            };
        }
        let desired = |object: &Value| {
            let mut fields = object.as_object().cloned().unwrap_or_default();
            fields.remove("metadata");
            if self.has_status {
                fields.remove("status");
            }
            fields
        };
        let generation = meta::generation(old) + i64::from(desired(new) != desired(old));
        meta::metadata_mut(new).insert("generation".into(), json!(generation));
    }

    /// All errors in a new object.
    pub fn validate(&self, object: &Value) -> Vec<FieldError> {
        self.errors(object, None)
    }

    /// All errors in the step from old to new; what did not change is not held against it (KEP-4008).
    pub fn validate_update(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        self.errors(new, Some(old))
    }

    /// The same for a write to the status: errors elsewhere are not its business, since only `status` can change.
    pub fn validate_status(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        let mut errors = self.shape_errors(new, Some(old));
        errors.extend(self.scale.iter().flat_map(|scale| scale_errors(scale, new, true)));
        errors.extend(self.duplicates(new, Some(old)));
        self.with_rules(errors, new, Some(old))
    }

    fn errors(&self, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let mut errors = self.shape_errors(object, old);
        errors.extend(self.scale.iter().flat_map(|scale| scale_errors(scale, object, false)));
        errors.extend(embedded_errors(object, &self.schema, &Path::empty()));
        errors.extend(self.duplicates(object, old));
        self.with_rules(errors, object, old)
    }

    /// Errors in type and fields. An object of another type is not looked at further.
    fn shape_errors(&self, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let mut errors = Vec::new();
        for (field, wanted) in [("kind", &self.kind), ("apiVersion", &self.api_version)] {
            let found = object.get(field).and_then(Value::as_str).unwrap_or_default();
            if found != wanted {
                let detail = format!("must be {wanted}");
                errors.push(FieldError::invalid(&Path::root(field), &json!(found), &detail));
            }
        }
        if errors.is_empty() {
            errors = value_errors(object, old, &self.schema, "");
        }
        errors
    }

    /// Adds the errors that rules find. They rely on types and sizes, so they run on objects of the right shape only.
    fn with_rules(&self, mut errors: Vec<FieldError>, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let Some(rules) = &self.rules else { return errors };
        if errors.iter().any(|error| BLOCKING.contains(&error.kind)) {
            errors.push(FieldError::invalid(&Path::empty(), &json!("null"), UNCHECKED));
        } else {
            errors.extend(rule_errors(rules, object, old, &Path::empty()));
        }
        errors
    }

    /// What the author of a new object should know.
    pub fn create_warnings(&self, object: &Value) -> Vec<String> {
        finalizer_warnings(&meta::finalizers(object), &[])
    }

    /// What the author of a change should know: that finalizers may clash with those of others, and which rules are broken where
    /// nothing has changed.
    pub fn update_warnings(&self, new: &Value, old: &Value) -> Vec<String> {
        let mut warnings = finalizer_warnings(&meta::finalizers(new), &meta::finalizers(old));
        if let Some(rules) = &self.rules {
            warnings.extend(rule_warnings(rules, new, old, &Path::empty()).iter().map(ToString::to_string));
        }
        warnings
    }

    /// Duplicates in sets and maps, unless the old object has some too: then they may stay.
    fn duplicates(&self, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let root = Path::empty();
        match old {
            Some(old) if !list_errors(old, &self.schema, &root).is_empty() => Vec::new(),
            _ => list_errors(object, &self.schema, &root),
        }
    }

    /// The value of a selectable field as text, empty when absent.
    pub fn select(&self, label: &str, object: &Value) -> Option<String> {
        let (_, path) = self.selectable.iter().find(|(own, _)| own == label)?;
        Some(match path.first(object) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        })
    }

    /// From the stored form to this version, where no webhook is needed: fields that this version does not know are dropped, and
    /// defaults that came later are filled in, as upstream does when it reads.
    pub fn read_stored(&self, mut object: Value) -> Value {
        super::convert_by_name(&mut object, &self.api_version);
        self.prune(&mut object);
        self.defaults(&mut object);
        object
    }
}
