//! Reads image configurations: of container images (image-spec, config.md) and of the CNCF Wasm layout.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use crate::digest::Digest;
use crate::image::ImageConfig;

/// A configuration, and the digests its archives must have once decompressed.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    pub(crate) config: ImageConfig,
    pub(crate) diff_ids: Vec<Digest>,
}

/// Reads a configuration. Every field is optional: an artifact may come with `{}`.
pub(crate) fn parse(bytes: &[u8]) -> Result<Parsed, serde_json::Error> {
    let document: Document = serde_json::from_slice(bytes)?;
    let run = document.config;
    let env = run.env.into_iter().map(|entry| match entry.split_once('=') {
        Some((name, value)) => (name.to_owned(), value.to_owned()),
        None => (entry, String::new()),
    });
    let platform = match (document.os.as_str(), document.architecture.as_str()) {
        ("", "") => String::new(),
        (os, architecture) => format!("{os}/{architecture}"),
    };
    Ok(Parsed {
        config: ImageConfig {
            entrypoint: run.entrypoint,
            cmd: run.cmd,
            env: env.collect(),
            working_dir: run.working_dir,
            user: run.user,
            labels: run.labels,
            created: document.created,
            platform,
        },
        diff_ids: document.rootfs.diff_ids,
    })
}

#[derive(Deserialize, Default)]
struct Document {
    created: Option<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    os: String,
    #[serde(default, deserialize_with = "null_is_default")]
    architecture: String,
    #[serde(default, deserialize_with = "null_is_default")]
    config: Run,
    #[serde(default, deserialize_with = "null_is_default")]
    rootfs: Rootfs,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Run {
    #[serde(deserialize_with = "null_is_default")]
    entrypoint: Vec<String>,
    #[serde(deserialize_with = "null_is_default")]
    cmd: Vec<String>,
    #[serde(deserialize_with = "null_is_default")]
    env: Vec<String>,
    #[serde(deserialize_with = "null_is_default")]
    working_dir: String,
    #[serde(deserialize_with = "null_is_default")]
    user: String,
    #[serde(deserialize_with = "null_is_default")]
    labels: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
struct Rootfs {
    #[serde(default, deserialize_with = "null_is_default")]
    diff_ids: Vec<Digest>,
}

/// Go writes empty slices and maps as `null`.
fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_docker_writes_and_what_it_leaves_null() {
        let text = br#"{"os":"wasi","architecture":"wasm","created":"2026-01-01T00:00:00Z",
            "config":{"Entrypoint":["/app.wasm","-v"],"Cmd":null,"Env":["A=b=c","B"],"WorkingDir":"/w",
            "User":"1:2","Labels":{"l":"v"}},"rootfs":{"type":"layers","diff_ids":null}}"#;
        let config = parse(text).unwrap().config;
        assert_eq!(config.entrypoint, ["/app.wasm", "-v"]);
        assert!(config.cmd.is_empty());
        assert_eq!(config.env, [("A".into(), "b=c".into()), ("B".into(), String::new())]);
        assert_eq!((config.working_dir.as_str(), config.user.as_str()), ("/w", "1:2"));
        assert_eq!(config.platform, "wasi/wasm");
        assert_eq!(config.labels["l"], "v");
    }

    #[test]
    fn the_empty_configuration_is_one() {
        assert_eq!(parse(b"{}").unwrap().config, ImageConfig::default());
        assert!(parse(b"[1").is_err());
    }
}
