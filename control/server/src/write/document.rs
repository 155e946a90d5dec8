//! Objects on their way in and out: bodies decoded by the schema, records in the form their API group serves.

use coracle_api::decode::{FieldValidation, Parsed, decode, parse_json, parse_yaml};
use coracle_api::{ApiError, ApiResult, Resource, meta, protobuf};
use coracle_store::{Object, Record};
use serde_json::Value;

use crate::http::Encoding;
use crate::hub::Call;
use crate::read::parse;

/// The object in the body of a request, with the warnings it causes.
pub(crate) fn body_of(call: &Call) -> ApiResult<(Value, Vec<String>)> {
    decode(&call.target.resource, parsed(call, &call.target.resource.kind)?, call.params.field_validation()?)
}

/// The document in the body, not yet known to be of any kind.
pub(crate) fn parsed(call: &Call, kind: &str) -> ApiResult<Parsed> {
    let document = match Encoding::of(&call.headers)? {
        Encoding::Json => parse_json(&call.body),
        Encoding::Yaml => parse_yaml(&call.body),
        // Protobuf has no duplicate fields and no unknown ones that could be shown.
        Encoding::Protobuf if call.target.resource.custom.is_some() => {
            return Err(ApiError::unsupported_media_type(&["application/json", "application/yaml"]));
        }
        Encoding::Protobuf => return Ok(protobuf::decode(&call.body)?.into()),
    };
    document.map_err(|error| error.into_api_error(kind))
}

/// How strict a request is about fields nobody knows.
pub(crate) fn validation(call: &Call) -> ApiResult<FieldValidation> {
    call.params.field_validation()
}

/// A stored object in the form that `resource` serves.
pub(crate) fn load(resource: &Resource, record: &Record) -> ApiResult<Value> {
    let object = parse(&record.json)?;
    Ok(match resource.rules.from_storage {
        Some(convert) => convert(object),
        None => object,
    })
}

/// The object as it is stored, without a resourceVersion.
pub(crate) fn encode(resource: &Resource, object: Value) -> ApiResult<Object> {
    let mut object = match resource.rules.to_storage {
        Some(convert) => convert(object),
        None => object,
    };
    meta::metadata_mut(&mut object).remove("resourceVersion");
    let json = serde_json::to_vec(&object).map_err(ApiError::internal)?;
    Object::from_json(json).map_err(ApiError::internal)
}
