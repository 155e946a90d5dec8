//! Rules of jobs.

use crate::catalog::Rules;

/// The rules of the row.
pub static RULES: Rules = Rules::GENERIC;
