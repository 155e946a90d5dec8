//! Who may ask without saying who he is (`anonymous` of an AuthenticationConfiguration, KEP-4633).

use super::oidc::AnonymousSettings;

/// What nobody in particular may ask for, if RBAC lets him and nobody has said otherwise: whether the server is there, what
/// it is, and where a new node finds its cluster.
const USUAL_PATHS: [&str; 5] =
    ["/healthz", "/livez", "/readyz", "/version", "/api/v1/namespaces/kube-public/configmaps/cluster-info"];

/// The paths that are open to everybody whom RBAC lets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Anonymous {
    /// [`USUAL_PATHS`], and what is below them.
    #[default]
    Usual,
    /// None.
    Never,
    /// All.
    Everywhere,
    /// These, and nothing below them.
    At(Vec<String>),
}

impl Anonymous {
    /// As the configuration says.
    pub(super) fn of(settings: Option<AnonymousSettings>) -> Self {
        match settings {
            None => Self::Usual,
            Some(settings) if !settings.enabled => Self::Never,
            Some(settings) if settings.conditions.is_empty() => Self::Everywhere,
            Some(settings) => Self::At(settings.conditions.into_iter().map(|condition| condition.path).collect()),
        }
    }

    /// Whether somebody unknown may ask for the path.
    pub(crate) fn admits(&self, path: &str) -> bool {
        match self {
            Self::Usual => USUAL_PATHS
                .into_iter()
                .any(|open| path.strip_prefix(open).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))),
            Self::Never => false,
            Self::Everywhere => true,
            Self::At(paths) => paths.iter().any(|open| open == path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_open_as_is_configured() {
        let at = Anonymous::At(vec!["/livez".into()]);
        for (anonymous, open, shut) in [
            (&Anonymous::Usual, &["/livez", "/livez/store", "/version"][..], &["/livezz", "/api", "/metrics"][..]),
            (&Anonymous::Never, &[], &["/livez", "/"]),
            (&Anonymous::Everywhere, &["/livez", "/api/v1/pods"], &[]),
            (&at, &["/livez"], &["/livez/store", "/livez/", "/version"]),
        ] {
            assert!(open.iter().all(|path| anonymous.admits(path)), "{anonymous:?}");
            assert!(!shut.iter().any(|path| anonymous.admits(path)), "{anonymous:?}");
        }
    }
}
