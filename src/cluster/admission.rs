//! The configuration of admission plugins, under the name that kube-apiserver has for it.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use coracle_server::PodSecurityConfig;
use serde::Deserialize;

const GROUP: &str = "apiserver.config.k8s.io";
const VERSIONS: [&str; 2] = ["v1", "v1alpha1"];
const KIND: &str = "AdmissionConfiguration";

/// How admission plugins are configured.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct AdmissionArgs {
    /// Configurations of admission plugins (`apiserver.config.k8s.io/v1 AdmissionConfiguration`); PodSecurity has one.
    #[arg(long, value_name = "FILE")]
    pub admission_control_config_file: Option<PathBuf>,
}

/// The file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    api_version: String,
    kind: String,
    #[serde(default)]
    plugins: Vec<Plugin>,
}

/// A plugin, with its configuration or the file that has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plugin {
    name: String,
    #[serde(default)]
    path: String,
    configuration: Option<serde_yaml::Value>,
}

impl AdmissionArgs {
    /// What PodSecurity is told: what the file says, or the defaults.
    pub fn pod_security(&self) -> anyhow::Result<PodSecurityConfig> {
        match &self.admission_control_config_file {
            Some(file) => read(file).with_context(|| format!("cannot use {}", file.display())),
            None => Ok(PodSecurityConfig::default()),
        }
    }
}

fn read(path: &Path) -> anyhow::Result<PodSecurityConfig> {
    let file: File = serde_yaml::from_str(&std::fs::read_to_string(path)?)?;
    let known = file.api_version.split_once('/').is_some_and(|(g, version)| g == GROUP && VERSIONS.contains(&version));
    ensure!(
        known && file.kind == KIND,
        "it should have apiVersion {GROUP}/v1 and kind {KIND}, not {} and {}",
        file.api_version,
        file.kind
    );
    let mut found = None;
    for plugin in &file.plugins {
        ensure!(plugin.name == "PodSecurity", "plugin {:?} takes no configuration here; PodSecurity does", plugin.name);
        let config = plugin.pod_security(path).context("plugin PodSecurity")?;
        ensure!(found.replace(config).is_none(), "plugin PodSecurity is configured twice");
    }
    Ok(found.unwrap_or_default())
}

impl Plugin {
    fn pod_security(&self, beside: &Path) -> anyhow::Result<PodSecurityConfig> {
        let text = match (&self.configuration, self.path.as_str()) {
            (Some(configuration), "") => serde_yaml::to_string(configuration)?,
            (None, "") => return Ok(PodSecurityConfig::default()),
            (None, path) => {
                // As kube-apiserver does: relative to the file that names it.
                let path = beside.parent().unwrap_or(Path::new("")).join(path);
                std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?
            }
            (Some(_), _) => bail!("has both a path and a configuration"),
        };
        Ok(PodSecurityConfig::parse(&text)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLUGIN: &str = "\
apiVersion: pod-security.admission.config.k8s.io/v1
kind: PodSecurityConfiguration
defaults: {enforce: baseline}
";

    fn used(text: &str) -> Result<PodSecurityConfig, String> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("plugin.yaml"), PLUGIN).unwrap();
        let file = directory.path().join("admission.yaml");
        std::fs::write(&file, text).unwrap();
        let args = AdmissionArgs { admission_control_config_file: Some(file) };
        args.pod_security().map_err(|error| format!("{error:#}"))
    }

    fn configuration(plugins: &str) -> String {
        format!("apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins: {plugins}\n")
    }

    #[test]
    fn pod_security_is_configured_in_the_file_or_beside_it() {
        let baseline = format!("{:?}", PodSecurityConfig::parse(PLUGIN).unwrap());
        let inline = "[{name: PodSecurity, configuration: {apiVersion: pod-security.admission.config.k8s.io/v1, \
                      kind: PodSecurityConfiguration, defaults: {enforce: baseline}}}]";
        for plugins in [inline, "[{name: PodSecurity, path: plugin.yaml}]"] {
            assert_eq!(format!("{:?}", used(&configuration(plugins)).unwrap()), baseline, "{plugins}");
        }
        let usual = format!("{:?}", PodSecurityConfig::default());
        for plugins in ["[]", "[{name: PodSecurity}]"] {
            assert_eq!(format!("{:?}", used(&configuration(plugins)).unwrap()), usual, "{plugins}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (text, told) in [
            ("kind: Policy", "missing field `apiVersion`"),
            ("apiVersion: v1\nkind: ConfigMap", "not v1 and ConfigMap"),
            (&configuration("[{name: EventRateLimit}]"), "plugin \"EventRateLimit\" takes no configuration here"),
            (&configuration("[{name: PodSecurity, path: none.yaml}]"), "none.yaml: No such file"),
            (
                &configuration("[{name: PodSecurity, configuration: {kind: X}}]"),
                "plugin PodSecurity: the configuration",
            ),
            (&configuration("[{name: PodSecurity}, {name: PodSecurity}]"), "configured twice"),
        ] {
            let error = used(text).unwrap_err();
            assert!(error.contains("admission.yaml: ") && error.contains(told), "{error}");
        }
    }
}
