//! Rules of configuration objects.

use crate::catalog::Rules;

/// The rules of the row.
pub static CONFIG_MAP: Rules = Rules::GENERIC;

/// The rules of the row.
pub static SECRET: Rules = Rules::GENERIC;

/// The rules of the row.
pub static SERVICE_ACCOUNT: Rules = Rules::GENERIC;
