//! What a namespace's labels ask for: a level of the Pod Security Standards, in one of their versions, for each of the
//! three modes (`k8s.io/pod-security-admission/api`).

use std::fmt;

use coracle_api::field::{FieldError, Path};
use serde_json::json;

/// What the labels begin with, and the annotations of the audit log.
pub(super) const PREFIX: &str = "pod-security.kubernetes.io/";

const BAD_LEVEL: &str = "must be one of privileged, baseline, restricted";
const BAD_VERSION: &str = r#"must be "latest" or "v1.x""#;

/// How much pods may do, the most permissive first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Everything.
    Privileged,
    /// What is not known to lead out of a container.
    Baseline,
    /// What a hardened pod needs.
    Restricted,
}

impl Level {
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "privileged" => Ok(Self::Privileged),
            "baseline" => Ok(Self::Baseline),
            "restricted" => Ok(Self::Restricted),
            _ => Err(BAD_LEVEL),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Privileged => "privileged",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        })
    }
}

/// A version of the standards: that of a minor release of Kubernetes, or whatever is newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    Minor(u64),
    Latest,
}

impl Version {
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if text == "latest" {
            return Ok(Self::Latest);
        }
        let minor = text.strip_prefix("v1.").unwrap_or_default();
        let is_number = minor.bytes().all(|b| b.is_ascii_digit()) && (minor == "0" || !minor.starts_with('0'));
        // As large as Go's `int`, no larger.
        let number = minor.parse::<i64>().ok().and_then(|number| u64::try_from(number).ok());
        number.filter(|_| is_number).map(Self::Minor).ok_or(BAD_VERSION)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Minor(minor) => write!(f, "v1.{minor}"),
            Self::Latest => f.write_str("latest"),
        }
    }
}

/// A level in a version: `restricted:latest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standard {
    pub(super) level: Level,
    pub(super) version: Version,
}

impl Standard {
    /// What every pod meets.
    pub(super) const ANYTHING: Self = Self { level: Level::Privileged, version: Version::Latest };

    /// Whether both let the same pods pass, whatever they are called.
    fn is_as_strict_as(&self, other: &Self) -> bool {
        self == other || (self.level == Level::Privileged && other.level == Level::Privileged)
    }
}

impl fmt::Display for Standard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.level, self.version)
    }
}

/// The standard of each mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Policy {
    /// Pods that do not meet it are refused.
    pub(super) enforce: Standard,
    /// What does not meet it is written to the audit log.
    pub(super) audit: Standard,
    /// Authors of what does not meet it are warned.
    pub(super) warn: Standard,
}

impl Default for Policy {
    fn default() -> Self {
        Self { enforce: Standard::ANYTHING, audit: Standard::ANYTHING, warn: Standard::ANYTHING }
    }
}

impl Policy {
    /// The modes by the names that they have in labels.
    pub(super) fn modes(&self) -> [(&'static str, Standard); 3] {
        [("enforce", self.enforce), ("audit", self.audit), ("warn", self.warn)]
    }

    /// Reads the labels. What they do not say is as in `defaults`. There always is a policy: what makes no sense is
    /// taken as `restricted` where it is enforced and as `privileged` elsewhere, in the latest version.
    pub(super) fn of_labels<'a>(label: impl Fn(&str) -> Option<&'a str>, defaults: Self) -> (Self, Vec<FieldError>) {
        let mut reading = Reading { label, errors: Vec::new() };
        let policy = Self {
            enforce: reading.standard("enforce", defaults.enforce, Level::Restricted),
            audit: reading.standard("audit", defaults.audit, Level::Privileged),
            warn: reading.standard("warn", defaults.warn, Level::Privileged),
        };
        (policy, reading.errors)
    }

    /// Whether no mode says anything about any pod.
    pub(super) fn is_fully_privileged(&self) -> bool {
        self.modes().iter().all(|(_, standard)| standard.level == Level::Privileged)
    }

    /// Whether each mode of both lets the same pods pass.
    pub(super) fn is_as_strict_as(&self, other: &Self) -> bool {
        self.modes().iter().zip(other.modes()).all(|((_, mine), (_, theirs))| mine.is_as_strict_as(&theirs))
    }
}

/// Labels that are being read.
struct Reading<F> {
    label: F,
    errors: Vec<FieldError>,
}

impl<'a, F: Fn(&str) -> Option<&'a str>> Reading<F> {
    /// What the two labels of a mode say.
    fn standard(&mut self, mode: &str, default: Standard, when_bad: Level) -> Standard {
        let level = self.read(mode, Level::parse).map(|level| level.unwrap_or(when_bad));
        let version = self.read(&format!("{mode}-version"), Version::parse);
        Standard {
            level: level.unwrap_or(default.level),
            version: version.map_or(default.version, |version| version.unwrap_or(Version::Latest)),
        }
    }

    /// The value of a label; the inner one is missing when it can't be read.
    fn read<T>(&mut self, name: &str, parse: fn(&str) -> Result<T, &'static str>) -> Option<Option<T>> {
        let key = format!("{PREFIX}{name}");
        let text = (self.label)(&key)?;
        let parsed = parse(text).map_err(|why| {
            let path = Path::root("metadata").child("labels").key(&key);
            self.errors.push(FieldError::invalid(&path, &json!(text), why));
        });
        Some(parsed.ok())
    }
}
