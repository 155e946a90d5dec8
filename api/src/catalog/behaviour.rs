//! What a resource does with its objects, whoever says so: the rules of a built-in kind or the definition of a custom one.
//!
//! Generic code calls these methods of [`Resource`] and knows neither.

use std::borrow::Cow;

use serde_json::Value;

use super::{Column, ColumnType, Resource, ScalePaths};
use crate::field::FieldError;
use crate::selector::FieldSelectorError;

/// A column of a table, as `TableColumnDefinition` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableColumn {
    /// Heading.
    pub name: Cow<'static, str>,
    /// `string`, `integer`, `number`, `boolean` or `date`
    pub kind: Cow<'static, str>,
    /// `date`, `name`, or a format of the type; often empty.
    pub format: Cow<'static, str>,
    /// What it means.
    pub description: Cow<'static, str>,
    /// 0 is always shown, others with `-o wide`.
    pub priority: i32,
}

/// Where `scale` finds its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scale {
    /// Dotted path of the wanted number.
    pub spec_replicas: Cow<'static, str>,
    /// Dotted path of the number that is there.
    pub status_replicas: Cow<'static, str>,
    /// Dotted path of the selector, if there is one: a LabelSelector or a map for built-in kinds, a text for custom ones.
    pub selector: Option<Cow<'static, str>>,
}

impl From<&Column> for TableColumn {
    fn from(column: &Column) -> Self {
        let kind = match column.kind {
            ColumnType::String => "string",
            ColumnType::Integer => "integer",
            ColumnType::Boolean => "boolean",
        };
        Self {
            name: column.name.into(),
            kind: kind.into(),
            format: column.format.into(),
            description: column.description.into(),
            priority: column.priority,
        }
    }
}

impl From<ScalePaths> for Scale {
    fn from(paths: ScalePaths) -> Self {
        Self {
            spec_replicas: paths.spec_replicas.into(),
            status_replicas: paths.status_replicas.into(),
            selector: Some(paths.selector.into()),
        }
    }
}

impl Resource {
    /// Fills what is absent and has a default. Idempotent.
    pub fn defaults(&self, object: &mut Value) {
        match &self.custom {
            Some(custom) => custom.defaults(object),
            None => (self.rules.defaults)(object),
        }
    }

    /// What the author of a new object may not set goes.
    pub fn prepare_create(&self, object: &mut Value) {
        match &self.custom {
            Some(custom) => custom.prepare_create(object),
            None => (self.rules.prepare_create)(object),
        }
    }

    /// What the author of a change may not change goes back to what it was.
    pub fn prepare_update(&self, new: &mut Value, old: &Value) {
        match &self.custom {
            Some(custom) => custom.prepare_update(new, old),
            None => (self.rules.prepare_update)(new, old),
        }
    }

    /// What the author of a status may not change goes back to what it was.
    pub fn prepare_status(&self, new: &mut Value, old: &Value) {
        if self.custom.is_none() {
            (self.rules.prepare_status)(new, old);
        }
    }

    /// All errors in a new object, besides those of its metadata.
    pub fn create_errors(&self, object: &Value) -> Vec<FieldError> {
        match &self.custom {
            Some(custom) => custom.validate(object),
            None => {
                let mut errors = (self.rules.validate)(object);
                errors.extend((self.rules.validate_new)(object));
                errors
            }
        }
    }

    /// All errors in a changed object and in the change. For custom kinds, parts that did not change are not held against it.
    pub fn update_errors(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        match &self.custom {
            Some(custom) => custom.validate_update(new, old),
            None => {
                let mut errors = (self.rules.validate)(new);
                errors.extend((self.rules.validate_update)(new, old));
                errors
            }
        }
    }

    /// All errors in a write to `status`.
    pub fn status_errors(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        match &self.custom {
            Some(custom) => custom.validate_status(new, old),
            None => (self.rules.validate_status)(new, old),
        }
    }

