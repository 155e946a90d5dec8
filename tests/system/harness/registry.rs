//! Debian's `docker-registry`: a registry that is not ours.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::eventually;

/// A running registry. Dropping it stops the process.
pub struct DockerRegistry {
    child: Child,
    /// Host and port.
    pub address: String,
}

impl DockerRegistry {
    /// A registry on a free port, its files in `directory`; None if it is not installed. `http` are further settings of
    /// its server, in YAML's short form and each followed by a comma, `more` further lines.
    pub fn start(directory: &Path, http: &str, more: &str) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let (config, storage) = (directory.join(format!("config-{port}.yml")), directory.join("storage"));
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http: {{{http} addr: {address}}}\n{more}\n",
            storage.display()
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let registry = Self { child: command.spawn().ok()?, address };
        eventually("docker-registry listens", || {
            TcpStream::connect(&registry.address).map_err(|error| error.to_string())
        });
        Some(registry)
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
