use super::*;
use crate::catalog::Catalog;

fn find<'a>(schemas: &'a Schemas, short: &str) -> Option<&'a Object> {
    schemas.objects().find(|object| short_name(&object.definition) == short)
}

#[test]
fn every_row_of_the_catalogue_has_a_type() {
    let schemas = Schemas::builtin();
    for row in Catalog::builtin().rows() {
        assert!(schemas.root(&row.api_version(), &row.kind).is_some(), "{} has no schema", row.qualified());
    }
}

#[test]
fn every_list_rule_names_a_field_that_exists() {
    let schemas = Schemas::builtin();
    for (object, field, rule) in lists::ROWS {
        let found = find(schemas, object).and_then(|o| o.field(field));
        let field = found.unwrap_or_else(|| panic!("{object}.{field} does not exist"));
        let (Some(key), Type::List(element)) = (rule.merge_key, &field.ty) else { continue };
        let Type::Object(id) = **element else { panic!("{object}.{} has a merge key and no structs", field.name) };
        assert!(schemas.object(id).field(key).is_some(), "{object}.{}: no {key} in its elements", field.name);
    }
    for (object, field) in lists::ATOMIC_MAPS {
        assert!(find(schemas, object).and_then(|o| o.field(field)).is_some(), "{object}.{field}");
    }
    for object in ATOMIC_OBJECTS {
        assert!(find(schemas, object).is_some(), "{object}");
    }
}

#[test]
fn every_go_type_names_a_field_that_exists() {
    for (object, field, _) in go::ROWS {
        assert!(find(Schemas::builtin(), object).and_then(|o| o.field(field)).is_some(), "{object}.{field}");
    }
}

#[test]
fn every_enum_is_of_a_text_that_exists() {
    for (object, field, values) in enums::ROWS {
        let found = find(Schemas::builtin(), object).and_then(|o| o.field(field));
        assert_eq!(found.map(|f| &f.ty), Some(&Type::Scalar(Scalar::String)), "{object}.{field}");
        assert!(values.is_sorted(), "{object}.{field}");
    }
}

#[test]
fn tables_are_sorted_for_binary_search() {
    assert!(lists::ROWS.is_sorted_by_key(|(object, field, _)| (*object, *field)));
    assert!(go::ROWS.is_sorted_by_key(|(object, field, _)| (*object, *field)));
    assert!(enums::ROWS.is_sorted_by_key(|(object, field, _)| (*object, *field)));
}

/// Every `conditions` list of Kubernetes is merged by type; a new kind without its row is found here.
#[test]
fn conditions_are_merged_by_type() {
    for object in Schemas::builtin().objects() {
        let is_list = |field: &&Field| *field.name == *"conditions" && matches!(field.ty, Type::List(_));
        for field in object.fields().iter().filter(is_list) {
            let by_type = ListType::Map(&["type"]);
            assert!(field.rule.merge_key == Some("type") || field.rule.list == by_type, "{}", object.definition);
        }
    }
}

#[test]
fn types_are_told_apart() {
    let schemas = Schemas::builtin();
    let meta = find(schemas, "meta.v1.ObjectMeta").expect("reached from every kind");
    assert_eq!(meta.field("creationTimestamp").unwrap().ty, Type::Scalar(Scalar::Time));
    assert_eq!(meta.field("generation").unwrap().ty, Type::Scalar(Scalar::Int64));
    assert_eq!(schemas.go_name(&meta.field("labels").unwrap().ty), "map[string]string");
    let spec = find(schemas, "core.v1.PodSpec").unwrap();
    assert_eq!(schemas.go_name(&spec.field("containers").unwrap().ty), "[]v1.Container");
    let resources = find(schemas, "core.v1.ResourceRequirements").unwrap();
    assert_eq!(schemas.go_name(&resources.field("limits").unwrap().ty), "map[string]resource.Quantity");
    let secret = find(schemas, "core.v1.Secret").unwrap();
    assert_eq!(secret.field("data").unwrap().ty, Type::Map(Box::new(Type::Scalar(Scalar::Bytes))));
    let port = find(schemas, "core.v1.ServicePort").unwrap();
    assert_eq!(port.field("targetPort").unwrap().ty, Type::Scalar(Scalar::IntOrString));
}
