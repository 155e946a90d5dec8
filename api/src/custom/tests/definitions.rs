//! What a definition must be.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// Errors of a definition whose spec has these properties.
fn schema_errors(properties: Value) -> Vec<String> {
    lines(&definition_errors(&definition(spec_of(properties))))
}

const SPEC: &str = "spec.validation.openAPIV3Schema.properties[spec].properties[f]";

fn assert_one(schema: Value, wanted: &str) {
    assert_eq!(schema_errors(json!({ "f": schema.clone() })), [format!("{SPEC}{wanted}")], "{schema}");
}

#[test]
fn names_versions_and_scope() {
    for (pointer, value, wanted) in [
        (
            "/metadata/name",
            json!("x.example.com"),
            "metadata.name: Invalid value: \"x.example.com\": must be spec.names.plural+\".\"+spec.group",
        ),
        (
            "/spec/scope",
            json!("Galactic"),
            "spec.scope: Unsupported value: \"Galactic\": supported values: \"Cluster\", \"Namespaced\"",
        ),
        (
            "/spec/names/listKind",
            json!("CronTab"),
            "spec.names.listKind: Invalid value: \"CronTab\": kind and listKind may not be the same",
        ),
        (
            "/spec/conversion",
            json!({"strategy": "Webhook"}),
            "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
        ),
        (
            "/spec/versions/0/deprecationWarning",
            json!("x"),
            "spec.versions[0].deprecationWarning: Invalid value: \"x\": can only be set for deprecated versions",
        ),
        (
            "/status/storedVersions",
            json!(["v1", "v0"]),
            "status.storedVersions[1]: Invalid value: \"v0\": missing from spec.versions; v0 was previously a storage \
            version, and must remain in spec.versions until a storage migration ensures no data remains persisted in v0 and removes v0 from status.storedVersions",
        ),
    ] {
        let mut definition = definition(spec_of(json!({})));
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        definition.pointer_mut(parent).unwrap()[field] = value;
        assert!(
            lines(&definition_errors(&definition)).contains(&wanted.to_string()),
            "{pointer}: {:?}",
            lines(&definition_errors(&definition))
        );
    }
    let mut definition = definition(spec_of(json!({})));
    definition["spec"]["versions"][0]["storage"] = json!(false);
    assert!(
        lines(&definition_errors(&definition))[0].ends_with("must have exactly one version marked as storage version")
    );
}

#[test]
fn community_groups_need_approval() {
    let mut definition = definition(spec_of(json!({})));
    definition["spec"]["group"] = json!("x.k8s.io");
    definition["metadata"]["name"] = json!("crontabs.x.k8s.io");
    let errors = lines(&definition_errors(&definition));
    assert!(
        errors[0].starts_with(
            "metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have"
        ),
        "{errors:?}"
    );
    definition["metadata"]["annotations"] =
        json!({ "api-approved.kubernetes.io": "https://github.com/kubernetes/kubernetes/pull/1" });
    assert_eq!(lines(&definition_errors(&definition)), Vec::<String>::new());
}

