//! Files as people write them for containerd.

use std::fs;

use super::*;
use crate::registries::Capabilities;

struct Dir(tempfile::TempDir);

impl Dir {
    fn new() -> Dir {
        Dir(tempfile::tempdir().unwrap())
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn endpoints(&self, registry: &str) -> Vec<Endpoint> {
        endpoints(self.0.path(), registry).unwrap().unwrap()
    }

    fn urls(&self, registry: &str) -> Vec<String> {
        let url = |it: &Endpoint| format!("{}://{}{}", it.scheme(), it.host, it.path);
        self.endpoints(registry).iter().map(url).collect()
    }

    fn error(&self, text: &str) -> String {
        self.write("bad.example/hosts.toml", text);
        endpoints(self.0.path(), "bad.example").unwrap_err().why
    }
}

#[test]
fn mirrors_come_in_the_order_of_the_file_and_the_server_last() {
    let dir = Dir::new();
    dir.write(
        "docker.io/hosts.toml",
        r#"
server = "https://registry-1.docker.io"

[host."https://z.mirror.example"]
  capabilities = ["pull", "resolve"]

[host."http://10.0.0.1:5000"]
  capabilities = ["pull"]
  [host."http://10.0.0.1:5000".header]
    x-token = "secret"
    x-list = ["a", "b"]

[host."https://a.example/some/path"]
[host."https://b.example/api/registry"]
  override_path = true
[host."c.example/v2"]
"#,
    );
    assert_eq!(
        dir.urls("docker.io"),
        [
            "https://z.mirror.example/v2",
            "http://10.0.0.1:5000/v2",
            "https://a.example/some/path/v2",
            "https://b.example/api/registry",
            "https://c.example/v2",
            "https://registry-1.docker.io/v2",
        ]
    );
    let all = dir.endpoints("docker.io");
    assert_eq!(all[0].can, Capabilities { push: false, ..Capabilities::ALL });
    assert_eq!(all[1].can, Capabilities { pull: true, ..Capabilities::NONE });
    assert_eq!((all[2].can, all[5].can), (Capabilities::ALL, Capabilities::ALL));
    assert_eq!(all[1].headers.get_all("x-list").iter().count(), 2);
    assert!(!format!("{:?}", all[1].headers).contains("secret"));
    assert_eq!((all[0].mirror_of.as_deref(), all[5].mirror_of.as_deref()), (Some("docker.io"), None));
}

#[test]
fn a_registry_is_found_by_its_port_by_its_name_or_by_default() {
    let dir = Dir::new();
    assert_eq!(endpoints(dir.0.path(), "any.example"), Ok(None));
    dir.write("_default/hosts.toml", "[host.\"https://fallback.example\"]");
    dir.write("reg.example:5000/hosts.toml", "server = \"http://one.example\"");
    dir.write("other.example_5000_/hosts.toml", "server = \"http://two.example\"");
    assert_eq!(dir.urls("any.example"), ["https://fallback.example/v2", "https://any.example/v2"]);
    assert_eq!(dir.urls("reg.example:5000"), ["http://one.example/v2"]);
    assert_eq!(dir.urls("other.example:5000"), ["http://two.example/v2"]);
    assert_eq!(dir.urls("docker.io")[1], "https://registry-1.docker.io/v2");
}

#[test]
fn certificates_are_read_from_beside_the_file() {
    let dir = Dir::new();
    for name in ["ca.pem", "client.cert", "client.key"] {
        dir.write(&format!("tls.example/{name}"), name);
        dir.write(&format!("old.example/{name}"), name);
    }
    dir.write("old.example/root.crt", "root");
    let text = "server = \"https://tls.example\"\nca = \"ca.pem\"\nclient = [[\"client.cert\", \"client.key\"]]\nskip_verify = true";
    dir.write("tls.example/hosts.toml", text);
    let tls = dir.endpoints("tls.example")[0].tls.clone().unwrap();
    assert!(tls.skip_verify && tls.roots == [b"ca.pem".to_vec()]);
    assert_eq!(tls.identity.as_deref(), Some(&b"client.cert\nclient.key"[..]));
    let old = dir.endpoints("old.example")[0].tls.clone().unwrap();
    assert_eq!((old.roots.len(), old.identity.is_some()), (1, true));
    dir.write("127.0.0.1:5000/root.crt", "root");
    dir.write("127.0.0.1:5001/hosts.toml", "skip_verify = true");
    dir.write("127.0.0.1:5002/hosts.toml", "[header]\nx-a = \"b\"");
    let urls = ["5000", "5001", "5002"].map(|port| dir.urls(&format!("127.0.0.1:{port}")).concat());
    assert_eq!(urls, ["https://127.0.0.1:5000/v2", "https://127.0.0.1:5001/v2", "http://127.0.0.1:5002/v2"]);
    dir.write("one.example/hosts.toml", "ca = [\"/no/such/file\"]");
    let error = endpoints(dir.0.path(), "one.example").unwrap_err();
    assert_eq!(error.path, Path::new("/no/such/file"));
}

#[test]
fn mistakes_are_explained() {
    let dir = Dir::new();
    for (text, wanted) in [
        ("[host", "failed to parse TOML: "),
        ("host = 1", "invalid `host` tree"),
        ("[host.\"https://x\"]\ncapabilities = [\"fly\"]", "unknown capability fly"),
        ("[host.\"https://x\"]\ncapabilities = \"pull\"", "invalid type for \"capabilities\""),
        ("server = \"ftp://x\"", "scheme \"ftp\" is not http or https"),
        ("server = 3", "invalid type for \"server\""),
        ("skip_verify = \"yes\"", "invalid type for \"skip_verify\""),
        ("ca = 1", "invalid type integer for \"ca\""),
        ("client = [[\"a\"]]", "a pair of \"client\" is a certificate and a key"),
        ("[header]\n\"a b\" = \"x\"", "\"a b\" is no header"),
    ] {
        let why = dir.error(text);
        assert!(why.contains(wanted), "{text}: {why}");
    }
}

#[tokio::test]
async fn a_pull_goes_to_the_first_mirror_that_has_the_image() {
    use crate::testing::Fixture;
    use crate::{PullOptions, Registries, media_type};

    let fixture = Fixture::new().await;
    let config = (media_type::WASM_CONFIG_V0, serde_json::json!({ "os": "wasip1", "architecture": "wasm" }));
    fixture.image("app", config, (media_type::WASM, b"\0asm\x01\0\0\0")).await;
    let dir = Dir::new();
    let mirror = &fixture.server.host;
    let dead = "http://127.0.0.1:1";
    let text = format!(
        "server = \"{dead}\"\n[host.\"{dead}\"]\n[host.\"http://{mirror}/none\"]\n[host.\"http://{mirror}\"]\n[host.\"http://{mirror}\".header]\nx-from = \"test\"\n"
    );
    dir.write("registry.example/hosts.toml", &text);
    let registries = Registries::new();
    registries.set_config_dir(dir.0.path().to_owned());
    let options = PullOptions { registries: registries.into(), ..PullOptions::default() };
    let image = fixture.store.pull(&"registry.example/app:latest".parse().unwrap(), &options).await.unwrap();
    assert_eq!(image.reference, "registry.example/app:latest");
    assert!(fixture.server.count("/none/v2/app/manifests/latest") > 0);

    let missing = fixture.store.pull(&"registry.example/other:1".parse().unwrap(), &options).await.unwrap_err();
    assert!(missing.to_string().contains("failed to do request: "), "the registry itself is asked last: {missing}");
    dir.write("registry.example/hosts.toml", "server = 1");
    let broken = fixture.store.pull(&"registry.example/other:1".parse().unwrap(), &options).await.unwrap_err();
    assert!(broken.to_string().contains("failed to load hosts configuration: "), "{broken}");
}
