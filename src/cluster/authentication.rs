//! The flags of authentication, under the names that kube-apiserver has for them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use coracle_server::{AuthenticationConfig, AuthenticationError, OidcFlags, Server};

/// How often the file is looked at for another configuration.
const LOOK: Duration = Duration::from_secs(60);

/// Whose ID tokens are believed, and what is open to everybody.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct AuthenticationArgs {
    /// Issuers of ID tokens, and what is open to everybody (`apiserver.config.k8s.io/v1 AuthenticationConfiguration`);
    /// instead of the --oidc flags. Other issuers are taken from the file while the cluster runs [default: no issuer].
    #[arg(long, value_name = "FILE")]
    pub authentication_config: Option<PathBuf>,
    /// Whether requests that don't say whose they are may ask for any path that RBAC opens to system:anonymous or
    /// system:unauthenticated, or for none [default: for health, version and cluster-info].
    #[arg(long, value_name = "BOOL")]
    pub anonymous_auth: Option<bool>,
    /// The issuer of ID tokens that are believed; HTTPS only [default: none].
    #[arg(long, value_name = "URL")]
    pub oidc_issuer_url: Option<String>,
    /// Whom its tokens must be for (`aud`).
    #[arg(long, value_name = "ID")]
    pub oidc_client_id: Option<String>,
    /// The claim that is the name of the user [default: sub].
    #[arg(long, value_name = "CLAIM")]
    pub oidc_username_claim: Option<String>,
    /// What is put before names; `-` for nothing [default: the issuer's URL and a `#`; nothing if the claim is email].
    #[arg(long, value_name = "PREFIX", allow_hyphen_values = true)]
    pub oidc_username_prefix: Option<String>,
    /// The claim with the groups of the user [default: none].
    #[arg(long, value_name = "CLAIM")]
    pub oidc_groups_claim: Option<String>,
    /// What is put before groups [default: nothing].
    #[arg(long, value_name = "PREFIX")]
    pub oidc_groups_prefix: Option<String>,
    /// A claim that tokens must have with this value; may be repeated.
    #[arg(long, value_name = "CLAIM=VALUE", value_parser = parse_pair)]
    pub oidc_required_claim: Vec<(String, String)>,
    /// Algorithms by which tokens may be signed: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 [default: RS256].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub oidc_signing_algs: Vec<String>,
    /// Authorities of the issuer's certificate [default: the system's].
    #[arg(long, value_name = "FILE")]
    pub oidc_ca_file: Option<PathBuf>,
}

impl AuthenticationArgs {
    /// Who is believed besides the cluster itself, whose tokens are of `own_issuer`.
    pub fn config(&self, own_issuer: &str) -> anyhow::Result<AuthenticationConfig> {
        match &self.authentication_config {
            Some(file) => {
                ensure!(!self.has_flags(), "authentication-config file and oidc-* flags are mutually exclusive");
                let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
                self.parse(&text, own_issuer).with_context(|| format!("cannot use {}", file.display()))
            }
            None if self.has_flags() => {
                let flags = self.flags()?;
                let config =
                    AuthenticationConfig::of_flags(&flags, own_issuer).context("cannot use the --oidc flags")?;
                Ok(config.with_anonymous(self.anonymous_auth)?)
            }
            None => Ok(AuthenticationConfig::default().with_anonymous(self.anonymous_auth)?),
        }
    }

    /// What a file says, and the flag beside it.
    fn parse(&self, text: &str, own_issuer: &str) -> Result<AuthenticationConfig, AuthenticationError> {
        AuthenticationConfig::parse(text, own_issuer)?.with_anonymous(self.anonymous_auth)
    }

    /// Follows what the file says of issuers, for as long as it is polled. Does nothing without a file.
    pub async fn follow(self, server: Server, own_issuer: String) {
        let Some(file) = &self.authentication_config else { return std::future::pending().await };
        let mut known = std::fs::read_to_string(file).unwrap_or_default();
        loop {
            tokio::time::sleep(LOOK).await;
            match tokio::fs::read_to_string(file).await {
                Ok(text) if text == known => {}
                Ok(text) => take(file, self.parse(&text, &own_issuer), &server, (&mut known, text)).await,
                Err(error) => {
                    tracing::warn!(file = %file.display(), %error, "cannot read the authentication configuration")
                }
            }
        }
    }

    fn has_flags(&self) -> bool {
        let texts = [
            &self.oidc_issuer_url,
            &self.oidc_client_id,
            &self.oidc_username_claim,
            &self.oidc_username_prefix,
            &self.oidc_groups_claim,
            &self.oidc_groups_prefix,
        ];
        texts.iter().any(|text| text.is_some())
            || !self.oidc_required_claim.is_empty()
            || !self.oidc_signing_algs.is_empty()
            || self.oidc_ca_file.is_some()
    }

