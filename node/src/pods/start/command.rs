//! What a container runs: its command line, and the port that it listens on.

use k8s_openapi::api::core::v1::Container;

use crate::{network::port_number, pods::env::expand_words};

/// The port an HTTP component listens on if its container names none.
const HTTP_PORT: u16 = 8080;
/// The port an HTTP component listens on: the container's first.
pub fn http_port(container: &Container) -> u16 {
    let first = container.ports.iter().flatten().find_map(|port| port_number(port.container_port));
    first.unwrap_or(HTTP_PORT)
}

/// The first word of the container's `command`, if it has one.
pub fn program_name(container: &Container, env: &[(String, String)]) -> Option<String> {
    let first = container.command.as_deref()?.first()?;
    expand_words(std::slice::from_ref(first), env).pop()
}

/// Where the container begins: what it says, or its image.
pub fn working_dir<'a>(container: &'a Container, image_dir: &'a str) -> Option<&'a str> {
    [container.working_dir.as_deref().unwrap_or_default(), image_dir].into_iter().find(|dir| !dir.is_empty())
}

/// `command` and `args` over the image's entrypoint and arguments: a command alone drops the image's arguments too.
/// A program without any has at least a name.
pub fn arguments(container: &Container, image: &coracle_oci::Image, env: &[(String, String)]) -> Vec<String> {
    let command = container.command.as_deref().filter(|words| !words.is_empty());
    let args = container.args.as_deref().filter(|words| !words.is_empty());
    let mut words = expand_words(command.unwrap_or_default(), env);
    if command.is_none() {
        words.extend(image.config.entrypoint.iter().cloned());
        if words.is_empty() {
            words.push(image_name(&image.reference));
        }
    }
    match args {
        Some(args) => words.extend(expand_words(args, env)),
        None if command.is_none() => words.extend(image.config.cmd.iter().cloned()),
        None => {}
    }
    words
}

/// The last part of the image's name, without tag and digest.
fn image_name(reference: &str) -> String {
    let bare = reference.split('@').next().unwrap_or(reference);
    let last = bare.rsplit('/').next().unwrap_or(bare);
    last.split(':').next().unwrap_or(last).to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words(container: serde_json::Value, entrypoint: &[&str], cmd: &[&str]) -> Vec<String> {
        let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let image = coracle_oci::Image {
            reference: "127.0.0.1:5000/team/app:1".into(),
            digest: String::new(),
            manifest_digest: String::new(),
            config_digest: String::new(),
            size_bytes: 0,
            format: coracle_oci::Format::WasmConfigV0,
            config: coracle_oci::ImageConfig { entrypoint: list(entrypoint), cmd: list(cmd), ..Default::default() },
            layers: Vec::new(),
            annotations: Default::default(),
            module: None,
            rootfs: None,
        };
        let mut container = container;
        container["name"] = "c".into();
        arguments(&serde_json::from_value(container).unwrap(), &image, &[("A".into(), "1".into())])
    }

    #[test]
    fn commands_and_arguments_combine_as_in_kubernetes() {
        assert_eq!(words(json!({}), &["e"], &["c"]), ["e", "c"]);
        assert_eq!(words(json!({"args": ["$(A)"]}), &["e"], &["c"]), ["e", "1"]);
        assert_eq!(words(json!({"command": ["x"]}), &["e"], &["c"]), ["x"]);
        assert_eq!(words(json!({"command": ["x"], "args": ["y"]}), &["e"], &["c"]), ["x", "y"]);
        assert_eq!(words(json!({"args": ["y"]}), &[], &[]), ["app", "y"]);
    }

    #[test]
    fn an_http_component_listens_on_the_first_port() {
        let port = |ports| http_port(&serde_json::from_value(json!({"name": "c", "ports": ports})).unwrap());
        assert_eq!(port(json!([])), 8080);
        assert_eq!(port(json!([{"containerPort": 80}, {"containerPort": 81}])), 80);
    }
}
