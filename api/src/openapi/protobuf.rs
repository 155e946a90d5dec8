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

fn number(json: &Value, field: &str) -> f64 {
    json.get(field).and_then(Value::as_f64).unwrap_or_default()
}

fn count(json: &Value, field: &str) -> i64 {
    json.get(field).and_then(Value::as_i64).unwrap_or_default()
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
    match json.as_bool() {
        boolean @ Some(_) => pb::SchemaItem { schema: None, boolean },
        None => pb::SchemaItem { schema: Some(Box::new(schema(json))), boolean: None },
    }
}

fn named_schemas(json: &Value, field: &str) -> pb::NamedSchemas {
    let named = |(name, json): (&String, &Value)| pb::NamedSchema { name: name.clone(), value: Some(schema(json)) };
    pb::NamedSchemas { additional_properties: entries(json, field).map(named).collect() }
}

fn schema(json: &Value) -> pb::Schema {
    pb::Schema {
        reference: text(json, "$ref"),
        format: text(json, "format"),
        title: text(json, "title"),
        description: text(json, "description"),
        default: json.get("default").map(any),
        multiple_of: number(json, "multipleOf"),
        maximum: number(json, "maximum"),
        exclusive_maximum: flag(json, "exclusiveMaximum"),
        minimum: number(json, "minimum"),
        exclusive_minimum: flag(json, "exclusiveMinimum"),
        max_length: count(json, "maxLength"),
        min_length: count(json, "minLength"),
        pattern: text(json, "pattern"),
        max_items: count(json, "maxItems"),
        min_items: count(json, "minItems"),
        unique_items: flag(json, "uniqueItems"),
        max_properties: count(json, "maxProperties"),
        min_properties: count(json, "minProperties"),
        required: texts(json, "required"),
        choices: items(json, "enum").map(any).collect(),
        additional_properties: json.get("additionalProperties").map(schema_item),
        ty: json.get("type").and_then(Value::as_str).map(|ty| pb::TypeItem { value: vec![ty.to_string()] }),
        items: json.get("items").map(|items| pb::ItemsItem { schema: vec![schema(items)] }),
        properties: json.get("properties").map(|_| named_schemas(json, "properties")),
        vendor_extension: extensions(json),
    }
}

/// `x-…` fields; their values travel as YAML, of which JSON is a subset.
fn extensions(json: &Value) -> Vec<pb::NamedAny> {
    let fields = json.as_object().into_iter().flat_map(Map::iter).filter(|(name, _)| name.starts_with("x-"));
    let named = |(name, value): (&String, &Value)| pb::NamedAny { name: name.clone(), value: Some(any(value)) };
    fields.map(named).collect()
}

fn any(value: &Value) -> pb::Any {
    pb::Any { yaml: format!("{value}\n") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Old clients validate by the document in this form.
    #[test]
    fn what_a_schema_says_of_values_is_carried_over() {
        let text = schema(&json!({
            "type": "string", "title": "t", "enum": ["a"], "pattern": "^a", "maxLength": 3, "minLength": 1, "default": "a",
        }));
        assert_eq!((text.title.as_str(), text.pattern.as_str()), ("t", "^a"));
        assert_eq!((text.max_length, text.min_length), (3, 1));
        assert_eq!(text.choices, [pb::Any { yaml: "\"a\"\n".into() }]);
        assert_eq!(text.default, Some(pb::Any { yaml: "\"a\"\n".into() }));
        let number = schema(&json!({
            "type": "number", "maximum": 2.5, "exclusiveMaximum": true, "minimum": -1, "multipleOf": 0.5,
        }));
        assert_eq!((number.maximum, number.exclusive_maximum), (2.5, true));
        assert_eq!((number.minimum, number.exclusive_minimum, number.multiple_of), (-1.0, false, 0.5));
        let list = schema(&json!({ "type": "array", "maxItems": 4, "minItems": 2, "items": {}, "uniqueItems": true }));
        assert_eq!((list.max_items, list.min_items, list.unique_items), (4, 2, true));
        let map =
            schema(&json!({ "maxProperties": 4, "minProperties": 2, "additionalProperties": { "type": "string" } }));
        assert_eq!((map.max_properties, map.min_properties), (4, 2));
        assert!(map.additional_properties.unwrap().schema.is_some());
        let open = schema(&json!({ "additionalProperties": true })).additional_properties.unwrap();
        assert_eq!((open.schema, open.boolean), (None, Some(true)));
    }
}
