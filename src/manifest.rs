//! Manifests on disk: reading them, finding the images they name, and applying them as `kubectl apply` does.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::discovery::{ApiResource, Scope, oneshot};
use serde::Deserialize as _;
use serde_json::{Value, json};

/// Files larger than this are no manifests: the API server takes 3 MiB per object, a file may hold several.
const MAX_FILE_BYTES: u64 = 32 << 20;
/// Where kubectl keeps what was applied last, to see later what was removed.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// One object of a manifest, and the file it came from.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The object as written.
    pub object: Value,
    file: PathBuf,
}

/// Reads a file, or all `.yaml`, `.yml` and `.json` files of a directory in name order.
pub fn read(path: &Path) -> anyhow::Result<Vec<Manifest>> {
    let mut files = Vec::new();
    if path.is_dir() {
        let entries = std::fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
        for entry in entries {
            let file = entry?.path();
            let extension = file.extension().and_then(|e| e.to_str()).unwrap_or_default();
            if matches!(extension, "yaml" | "yml" | "json") {
                files.push(file);
            }
        }
        files.sort();
        if files.is_empty() {
            bail!("{} holds no .yaml, .yml or .json file", path.display());
        }
    } else {
        files.push(path.to_path_buf());
    }
    let manifests: Vec<Vec<Manifest>> = files.iter().map(|f| read_file(f)).collect::<anyhow::Result<_>>()?;
    Ok(manifests.into_iter().flatten().collect())
}

fn read_file(file: &Path) -> anyhow::Result<Vec<Manifest>> {
    let size = std::fs::metadata(file).with_context(|| format!("cannot read {}", file.display()))?.len();
    anyhow::ensure!(size <= MAX_FILE_BYTES, "{} has {size} bytes, more than a manifest may have", file.display());
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut manifests = Vec::new();
    for (index, document) in serde_yaml::Deserializer::from_str(&text).enumerate() {
        let value = Value::deserialize(document)
            .with_context(|| format!("{}, document {}: not valid YAML", file.display(), index + 1))?;
        match value {
            Value::Null => {}
            Value::Object(_) => {
                manifests.extend(unfold(value).map(|object| Manifest { object, file: file.to_path_buf() }))
            }
            _ => bail!("{}, document {}: an object was expected", file.display(), index + 1),
        }
    }
    Ok(manifests)
}

/// The items of a `v1 List`, or the object itself.
fn unfold(mut value: Value) -> impl Iterator<Item = Value> {
    let is_list = value["kind"] == "List" && value["items"].is_array();
    let items = if is_list { value["items"].take().as_array().cloned().unwrap_or_default() } else { vec![value] };
    items.into_iter()
}

impl Manifest {
    /// Every `image` of the object's pod template or pod.
    pub fn images(&self) -> Vec<&str> {
        let spec = match self.object["kind"].as_str() {
            Some("Pod") => &self.object["spec"],
            Some("CronJob") => &self.object["spec"]["jobTemplate"]["spec"]["template"]["spec"],
            _ => &self.object["spec"]["template"]["spec"],
        };
        let containers = ["initContainers", "containers"].into_iter().filter_map(|list| spec[list].as_array());
        containers.flatten().filter_map(|c| c["image"].as_str()).collect()
    }

    /// `Deployment hello`
    pub fn title(&self) -> String {
        format!("{} {}", text(&self.object["kind"]), text(&self.object["metadata"]["name"]))
    }

    /// The object's namespace, `default` when it names none.
    pub fn namespace(&self) -> &str {
        self.object["metadata"]["namespace"].as_str().unwrap_or("default")
    }

    /// Creates the object, or changes it to what the manifest says, leaving alone what the manifest does not mention.
    pub async fn apply(&self, client: &kube::Client) -> anyhow::Result<()> {
        let place = || format!("{} in {}", self.title(), self.file.display());
        let (resource, scope) = self.resource(client).await.with_context(place)?;
        let api: Api<DynamicObject> = match scope {
            Scope::Cluster => Api::all_with(client.clone(), &resource),
            Scope::Namespaced => Api::namespaced_with(client.clone(), self.namespace(), &resource),
        };
        let mut object = self.object.clone();
        object["metadata"]["annotations"][LAST_APPLIED] = json!(format!("{}\n", self.object));
        let typed: DynamicObject = serde_json::from_value(object.clone()).with_context(place)?;
        match api.create(&PostParams::default(), &typed).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 409 => {
                let name = text(&self.object["metadata"]["name"]);
                api.patch(name, &PatchParams::default(), &Patch::Strategic(object)).await.with_context(place)?;
                Ok(())
            }
            Err(error) => Err(error).with_context(place),
        }
    }

    async fn resource(&self, client: &kube::Client) -> anyhow::Result<(ApiResource, Scope)> {
        let (version, kind) = (text(&self.object["apiVersion"]), text(&self.object["kind"]));
        anyhow::ensure!(!version.is_empty() && !kind.is_empty(), "apiVersion and kind must be given");
        let gvk = match version.split_once('/') {
            Some((group, version)) => GroupVersionKind::gvk(group, version, kind),
            None => GroupVersionKind::gvk("", version, kind),
        };
        let no_match = || anyhow!("no matches for kind \"{kind}\" in version \"{version}\"");
        let (resource, capabilities) = oneshot::pinned_kind(client, &gvk).await.map_err(|error| match error {
            kube::Error::Discovery(_) => no_match(),
            kube::Error::Api(status) if status.code == 404 => no_match(),
            other => anyhow!(other).context(format!("cannot find out about kind \"{kind}\"")),
        })?;
        Ok((resource, capabilities.scope))
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifests(text: &str) -> anyhow::Result<Vec<Manifest>> {
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("x.yaml");
        std::fs::write(&file, text)?;
        read(directory.path())
    }

    #[test]
    fn documents_and_lists_are_unfolded() {
        let found = manifests("kind: A\n---\n---\nkind: List\nitems: [{kind: B}, {kind: C}]\n").unwrap();
        let kinds: Vec<_> = found.iter().map(|m| m.object["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["A", "B", "C"]);
    }

    #[test]
    fn images_of_pods_and_templates_are_found() {
        let found = manifests(
            "kind: Pod\nspec: {containers: [{image: a}], initContainers: [{image: b}]}\n---\n\
             kind: Deployment\nspec: {template: {spec: {containers: [{image: c}]}}}\n",
        )
        .unwrap();
        assert_eq!(found[0].images(), ["b", "a"]);
        assert_eq!(found[1].images(), ["c"]);
    }

    #[test]
    fn bad_yaml_is_named_with_its_place() {
        let error = format!("{:#}", manifests("kind: A\n---\nkind: [\n").unwrap_err());
        assert!(error.contains("x.yaml, document 2: not valid YAML"), "{error}");
    }
}