    fn flags(&self) -> anyhow::Result<OidcFlags> {
        let given = |text: &Option<String>| text.clone().unwrap_or_default();
        let (issuer_url, client_id) = (given(&self.oidc_issuer_url), given(&self.oidc_client_id));
        if issuer_url.is_empty() || client_id.is_empty() {
            bail!("oidc-issuer-url and oidc-client-id must be specified together when any oidc-* flags are set");
        }
        let read =
            |file: &PathBuf| std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()));
        let signing_algs = match self.oidc_signing_algs.as_slice() {
            [] => vec!["RS256".to_string()],
            named => named.to_vec(),
        };
        Ok(OidcFlags {
            issuer_url,
            client_id,
            username_claim: self.oidc_username_claim.clone().unwrap_or_else(|| "sub".into()),
            username_prefix: given(&self.oidc_username_prefix),
            groups_claim: given(&self.oidc_groups_claim),
            groups_prefix: given(&self.oidc_groups_prefix),
            required_claims: self.oidc_required_claim.iter().cloned().collect(),
            signing_algs,
            ca_pem: self.oidc_ca_file.as_ref().map(read).transpose()?,
        })
    }
}

/// Takes a new configuration. One that makes no sense is not looked at again; one whose issuers don't answer is.
async fn take(
    file: &Path,
    config: Result<AuthenticationConfig, AuthenticationError>,
    server: &Server,
    (known, text): (&mut String, String),
) {
    let file = file.display();
    match config {
        Err(error) => tracing::error!(%file, %error, "the authentication configuration stays what it was"),
        Ok(config) => match server.set_authentication(config).await {
            Ok(()) => tracing::info!(%file, "there is another authentication configuration"),
            Err(error) => return tracing::error!(%file, %error, "the authentication configuration stays what it was"),
        },
    }
    *known = text;
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    let (claim, value) = text.split_once('=').ok_or("malformed pair, expect string=string")?;
    Ok((claim.trim().to_string(), value.trim().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "https://kubernetes.default.svc.cluster.local";

    #[derive(clap::Parser)]
    struct Command {
        #[command(flatten)]
        args: AuthenticationArgs,
    }

    fn config(flags: &[&str]) -> Result<AuthenticationConfig, String> {
        let command = <Command as clap::Parser>::try_parse_from([&["up"], flags].concat());
        let command = command.map_err(|error| error.to_string())?;
        command.args.config(OWN).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn flags_and_file_exclude_each_other() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("authentication.yaml");
        std::fs::write(&file, "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n").unwrap();
        let file = file.to_str().unwrap();
        assert!(config(&["--authentication-config", file]).is_ok());
        assert!(config(&[]).is_ok());
        assert!(config(&["--authentication-config", file, "--anonymous-auth", "false"]).is_ok());
        let error = config(&["--authentication-config", file, "--oidc-client-id", "a"]).unwrap_err();
        assert_eq!(error, "authentication-config file and oidc-* flags are mutually exclusive");
        let open =
            "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\nanonymous: {enabled: true}\n";
        std::fs::write(file, open).unwrap();
        let error = config(&["--authentication-config", file, "--anonymous-auth", "false"]).unwrap_err();
        assert!(
            error.ends_with(
                "--anonymous-auth cannot be given when the anonymous field of the authentication \
                                 configuration file is set"
            ),
            "{error}"
        );
    }

    #[test]
    fn what_makes_no_sense_names_its_place() {
        let issuer = ["--oidc-issuer-url", "https://i", "--oidc-client-id", "c"];
        let with = |more: &[&str]| config(&[&issuer, more].concat());
        assert!(with(&["--oidc-username-prefix", "-", "--oidc-required-claim", "a=b=c"]).is_ok());
        assert!(with(&["--oidc-signing-algs", "RS256,ES384"]).is_ok());
        let alone = config(&["--oidc-username-claim", "email"]).unwrap_err();
        assert_eq!(
            alone,
            "oidc-issuer-url and oidc-client-id must be specified together when any oidc-* flags are set"
        );
        let wrong = with(&["--oidc-signing-algs", "RS256,HS256"]).unwrap_err();
        assert_eq!(wrong, "cannot use the --oidc flags: oidc: unsupported signing alg: \"HS256\"");
        assert!(with(&["--oidc-required-claim", "a"]).unwrap_err().contains("malformed pair"));
        assert!(with(&["--oidc-ca-file", "none.pem"]).unwrap_err().starts_with("cannot read none.pem: No such file"));
        let missing = config(&["--authentication-config", "none.yaml"]).unwrap_err();
        assert!(missing.starts_with("cannot read none.yaml: No such file"), "{missing}");
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.yaml");
        let text = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt: [{}]\n";
        std::fs::write(&file, text).unwrap();
        let error = config(&["--authentication-config", file.to_str().unwrap()]).unwrap_err();
        let told = "a.yaml: invalid authentication configuration: [jwt[0].issuer.url: Required value";
        assert!(error.starts_with("cannot use ") && error.contains(told), "{error}");
    }
}