#[test]
fn schemas_are_structural() {
    assert_one(json!({}), ".type: Required value: must not be empty for specified object fields");
    assert_one(json!({"type": "array"}), ".items: Required value: must be specified");
    assert_one(
        json!({"type": "string", "allOf": [{"type": "string"}]}),
        ".allOf[0].type: Forbidden: must be empty to be structural",
    );
    assert_one(
        json!({"type": "string", "anyOf": [{"description": "x"}]}),
        ".anyOf[0].description: Forbidden: must be empty to be structural",
    );
    assert_one(
        json!({"type": "object", "anyOf": [{"properties": {"x": {"minLength": 1}}}]}),
        ".properties[x]: Required value: because it is defined in spec.validation.openAPIV3Schema.properties[spec].properties[f].anyOf[0].properties[x]",
    );
    assert_one(
        json!({"type": "string", "uniqueItems": true}),
        ".uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
    );
    assert_one(
        json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}}),
        ".additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive",
    );
    assert_one(
        json!({"type": "object", "x-kubernetes-list-type": "set"}),
        ".type: Invalid value: \"object\": must be array if x-kubernetes-list-type is specified",
    );
    assert_one(
        json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "items": {"type": "object", "properties": {"k": {"type": "string"}}}}),
        ".items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
    );
    assert_one(
        json!({"type": "string", "default": 1}),
        ".default: Invalid value: \"integer\": spec.validation.openAPIV3Schema.properties[spec].properties[f].default in \
        body must be of type string: \"integer\"",
    );
    assert_eq!(
        schema_errors(
            json!({ "f": { "x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}] } })
        ),
        Vec::<String>::new()
    );
    assert!(
        schema_errors(json!({ "f": { "type": "string", "pattern": "(" } }))[0]
            .contains(".pattern: Invalid value: \"(\": must be a valid regular expression, but isn't:")
    );
}

#[test]
fn rules_compile_and_are_affordable() {
    let at = ".x-kubernetes-validations[0]";
    let rule = |schema: Value, rule: &str| {
        let mut schema = schema;
        schema["x-kubernetes-validations"] = json!([{ "rule": rule }]);
        schema_errors(json!({ "f": schema }))
    };
    let found =
        rule(json!({"type": "object", "properties": {"a": {"type": "string", "maxLength": 9}}}), "self.b == 'x'");
    assert_eq!(
        found,
        [format!(
            "{SPEC}{at}.rule: Invalid value: {{\"rule\":\"self.b == 'x'\"}}: compilation failed: ERROR: <input>:1:5: undefined field 'b'\n | self.b == 'x'\n | ....^"
        )]
    );
    let found = rule(json!({"type": "string", "maxLength": 9}), "self.matches(')')");
    assert!(found[0].contains("program instantiation failed: error parsing regexp:"), "{found:?}");
    let found = rule(json!({"type": "integer"}), "self + 1");
    assert!(found[0].ends_with("cel expression must evaluate to a bool"), "{found:?}");
    // An unbounded list of unbounded texts, each looked through for another.
    let found = rule(json!({"type": "array", "items": {"type": "string"}}), "self.all(a, self.all(b, a.contains(b)))");
    assert!(found[0].starts_with(&format!("{SPEC}{at}.rule: Forbidden: estimated rule cost exceeds budget by factor of more than 100x (try simplifying")), "{found:?}");
    assert!(
        found
            .last()
            .unwrap()
            .contains("x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget"),
        "{found:?}"
    );
    assert_eq!(
        rule(
            json!({"type": "array", "maxItems": 5, "items": {"type": "string", "maxLength": 10}}),
            "self.all(a, self.all(b, a.contains(b)))"
        ),
        Vec::<String>::new()
    );
    let found = schema_errors(
        json!({ "f": {"type": "array", "items": {"type": "integer", "x-kubernetes-validations": [{"rule": "self >= oldSelf"}]}} }),
    );
    assert!(
        found[0].contains("oldSelf cannot be used on the uncorrelatable portion of the schema within spec.validation"),
        "{found:?}"
    );
}

#[test]
fn subresources_columns_and_selectable_fields() {
    let mut definition = definition(spec_of(json!({ "o": { "type": "object", "properties": {} } })));
    let version = &mut definition["spec"]["versions"][0];
    version["subresources"]["scale"] = json!({ "specReplicasPath": ".status.x", "statusReplicasPath": "x" });
    version["additionalPrinterColumns"] = json!([{ "name": "A", "type": "text", "jsonPath": "spec" }]);
    version["selectableFields"] = json!([{ "jsonPath": ".spec.o" }, { "jsonPath": ".spec.nope" }]);
    assert_eq!(
        lines(&definition_errors(&definition)),
        [
            "spec.subresources.scale.specReplicasPath: Invalid value: \".status.x\": should be a json path under .spec",
            "spec.subresources.scale.statusReplicasPath: Invalid value: \"x\": must be a simple json path starting with .",
            "spec.additionalPrinterColumns[0].type: Invalid value: \"text\": must be one of boolean,date,integer,number,string",
            "spec.additionalPrinterColumns[0].JSONPath: Invalid value: \"spec\": must be a simple json path starting with .",
            "spec.versions[0].selectableFields[0].jsonPath: Invalid value: \".spec.o\": must point to a field of type string, boolean or integer. Enum string \
             fields and strings with formats are allowed.",
            "spec.versions[0].selectableFields[1].jsonPath: Invalid value: \".spec.nope\": is an invalid path: does not refer to a valid field",
        ]
    );
}

#[test]
fn what_is_established_stays() {
    let mut old = definition(spec_of(json!({})));
    old["status"]["conditions"] = json!([{ "type": "Established", "status": "True" }]);
    let mut new = old.clone();
    new["spec"]["scope"] = json!("Cluster");
    new["spec"]["group"] = json!("other.com");
    assert_eq!(
        lines(&definition_update_errors(&new, &old)),
        [
            "spec.scope: Invalid value: \"Cluster\": field is immutable",
            "spec.group: Invalid value: \"other.com\": field is immutable"
        ]
    );
}

#[test]
fn conversions_are_webhooks_with_certificates_or_nothing() {
    let errors = |conversion: Value| {
        let mut definition = definition(spec_of(json!({})));
        definition["spec"]["conversion"] = conversion;
        lines(&definition_errors(&definition))
    };
    let hook = |bundle: &str| {
        json!({ "strategy": "Webhook", "webhook": {
            "conversionReviewVersions": ["v1"], "clientConfig": { "url": "https://example.com/convert", "caBundle": bundle },
        } })
    };
    let at = "spec.conversion.webhookClientConfig";
    // base64 of "\n", of a key, and of the shortest thing that is a sequence in a certificate's clothes.
    assert_eq!(
        errors(hook("Cg==")),
        [format!(
            "{at}.caBundle: Invalid value: \"Cg==\": unable to load root certificates: unable to parse bytes as PEM block"
        )]
    );
    let key = STANDARD.encode("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n");
    assert!(
        errors(hook(&key))[0].ends_with("unable to load root certificates: no valid certificate authority data seen")
    );
    let certificate = STANDARD.encode("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n");
    assert_eq!(errors(hook(&certificate)), [""; 0]);
    assert_eq!(errors(hook("")), [""; 0]);
    let mut unused = hook("");
    unused["strategy"] = json!("None");
    let unset = "should not be set when strategy is not set to Webhook";
    assert_eq!(
        errors(unused),
        [format!("{at}: Forbidden: {unset}"), format!("spec.conversion.conversionReviewVersions: Forbidden: {unset}")]
    );
    assert_eq!(
        errors(json!({ "strategy": "Other" })),
        ["spec.conversion.strategy: Unsupported value: \"Other\": supported values: \"None\", \"Webhook\""]
    );
}

#[test]
fn paths_of_columns_need_only_begin_with_a_dot() {
    let mut definition = definition(spec_of(json!({})));
    definition["spec"]["versions"][0]["additionalPrinterColumns"] =
        json!([{ "name": "A", "type": "string", "jsonPath": ".spec.a[?(" }]);
    assert_eq!(lines(&definition_errors(&definition)), [""; 0]);
}
