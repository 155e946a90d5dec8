//! AppArmor profiles given by annotation, as before Kubernetes 1.30: the fields follow them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::validation::APP_ARMOR;
use crate::kinds::json::{has, items, text};
use crate::meta;

/// Gives containers of a new pod the profile that an annotation names, unless a field names one.
pub(super) fn fields_of_annotations(pod: &mut Value) {
    let profiles: BTreeMap<String, String> = meta::annotations(pod)
        .into_iter()
        .filter_map(|(key, profile)| Some((key.strip_prefix(APP_ARMOR)?.to_string(), profile.to_string())))
        .collect();
    let Some(spec) = pod.get_mut("spec").filter(|s| s.is_object()) else { return };
    if profiles.is_empty() || text(spec, "os.name") == "windows" || has(spec, "securityContext.appArmorProfile") {
        return;
    }
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for container in items(spec, list).filter(|c| !has(c, "securityContext.appArmorProfile")) {
            let field = match profiles.get(text(container, "name")).map(String::as_str) {
                Some("unconfined") => json!({ "type": "Unconfined" }),
                Some("runtime/default") => json!({ "type": "RuntimeDefault" }),
                Some(profile) => match profile.strip_prefix("localhost/").filter(|file| !file.is_empty()) {
                    Some(file) => json!({ "type": "Localhost", "localhostProfile": file }),
                    None => continue,
                },
                None => continue,
            };
            container["securityContext"]["appArmorProfile"] = field;
        }
    }
}
