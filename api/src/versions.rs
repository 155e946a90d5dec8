//! In which order the versions of a group are listed: `v2` before `v1` before `v1beta2` before `v1alpha1` before
//! whatever else, alphabetically (`version.CompareKubeAwareVersionStrings`).

use std::cmp::{Ordering, Reverse};

/// How stable a version says it is.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Stability {
    Alpha,
    Beta,
    Stable,
}

/// The better version first.
#[must_use]
pub fn compare(a: &str, b: &str) -> Ordering {
    match (parse(a), parse(b)) {
        (Some(a), Some(b)) => Reverse(a).cmp(&Reverse(b)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

/// `v1beta2` as (beta, 1, 2). Numbers begin with no zero.
fn parse(text: &str) -> Option<(Stability, u32, u32)> {
    let rest = text.strip_prefix('v')?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let major = number(&rest[..end])?;
    match &rest[end..] {
        "" => Some((Stability::Stable, major, 0)),
        suffix => {
            let (stability, minor) = match suffix.strip_prefix("alpha") {
                Some(minor) => (Stability::Alpha, minor),
                None => (Stability::Beta, suffix.strip_prefix("beta")?),
            };
            Some((stability, major, number(minor)?))
        }
    }
}

fn number(digits: &str) -> Option<u32> {
    let fine = !digits.is_empty() && !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
    if fine { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_documented() {
        let mut versions =
            ["foo10", "v1", "v11alpha2", "v10", "v12alpha1", "v10beta3", "v2", "v11beta2", "v3beta1", "foo1"];
        versions.sort_by(|a, b| compare(a, b));
        let documented =
            ["v10", "v2", "v1", "v11beta2", "v10beta3", "v3beta1", "v12alpha1", "v11alpha2", "foo1", "foo10"];
        assert_eq!(versions, documented);
    }
}
