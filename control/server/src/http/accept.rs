//! What the client wants to read: the format, and the shape (the objects, a table, only their metadata).

use coracle_api::{ApiError, ApiResult};

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Yaml,
}

/// What the answer shows of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The objects.
    Whole,
    /// `meta.k8s.io/v1 Table`.
    Table,
    /// `meta.k8s.io/v1 PartialObjectMetadata`.
    Metadata,
}

/// `includeObject` of a table: what each row carries of its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Include {
    Nothing,
    Metadata,
    Object,
}

/// A negotiated answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Accept {
    pub(crate) format: Format,
    pub(crate) shape: Shape,
}

/// Media types named in a 406.
const OFFERED: &[&str] = &["application/json", "application/yaml"];

/// Clauses of an `Accept` header that are looked at; no client sends more than a handful.
const MAX_CLAUSES: usize = 32;

impl Accept {
    /// Plain JSON.
    pub(crate) const JSON: Self = Self { format: Format::Json, shape: Shape::Whole };

    /// Picks the clause with the highest weight that can be served, the first among equals. No header means JSON.
    pub(crate) fn negotiate(header: Option<&str>) -> ApiResult<Self> {
        let Some(header) = header.filter(|h| !h.trim().is_empty()) else { return Ok(Self::JSON) };
        let mut best: Option<(u32, Self)> = None;
        for clause in header.split(',').take(MAX_CLAUSES) {
            let Some((weight, accept)) = Self::clause(clause) else { continue };
            if best.is_none_or(|(heaviest, _)| weight > heaviest) {
                best = Some((weight, accept));
            }
        }
        best.map(|(_, accept)| accept).ok_or_else(|| ApiError::not_acceptable(OFFERED))
    }

    /// One clause, if it can be served: its weight in thousandths and what it asks for.
    fn clause(clause: &str) -> Option<(u32, Self)> {
        let mut parts = clause.split(';').map(str::trim);
        let format = match parts.next()?.to_ascii_lowercase().as_str() {
            "application/json" | "application/*" | "*/*" => Format::Json,
            "application/yaml" => Format::Yaml,
            _ => return None,
        };
        let (mut kind, mut group, mut version, mut weight) = ("", "", "", 1000);
        for parameter in parts {
            match parameter.split_once('=') {
                Some(("as", value)) => kind = value,
                Some(("g", value)) => group = value,
                Some(("v", value)) => version = value,
                Some(("q", value)) => weight = thousandths(value)?,
                _ => {}
            }
        }
        let shape = match (kind, group, version) {
            ("", _, _) => Shape::Whole,
            ("Table", "meta.k8s.io", "v1" | "v1beta1") => Shape::Table,
            ("PartialObjectMetadata" | "PartialObjectMetadataList", "meta.k8s.io", "v1" | "v1beta1") => Shape::Metadata,
            _ => return None,
        };
        (weight > 0).then_some((weight, Self { format, shape }))
    }
}

fn thousandths(text: &str) -> Option<u32> {
    let weight: f32 = text.parse().ok()?;
    (0.0..=1.0).contains(&weight).then_some((weight * 1000.0) as u32)
}

impl Include {
    /// From the `includeObject` parameter; the default is the metadata.
    pub(crate) fn parse(text: Option<&str>) -> ApiResult<Self> {
        match text {
            None | Some("Metadata") => Ok(Self::Metadata),
            Some("None") => Ok(Self::Nothing),
            Some("Object") => Ok(Self::Object),
            Some(other) => Err(ApiError::bad_request(format!("unrecognized includeObject value: \"{other}\""))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn negotiate(header: &str) -> Option<(Format, Shape)> {
        Accept::negotiate(Some(header)).ok().map(|a| (a.format, a.shape))
    }

    #[test]
    fn kubectl_gets_its_table_and_client_go_its_json() {
        let kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        assert_eq!(negotiate(kubectl), Some((Format::Json, Shape::Table)));
        assert_eq!(
            negotiate("application/vnd.kubernetes.protobuf,application/json"),
            Some((Format::Json, Shape::Whole))
        );
        assert_eq!(negotiate("*/*"), Some((Format::Json, Shape::Whole)));
        assert_eq!(negotiate("application/json;q=0.5, application/yaml"), Some((Format::Yaml, Shape::Whole)));
    }

    #[test]
    fn what_cannot_be_served_is_406() {
        assert_eq!(Accept::negotiate(Some("text/html")).unwrap_err().code(), 406);
        assert_eq!(Accept::negotiate(Some("application/json;as=Nonsense;v=v1;g=meta.k8s.io")).unwrap_err().code(), 406);
    }
}
