//! Kubernetes' format library: named formats with the checks and texts of API validation.

use super::super::cost::CostRule;
use super::super::function::{Overload, mismatch};
use super::super::types::{Opaque, Sig};
use super::super::value::Value;
use crate::names;

const TEXT: Sig = Sig::String;
const FORMAT: Sig = Sig::Opaque(Opaque::Format);

/// A named format: an index into the table of formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedFormat(usize);

type Check = fn(&str) -> Vec<String>;

const FORMATS: [(&str, Check); 13] = [
    ("dns1123Label", names::dns1123_label),
    ("dns1123Subdomain", names::dns1123_subdomain),
    ("dns1035Label", names::dns1035_label),
    ("dns1123LabelPrefix", |text| names::label_name(text, true)),
    ("dns1123SubdomainPrefix", |text| names::subdomain_name(text, true)),
    ("dns1035LabelPrefix", |text| names::label_1035_name(text, true)),
    ("qualifiedName", names::qualified_name),
    ("labelValue", names::label_value),
    ("uri", |text| {
        if super::Url::parse(text).is_some() {
            Vec::new()
        } else {
            vec![format!("parse {text:?}: invalid URI for request")]
        }
    }),
    ("uuid", |text| format_error("uuid", "does not match the UUID format", text)),
    ("byte", |text| format_error("byte", "invalid base64", text)),
    ("date", |text| format_error("date", "invalid date", text)),
    ("datetime", |text| format_error("date-time", "invalid datetime", text)),
];

fn format_error(format: &str, otherwise: &str, text: &str) -> Vec<String> {
    if crate::custom::format_matches(format, text) { Vec::new() } else { vec![otherwise.to_string()] }
}

macro_rules! constructors {
    ($($index:literal => $name:literal),* $(,)?) => {
        &[
            $(Overload::global(concat!("format.", $name), &[], FORMAT, |_| Ok(Value::Format(NamedFormat($index)))),)*
            Overload::global("format.named", &[TEXT], Sig::Optional(&FORMAT), |args| {
                let Some(wanted) = args[0].as_str() else { return mismatch() };
                let found = FORMATS.iter().position(|(name, _)| *name == wanted);
                Ok(Value::optional(found.map(|index| Value::Format(NamedFormat(index)))))
            }),
            Overload::method("validate", &[FORMAT, TEXT], Sig::Optional(&Sig::List(&TEXT)), |args| {
                let (Value::Format(format), Some(text)) = (&args[0], args[1].as_str()) else { return mismatch() };
                let errors = (FORMATS[format.0].1)(text);
                let errors = (!errors.is_empty()).then(|| Value::list(errors.into_iter().map(Value::text).collect()));
                Ok(Value::optional(errors))
            })
            .costs(CostRule::Scan(1)),
        ]
    };
}

pub(super) const FUNCTIONS: &[Overload] = constructors! {
    0 => "dns1123Label",
    1 => "dns1123Subdomain",
    2 => "dns1035Label",
    3 => "dns1123LabelPrefix",
    4 => "dns1123SubdomainPrefix",
    5 => "dns1035LabelPrefix",
    6 => "qualifiedName",
    7 => "labelValue",
    8 => "uri",
    9 => "uuid",
    10 => "byte",
    11 => "date",
    12 => "datetime",
};

impl NamedFormat {
    /// Its name.
    pub fn name(self) -> &'static str {
        FORMATS[self.0].0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constructors_are_in_the_order_of_the_table() {
        for (index, (name, _)) in FORMATS.iter().enumerate() {
            assert_eq!(FUNCTIONS[index].name, format!("format.{name}"));
        }
    }

    #[test]
    fn arguments_of_other_types_are_errors() {
        assert!(mismatch().is_err());
    }
}
