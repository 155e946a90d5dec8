//! Who is believed: what flags or a file say, checked and compiled.

use std::collections::BTreeMap;
use std::sync::Arc;

use coracle_api::field::join;

use super::algorithm::Algorithm;
use super::mapping::Mapper;
use super::settings::{ClaimRule, File, IssuerSettings, JwtSettings, Mapping, Mappings};
use super::validation;
use crate::identity::Anonymous;

const GROUP: &str = "apiserver.config.k8s.io";
const VERSIONS: [&str; 3] = ["v1", "v1beta1", "v1alpha1"];
const KIND: &str = "AuthenticationConfiguration";

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticationError {
    /// It is no YAML of this kind; says where and why.
    #[error("the authentication configuration does not parse: {0}")]
    Syntax(#[from] serde_yaml::Error),
    /// It is something else.
    #[error("the authentication configuration should have apiVersion {GROUP}/v1 and kind {KIND}, not {0} and {1}")]
    Kind(String, String),
    /// It says what makes no sense; names the fields.
    #[error("invalid authentication configuration: {0}")]
    Invalid(String),
    /// A signing algorithm is not known, or can't be verified here.
    #[error("oidc: unsupported signing alg: {0:?}")]
    Algorithm(String),
    /// `--anonymous-auth` and a file both say what is open to everybody.
    #[error(
        "--anonymous-auth cannot be given when the anonymous field of the authentication configuration file is set"
    )]
    AnonymousTwice,
    /// An issuer does not say who it is.
    #[error("{0}")]
    Issuer(String),
}

/// Whose tokens are believed, and what is open to everybody. By default there is no issuer but the cluster itself.
#[derive(Debug, Clone, Default)]
pub struct AuthenticationConfig {
    pub(super) issuers: Vec<Arc<IssuerConfig>>,
    pub(crate) anonymous: Anonymous,
}

/// What the `--oidc-*` flags say, under the names that kube-apiserver has for them.
#[derive(Debug, Clone, Default)]
pub struct OidcFlags {
    /// `--oidc-issuer-url`
    pub issuer_url: String,
    /// `--oidc-client-id`
    pub client_id: String,
    /// `--oidc-username-claim`
    pub username_claim: String,
    /// `--oidc-username-prefix`; empty when not given, `-` for none.
    pub username_prefix: String,
    /// `--oidc-groups-claim`; empty when not given.
    pub groups_claim: String,
    /// `--oidc-groups-prefix`
    pub groups_prefix: String,
    /// `--oidc-required-claim`
    pub required_claims: BTreeMap<String, String>,
    /// `--oidc-signing-algs`
    pub signing_algs: Vec<String>,
    /// What is in the file of `--oidc-ca-file`, PEM.
    pub ca_pem: Option<String>,
}

/// One issuer.
#[derive(Debug)]
pub(super) struct IssuerConfig {
    pub(super) url: String,
    /// Where it says where its keys are.
    pub(super) discovery_url: String,
    /// Authorities of its certificate, PEM; those of the system if there are none.
    pub(super) authorities: Option<String>,
    /// Whom its tokens must be for, one of them at least.
    pub(super) audiences: Vec<String>,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) mapper: Mapper,
}

impl AuthenticationConfig {
    /// Reads a configuration. `own_issuer` is who issues the tokens of service accounts, for whom no other may speak.
    ///
    /// # Errors
    /// When it is none: says what is wrong, and where.
    pub fn parse(yaml: &str, own_issuer: &str) -> Result<Self, AuthenticationError> {
        let file: File = serde_yaml::from_str(yaml)?;
        let known = file.api_version.split_once('/').is_some_and(|(g, v)| g == GROUP && VERSIONS.contains(&v));
        if !known || file.kind != KIND {
            return Err(AuthenticationError::Kind(file.api_version, file.kind));
        }
        let all: Vec<Algorithm> = Algorithm::ALL.iter().map(|(_, algorithm)| *algorithm).collect();
        let (issuers, mut errors) = validation::issuers(&file.jwt, &all, own_issuer);
        errors.extend(validation::anonymous(file.anonymous.as_ref()));
        if !errors.is_empty() {
            return Err(AuthenticationError::Invalid(join(&errors)));
        }
        Ok(Self { issuers, anonymous: Anonymous::of(file.anonymous) })
    }

    /// The one issuer that flags name.
    ///
    /// # Errors
    /// When what they say makes no sense.
    pub fn of_flags(flags: &OidcFlags, own_issuer: &str) -> Result<Self, AuthenticationError> {
        let known = |name: &String| Algorithm::of(name).ok_or_else(|| AuthenticationError::Algorithm(name.clone()));
        let algorithms = flags.signing_algs.iter().map(known).collect::<Result<Vec<_>, _>>()?;
        let (issuers, errors) = validation::issuers(&[flags.settings()], &algorithms, own_issuer);
        if !errors.is_empty() {
            return Err(AuthenticationError::Invalid(join(&errors)));
        }
        Ok(Self { issuers, anonymous: Anonymous::default() })
    }

    /// With what `--anonymous-auth` says, if it is given: all paths are open to everybody whom RBAC lets, or none.
    ///
    /// # Errors
    /// When a file has said what is open.
    pub fn with_anonymous(self, open: Option<bool>) -> Result<Self, AuthenticationError> {
        let anonymous = match open {
            None => return Ok(self),
            Some(_) if self.anonymous != Anonymous::default() => return Err(AuthenticationError::AnonymousTwice),
            Some(true) => Anonymous::Everywhere,
            Some(false) => Anonymous::Never,
        };
        Ok(Self { anonymous, ..self })
    }
}

impl OidcFlags {
    /// The same as it would stand in a file.
    fn settings(&self) -> JwtSettings {
        let prefix = match self.username_prefix.as_str() {
            // Names that another issuer could give as well are told apart; addresses are taken to be unique.
            "" if self.username_claim != "email" => format!("{}#", self.issuer_url),
            "-" => String::new(),
            given => given.to_string(),
        };
        let username = Mapping { claim: self.username_claim.clone(), prefix: Some(prefix), ..Mapping::default() };
        let groups = match self.groups_claim.as_str() {
            "" => Mapping::default(),
            claim => {
                let prefix = Some(self.groups_prefix.clone());
                Mapping { claim: claim.to_string(), prefix, ..Mapping::default() }
            }
        };
        let required = self.required_claims.iter().map(|(claim, value)| ClaimRule {
            claim: claim.clone(),
            required_value: value.clone(),
            ..ClaimRule::default()
        });
        JwtSettings {
            issuer: IssuerSettings {
                url: self.issuer_url.clone(),
                certificate_authority: self.ca_pem.clone().unwrap_or_default(),
                audiences: vec![self.client_id.clone()],
                ..IssuerSettings::default()
            },
            claim_validation_rules: required.collect(),
            claim_mappings: Mappings { username, groups, ..Mappings::default() },
            ..JwtSettings::default()
        }
    }
}
