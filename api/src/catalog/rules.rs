//! What a row says about its kind: functions and facts that generic code calls without knowing the kind.

use serde_json::Value;

use crate::field::FieldError;
use crate::selector::FieldSelectorError;

/// A field that objects can be selected by: its label, and how to read its value.
pub type SelectableField = (&'static str, fn(&Value) -> String);

/// The rules of one kind. `Rules::GENERIC` suits a kind without any.
///
/// Order on a write: `defaults`, then `prepare_*` (what a Kubernetes strategy's PrepareForCreate/Update does: drop
/// what the author may not set, bump the generation), then `validate` and, on updates, `validate_update`.
/// Object metadata is validated by generic code. For writes to `status` and other subresources generic code takes
/// the rest of the object from the stored one, and calls, for `status`, `prepare_status` and `validate_status` only.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Fills the fields that Kubernetes defaults for this kind. Idempotent.
    pub defaults: fn(&mut Value),
    /// Called on create after defaulting.
    pub prepare_create: fn(&mut Value),
    /// Called on update with (new, old).
    pub prepare_update: fn(&mut Value, &Value),
    /// Called on a write to `status` with (new, old), before `validate_status`.
    pub prepare_status: fn(&mut Value, &Value),
    /// All errors in the object by itself.
    pub validate: fn(&Value) -> Vec<FieldError>,
    /// What else is wrong with an object that is new, but tolerated in one that is there.
    pub validate_new: fn(&Value) -> Vec<FieldError>,
    /// All errors in the step from old to new, called with (new, old), immutability above all.
    pub validate_update: fn(&Value, &Value) -> Vec<FieldError>,
    /// The same for a write to `status`, called with (new, old).
    pub validate_status: fn(&Value, &Value) -> Vec<FieldError>,
    /// Warnings a client should see (`Warning:` headers).
    pub warnings: fn(&Value) -> Vec<String>,
    /// Whether an update is a reason to give them; pods are updated by programs.
    pub warns_on_update: bool,
    /// The warning with every answer about a resource that is on its way out (KEP-1693).
    pub deprecation: Option<&'static str>,
    /// What `metadata.name` must look like: the error details, empty when fine. `prefix` when it will get a suffix.
    pub name_errors: fn(name: &str, prefix: bool) -> Vec<String>,
    /// Field selectors besides `metadata.name` and `metadata.namespace`: label and how to read the value.
    pub selectable: &'static [SelectableField],
    /// Labels that stand for a selectable field under another name: label and the field's own label.
    pub field_aliases: &'static [(&'static str, &'static str)],
    /// What is said of a label that means no selectable field.
    pub unknown_label: fn(&str) -> FieldSelectorError,
    /// Table columns between `Name` and the end. Generic code puts `Name` first, unless one of these columns has the
    /// format `name` (events show theirs last); a kind without columns of its own gets `Name` and `Created At`.
    pub columns: &'static [Column],
    /// The cells for `columns`, in their order; `now_seconds` (Unix time) is for ages.
    pub cells: fn(&Value, now_seconds: i64) -> RowCells,
    /// `conditions` of a row: what its object has come to.
    pub row_conditions: fn(&Value) -> Vec<Value>,
    /// From the stored form to the form this row serves, for rows with `stored_as`.
    pub from_storage: Option<fn(Value) -> Value>,
    /// From the served form to the stored form, for rows with `stored_as`.
    pub to_storage: Option<fn(Value) -> Value>,
    /// Where `scale` finds its numbers: dotted paths.
    pub scale: Option<ScalePaths>,
}

/// Dotted paths behind the `scale` subresource.
#[derive(Debug, Clone, Copy)]
pub struct ScalePaths {
    /// `spec.replicas`
    pub spec_replicas: &'static str,
    /// `status.replicas`
    pub status_replicas: &'static str,
    /// `spec.selector`, a LabelSelector or a plain map
    pub selector: &'static str,
}

impl ScalePaths {
    /// Where workloads keep them, Deployments and ReplicaSets alike.
    pub const WORKLOAD: ScalePaths =
        ScalePaths { spec_replicas: "spec.replicas", status_replicas: "status.replicas", selector: "spec.selector" };
}

/// The cells of one table row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RowCells {
    /// One value per column of the kind.
    pub cells: Vec<Value>,
}

/// `TableColumnDefinition.type`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// `string`
    String,
    /// `integer`
    Integer,
    /// `boolean`
    Boolean,
}

/// `TableColumnDefinition`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Heading in title case, as Kubernetes has it.
    pub name: &'static str,
    /// JSON type of the cells.
    pub kind: ColumnType,
    /// `date`, `name`, or empty.
    pub format: &'static str,
    /// What it means.
    pub description: &'static str,
    /// 0 is always shown, 1 with `-o wide`.
    pub priority: i32,
}

impl Rules {
    /// Whether the kind has a `Name` column of its own, so that generic code adds none.
    pub fn shows_own_name(&self) -> bool {
        self.columns.iter().any(|column| column.format == "name")
    }

    /// For a kind without rules of its own.
    pub const GENERIC: Self = Self {
        defaults: |_| {},
        prepare_create: |_| {},
        prepare_update: |_, _| {},
        prepare_status: |_, _| {},
        validate: |_| Vec::new(),
        validate_new: |_| Vec::new(),
        validate_update: |_, _| Vec::new(),
        validate_status: |_, _| Vec::new(),
        warnings: |_| Vec::new(),
        warns_on_update: true,
        deprecation: None,
        name_errors: |_, _| Vec::new(),
        selectable: &[],
        field_aliases: &[],
        unknown_label: |label| FieldSelectorError::Unsupported(label.to_string()),
        columns: &[],
        cells: |_, _| RowCells { cells: Vec::new() },
        row_conditions: |_| Vec::new(),
        from_storage: None,
        to_storage: None,
        scale: None,
    };
}
