//! Values that fields get by themselves: the `+default` markers of the Kubernetes types, which generated Rust types do not
//! carry. They go into OpenAPI 3 only: Kubernetes takes them out of its OpenAPI 2 document.

use serde_json::{Map, Value, json};

use crate::schema::short_name;

/// (struct, field, value)
const DEFAULTS: &[(&str, &str, &str)] = &[
    ("core.v1.AzureDiskVolumeSource", "cachingMode", "ReadWrite"),
    ("core.v1.AzureDiskVolumeSource", "fsType", "ext4"),
    ("core.v1.AzureDiskVolumeSource", "kind", "Shared"),
    ("core.v1.ContainerPort", "protocol", "TCP"),
    ("core.v1.GRPCAction", "service", ""),
    ("core.v1.ISCSIVolumeSource", "iscsiInterface", "default"),
    ("core.v1.RBDVolumeSource", "keyring", "/etc/ceph/keyring"),
    ("core.v1.RBDVolumeSource", "pool", "rbd"),
    ("core.v1.RBDVolumeSource", "user", "admin"),
    ("core.v1.ScaleIOVolumeSource", "fsType", "xfs"),
    ("core.v1.ScaleIOVolumeSource", "storageMode", "ThinProvisioned"),
    ("core.v1.ServicePort", "protocol", "TCP"),
];

/// Adds the values to definitions in OpenAPI 2 form.
pub(super) fn declare(definitions: &mut Map<String, Value>) {
    for (definition, schema) in definitions {
        let short = short_name(definition);
        let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else { continue };
        for (field, property) in properties {
            if let Some((.., value)) = DEFAULTS.iter().find(|row| (row.0, row.1) == (short, field.as_str())) {
                property["default"] = json!(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::definitions;

    /// A row whose field is gone would be silently ignored.
    #[test]
    fn every_row_is_about_a_field_that_exists() {
        let mut all = definitions();
        declare(&mut all);
        for (short, name, value) in DEFAULTS {
            let schema = all.iter().find(|(definition, _)| short_name(definition) == *short).map(|(_, schema)| schema);
            let field = schema.and_then(|schema| schema["properties"].get(name)).cloned().unwrap_or_default();
            assert_eq!(field["default"], json!(value), "{short}.{name}");
        }
    }
}
