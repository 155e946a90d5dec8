//! The OpenAPI 2 document as protobuf: the JSON document, message by message.

use serde_json::{Map, Value};

use super::messages as pb;

/// The whole document.
pub(super) fn document(json: &Value) -> pb::Document {
    pb::Document {
        swagger: text(json, "swagger"),
        info: Some(pb::Info { title: text(&json["info"], "title"), version: text(&json["info"], "version") }),
        paths: Some(pb::Paths { path: entries(json, "paths").map(|(name, item)| named_path(name, item)).collect() }),
        definitions: Some(named_schemas(json, "definitions")),
    }
}

fn text(json: &Value, field: &str) -> String {
    json.get(field).and_then(Value::as_str).unwrap_or_default().to_string()
}

fn texts(json: &Value, field: &str) -> Vec<String> {
    items(json, field).filter_map(Value::as_str).map(str::to_string).collect()
}

fn flag(json: &Value, field: &str) -> bool {
    json.get(field).and_then(Value::as_bool).unwrap_or_default()
}

fn items<'j>(json: &'j Value, field: &str) -> impl Iterator<Item = &'j Value> {
    json.get(field).and_then(Value::as_array).into_iter().flatten()
}

fn entries<'j>(json: &'j Value, field: &str) -> impl Iterator<Item = (&'j String, &'j Value)> {
    json.get(field).and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

fn named_path(name: &str, item: &Value) -> pb::NamedPathItem {
    let of = |method: &str| item.get(method).map(operation);
    let value = pb::PathItem {
        get: of("get"),
        put: of("put"),
        post: of("post"),
        delete: of("delete"),
        patch: of("patch"),
        parameters: items(item, "parameters").map(parameter).collect(),
    };
    pb::NamedPathItem { name: name.to_string(), value: Some(value) }
}

fn operation(json: &Value) -> pb::Operation {
    pb::Operation {
        tags: texts(json, "tags"),
        description: text(json, "description"),
        operation_id: text(json, "operationId"),
        produces: texts(json, "produces"),
        consumes: texts(json, "consumes"),
        parameters: items(json, "parameters").map(parameter).collect(),
        responses: Some(pb::Responses {
            response_code: entries(json, "responses").map(|(code, answer)| response(code, answer)).collect(),
        }),
        schemes: texts(json, "schemes"),
        vendor_extension: extensions(json),
    }
}

fn parameter(json: &Value) -> pb::ParametersItem {
    let (name, location) = (text(json, "name"), text(json, "in"));
    let (description, ty) = (text(json, "description"), text(json, "type"));
    let (required, unique_items) = (flag(json, "required"), flag(json, "uniqueItems"));
    let parameter = match location.as_str() {
        "body" => {
            let schema = json.get("schema").map(schema);
            let body = pb::BodyParameter { name, location, required, schema };
            pb::Parameter { body_parameter: Some(body), non_body_parameter: None }
        }
        "path" => {
            let path = pb::PathParameter { required, location, description, name, ty, unique_items };
            non_body(pb::NonBodyParameter { path: Some(path), query: None })
        }
        _ => {
            let query = pb::QueryParameter { location, description, name, ty, unique_items };
            non_body(pb::NonBodyParameter { query: Some(query), path: None })
        }
    };
    pb::ParametersItem { parameter: Some(parameter) }
}

fn non_body(parameter: pb::NonBodyParameter) -> pb::Parameter {
    pb::Parameter { body_parameter: None, non_body_parameter: Some(parameter) }
}

fn response(code: &str, json: &Value) -> pb::NamedResponseValue {
    let response = pb::Response { description: text(json, "description"), schema: json.get("schema").map(schema_item) };
    pb::NamedResponseValue { name: code.to_string(), value: Some(pb::ResponseValue { response: Some(response) }) }
}

fn schema_item(json: &Value) -> pb::SchemaItem {
    pb::SchemaItem { schema: Some(Box::new(schema(json))) }
}

fn named_schemas(json: &Value, field: &str) -> pb::NamedSchemas {
    let named = |(name, json): (&String, &Value)| pb::NamedSchema { name: name.clone(), value: Some(schema(json)) };
    pb::NamedSchemas { additional_properties: entries(json, field).map(named).collect() }
}

fn schema(json: &Value) -> pb::Schema {
    pb::Schema {
        reference: text(json, "$ref"),
        format: text(json, "format"),
        description: text(json, "description"),
        required: texts(json, "required"),
        additional_properties: json.get("additionalProperties").filter(|nested| nested.is_object()).map(schema_item),
        ty: json.get("type").and_then(Value::as_str).map(|ty| pb::TypeItem { value: vec![ty.to_string()] }),
        items: json.get("items").map(|items| pb::ItemsItem { schema: vec![schema(items)] }),
        properties: json.get("properties").map(|_| named_schemas(json, "properties")),
        vendor_extension: extensions(json),
    }
}

/// `x-…` fields; their values travel as YAML, of which JSON is a subset.
fn extensions(json: &Value) -> Vec<pb::NamedAny> {
    let fields = json.as_object().into_iter().flat_map(Map::iter).filter(|(name, _)| name.starts_with("x-"));
    let named = |(name, value): (&String, &Value)| pb::NamedAny {
        name: name.clone(),
        value: Some(pb::Any { yaml: format!("{value}\n") }),
    };
    fields.map(named).collect()
}
