//! How a node signs in to its cluster: by a kubeconfig, or by a bootstrap kubeconfig for the first time.

use std::path::PathBuf;

use coracle_node::{SignIn, SignedIn};
use http::Uri;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::args::Args;

/// A node that has signed in. Its certificate is replaced in time while this is held.
pub struct Login {
    /// As the node.
    pub client: kube::Client,
    /// Where the API server is.
    pub server: Uri,
    rotating: DropGuard,
}

/// Says what is wrong with the files that the user names before anything is made.
pub fn check(args: &Args) -> anyhow::Result<()> {
    // A kubeconfig that is not there will be written if there is another way in.
    let needed = match &args.bootstrap_kubeconfig {
        None => &args.kubeconfig,
        Some(_) if args.kubeconfig.exists() => return Ok(()),
        Some(bootstrap) => bootstrap,
    };
    match std::fs::File::open(needed) {
        Ok(_) => Ok(()),
        Err(error) => anyhow::bail!("cannot read {}: {error}", needed.display()),
    }
}

impl Login {
    /// Signs in. A node that has to ask for its certificate says so, since somebody may have to approve that.
    pub async fn new(args: &Args, name: &str, pki: PathBuf) -> anyhow::Result<Login> {
        if args.bootstrap_kubeconfig.is_some() && !args.kubeconfig.exists() {
            note!("asking the cluster for a certificate of node {name}");
        }
        let sign_in = SignIn {
            node: name.to_owned(),
            kubeconfig: args.kubeconfig.clone(),
            bootstrap_kubeconfig: args.bootstrap_kubeconfig.clone(),
            directory: pki,
            rotate: args.rotate_certificates,
        };
        let SignedIn { client, server, rotation } = sign_in.run().await?;
        let shutdown = CancellationToken::new();
        if let Some(rotation) = rotation {
            tokio::spawn(rotation.run(shutdown.clone()));
        }
        Ok(Login { client, server, rotating: shutdown.drop_guard() })
    }

    /// The node ends: nothing is asked any more.
    pub fn end(self) {
        drop(self.rotating);
    }
}
