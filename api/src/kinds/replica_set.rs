//! Rules of replica_sets.

use crate::catalog::Rules;

/// The rules of the row.
pub static RULES: Rules = Rules::GENERIC;
