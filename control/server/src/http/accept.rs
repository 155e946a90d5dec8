//! What the client wants to read: the format, and the shape (the objects, a table, only their metadata).

use coracle_api::{ApiError, ApiResult, protobuf};

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Yaml,
    /// Only for clients that take nothing else: what is stored is JSON, and costs nothing to send.
    Protobuf,
}

/// What the answer shows of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The objects.
    Whole,
    /// `Table`.
    Table,
    /// `PartialObjectMetadata`.
    Metadata,
    /// `PartialObjectMetadataList`.
    MetadataList,
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
    /// `apiVersion` of what a shape other than the whole has around it.
    pub(crate) meta: &'static str,
}

/// The versions of tables and partial metadata; they differ in name only.
const META_VERSIONS: [(&str, &str); 2] = [("v1", "meta.k8s.io/v1"), ("v1beta1", "meta.k8s.io/v1beta1")];

/// Media types named in a 406.
const OFFERED: &[&str] = &["application/json", "application/yaml", protobuf::MEDIA_TYPE];

/// How much an offer is liked: anything but protobuf first, then by its weight in thousandths.
type Rank = (bool, u32);

/// Clauses of an `Accept` header that are looked at; no client sends more than a handful.
const MAX_CLAUSES: usize = 32;

impl Accept {
    /// Plain JSON.
    pub(crate) const JSON: Self = Self { format: Format::Json, shape: Shape::Whole, meta: META_VERSIONS[0].1 };

    /// Picks the clause with the highest weight that can be served, the first among equals. No header means JSON.
    /// `tables`: whether what is asked for can be shown as a table at all.
    pub(crate) fn negotiate(header: Option<&str>, tables: bool) -> ApiResult<Self> {
        let Some(header) = header.filter(|h| !h.trim().is_empty()) else { return Ok(Self::JSON) };
        let mut best: Option<(Rank, Self)> = None;
        for clause in header.split(',').take(MAX_CLAUSES) {
            let Some((weight, accept)) = Self::clause(clause) else { continue };
            if accept.shape == Shape::Table && !tables {
                continue;
            }
            let rank = (accept.format != Format::Protobuf, weight);
            if best.is_none_or(|(highest, _)| rank > highest) {
                best = Some((rank, accept));
            }
        }
        best.map(|(_, accept)| accept).ok_or_else(|| ApiError::not_acceptable(OFFERED))
    }

    /// The format for an error, which has to be told whatever is accepted.
    pub(crate) fn format_of_errors(header: Option<&str>) -> Format {
        Self::negotiate(header, true).map_or(Format::Json, |accept| accept.format)
    }

    /// One clause, if it can be served: its weight in thousandths and what it asks for.
    fn clause(clause: &str) -> Option<(u32, Self)> {
        let mut parts = clause.split(';').map(str::trim);
        let format = match parts.next()?.to_ascii_lowercase().as_str() {
            "application/json" | "application/*" | "*/*" => Format::Json,
            "application/yaml" => Format::Yaml,
            protobuf::MEDIA_TYPE => Format::Protobuf,
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
        if kind.is_empty() {
            return (weight > 0).then_some((weight, Self { format, ..Self::JSON }));
        }
        let (_, meta) = META_VERSIONS.into_iter().find(|(known, _)| group == "meta.k8s.io" && version == *known)?;
        let shape = match kind {
            // A table's cells are of any type, so it has no protobuf form.
            "Table" if format != Format::Protobuf => Shape::Table,
            "PartialObjectMetadata" => Shape::Metadata,
            "PartialObjectMetadataList" => Shape::MetadataList,
            _ => return None,
        };
        (weight > 0).then_some((weight, Self { format, shape, meta }))
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
            Some(other) => Err(ApiError::bad_request(format!(
                "Unable to convert to Table as requested: includeObject: Invalid value: {other:?}: must be 'Metadata', \
                 'Object', 'None', or empty"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn negotiate(header: &str) -> Option<(Format, Shape)> {
        Accept::negotiate(Some(header), true).ok().map(|a| (a.format, a.shape))
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
        let code = |header, tables| Accept::negotiate(Some(header), tables).map_err(|error| error.code());
        assert_eq!(code("text/html", true), Err(406));
        assert_eq!(code("application/json;as=Nonsense;v=v1;g=meta.k8s.io", true), Err(406));
        assert_eq!(code("application/json;as=Table;v=v2;g=meta.k8s.io", true), Err(406));
        assert_eq!(code("application/json;as=Table;v=v1;g=meta.k8s.io", false), Err(406));
        let either = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
        assert_eq!(code(either, false), Ok(Accept::JSON));
        assert_eq!(
            code("application/json;as=Table;v=v1beta1;g=meta.k8s.io", true).unwrap().meta,
            "meta.k8s.io/v1beta1"
        );
    }
}