    /// What the author of a new object should know.
    pub fn create_warnings(&self, object: &Value) -> Vec<String> {
        match &self.custom {
            Some(custom) => custom.create_warnings(object),
            None => (self.rules.warnings)(object),
        }
    }

    /// What the author of a change to an object of a custom kind should know.
    pub fn change_warnings(&self, new: &Value, old: &Value) -> Vec<String> {
        self.custom.as_ref().map_or_else(Vec::new, |custom| custom.update_warnings(new, old))
    }

    /// The warning that comes with every answer about the resource, when it is on its way out.
    pub fn deprecation(&self) -> Option<&str> {
        match &self.custom {
            Some(custom) => custom.deprecation.as_deref(),
            None => self.rules.deprecation,
        }
    }

    /// Labels of the fields that objects can be selected by, besides `metadata.name` and `metadata.namespace`.
    pub fn selectable(&self) -> Vec<&str> {
        match &self.custom {
            Some(custom) => custom.selectable.iter().map(|(label, _)| label.as_str()).collect(),
            None => self.rules.selectable.iter().map(|(label, _)| *label).collect(),
        }
    }

    /// The value of a selectable field; `None` when there is no such label.
    pub fn select(&self, label: &str, object: &Value) -> Option<String> {
        match &self.custom {
            Some(custom) => custom.select(label, object),
            None => self.rules.selectable.iter().find(|(own, _)| *own == label).map(|(_, read)| read(object)),
        }
    }

    /// The field that a label in a field selector means: itself, unless it is another name for one.
    ///
    /// # Errors
    /// When objects of the kind cannot be selected by it, in the words of the kind's conversion function.
    pub fn field_of_label(&self, label: &str) -> Result<String, FieldSelectorError> {
        // Only a kind without a conversion function of its own has the namespace even where there is none.
        let plain = self.custom.is_none() && self.rules.selectable.is_empty();
        let own = label == "metadata.name"
            || (label == "metadata.namespace" && (self.namespaced || plain))
            || self.selectable().contains(&label);
        if own {
            return Ok(label.to_string());
        }
        if let Some((_, field)) = self.rules.field_aliases.iter().find(|(alias, _)| *alias == label) {
            return Ok((*field).to_string());
        }
        Err(if plain { FieldSelectorError::Unknown(label.to_string()) } else { (self.rules.unknown_label)(label) })
    }

    /// Columns of its tables, after `Name` (see [`Self::shows_own_name`]); none when it has none of its own.
    pub fn columns(&self) -> Vec<TableColumn> {
        let Some(custom) = &self.custom else { return self.rules.columns.iter().map(TableColumn::from).collect() };
        let column = |own: &crate::custom::PrinterColumn| TableColumn {
            name: own.name.clone().into(),
            kind: own.kind.clone().into(),
            format: own.format.clone().into(),
            description: own.description.clone().into(),
            priority: own.priority,
        };
        custom.columns.iter().map(column).collect()
    }

    /// The cells of [`Self::columns`].
    pub fn cells(&self, object: &Value, now_seconds: i64) -> Vec<Value> {
        match &self.custom {
            Some(custom) => custom.columns.iter().map(|column| column.cell(object, now_seconds)).collect(),
            None => (self.rules.cells)(object, now_seconds).cells,
        }
    }

    /// `conditions` of the object's row.
    pub fn row_conditions(&self, object: &Value) -> Vec<Value> {
        if self.custom.is_some() { Vec::new() } else { (self.rules.row_conditions)(object) }
    }

    /// Whether one of the columns is the name, so that generic code adds none.
    pub fn shows_own_name(&self) -> bool {
        self.custom.is_none() && self.rules.shows_own_name()
    }

    /// Where `scale` finds its numbers, if it is served.
    pub fn scale(&self) -> Option<Scale> {
        let Some(custom) = &self.custom else { return self.rules.scale.map(Scale::from) };
        custom.scale.as_ref().map(|scale| Scale {
            spec_replicas: scale.spec_replicas.clone().into(),
            status_replicas: scale.status_replicas.clone().into(),
            selector: scale.selector.clone().map(Cow::Owned),
        })
    }
}
