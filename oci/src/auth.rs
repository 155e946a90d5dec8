//! Who we say we are to a registry.

use oci_client::secrets::RegistryAuth;

/// Credentials for one registry, as an image pull secret holds them.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub enum Auth {
    /// None. Registries may still hand out a token for public images.
    #[default]
    Anonymous,
    /// User name and password (or access token in its place); exchanged for a bearer token where asked.
    Basic {
        /// The account.
        username: String,
        /// Its password or access token.
        password: String,
    },
    /// A registry token that needs no exchange.
    Bearer {
        /// The token, without the word `Bearer`.
        token: String,
    },
}

impl Auth {
    pub(crate) fn to_registry_auth(&self) -> RegistryAuth {
        match self {
            Auth::Anonymous => RegistryAuth::Anonymous,
            Auth::Basic { username, password } => RegistryAuth::Basic(username.clone(), password.clone()),
            Auth::Bearer { token } => RegistryAuth::Bearer(token.clone()),
        }
    }
}

/// Secrets don't end up in logs: only the kind and the user name are shown.
impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Auth::Anonymous => f.write_str("Anonymous"),
            Auth::Basic { username, .. } => write!(f, "Basic({username:?})"),
            Auth::Bearer { .. } => f.write_str("Bearer"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_keeps_the_secret() {
        let basic = Auth::Basic { username: "ann".into(), password: "hunter2".into() };
        let bearer = Auth::Bearer { token: "hunter2".into() };
        let shown = format!("{basic:?} {bearer:?}");
        assert_eq!(shown, "Basic(\"ann\") Bearer");
    }
}
