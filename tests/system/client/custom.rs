//! A custom kind through typed clients: defined, served, written by parts, applied.

use k8s_openapi::api::autoscaling::v1::Scale;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::core::TypeMeta;
use kube::runtime::conditions::{is_crd_established, is_deleted};
use kube::runtime::wait::{await_condition, delete::delete_and_finalize};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;

use super::{client, in_time, refusal};
use crate::harness::Cluster;
use crate::operator::site::{DEFINITION, Site, Spec, Status};

/// Defines Sites by server-side apply and waits until they are served.
async fn sites() -> (Cluster, Client, Api<Site>) {
    let cluster = Cluster::start();
    let client = client(&cluster).await;
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let definition: CustomResourceDefinition = serde_yaml::from_str(DEFINITION).unwrap();
    let name = definition.name_any();
    let params = PatchParams::apply("flow").force();
    definitions.patch(&name, &params, &Patch::Apply(&definition)).await.unwrap();
    in_time("established", await_condition(definitions, &name, is_crd_established())).await.unwrap();
    let api = Api::default_namespaced(client.clone());
    (cluster, client, api)
}

fn site(name: &str, replicas: i32) -> Site {
    Site {
        types: TypeMeta::resource::<Site>(),
        metadata: ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() },
        spec: Spec { domain: format!("{name}.example"), replicas, pages: [].into(), secret: None },
        status: None,
    }
}

#[tokio::test]
async fn a_custom_object_is_written_by_its_parts() {
    let (_cluster, _, api) = sites().await;
    let post = PostParams::default();
    // A create says nothing about the status.
    let mut wanted = site("blog", 1);
    wanted.status = Some(Status { phase: "Ready".into(), ..Status::default() });
    let mut object = api.create(&post, &wanted).await.unwrap();
    assert_eq!((object.status.clone(), object.metadata.generation), (None, Some(1)));

    object.status = Some(Status { phase: "Progressing".into(), replicas: 1, ..Status::default() });
    object.spec.replicas = 3;
    let replaced = api.replace_status("blog", &post, &object).await.unwrap();
    assert_eq!(replaced.status.as_ref().unwrap().phase, "Progressing");
    assert_eq!((replaced.spec.replicas, replaced.metadata.generation), (1, Some(1)));
    let stale = api.replace_status("blog", &post, &object).await.unwrap_err();
    assert_eq!(refusal(stale), (409, "Conflict".into()));

    let merge = PatchParams::default();
    let patched = api.patch_status("blog", &merge, &Patch::Merge(json!({"status": {"phase": "Ready"}}))).await.unwrap();
    assert_eq!(patched.status.unwrap().replicas, 1);
    let patched = api.patch("blog", &merge, &Patch::Merge(json!({"spec": {"pages": {"a": "b"}}}))).await.unwrap();
    assert_eq!(patched.metadata.generation, Some(2));

    let scale: Scale = api.get_scale("blog").await.unwrap();
    assert_eq!((scale.spec.unwrap().replicas, scale.status.unwrap().replicas), (Some(1), 1));
    api.patch_scale("blog", &merge, &Patch::Merge(json!({"spec": {"replicas": 2}}))).await.unwrap();
    assert_eq!(api.get("blog").await.unwrap().spec.replicas, 2);

    let wrong = api.patch("blog", &merge, &Patch::Merge(json!({"spec": {"replicas": 4}}))).await.unwrap_err();
    assert_eq!(refusal(wrong), (422, "Invalid".into()));
    let strategic = api.patch("blog", &merge, &Patch::Strategic(json!({"spec": {"replicas": 1}}))).await.unwrap_err();
    assert_eq!(refusal(strategic), (415, "UnsupportedMediaType".into()));
}

#[tokio::test]
async fn a_custom_object_is_applied_field_by_field() {
    let (_cluster, _, api) = sites().await;
    let one = PatchParams::apply("one");
    let apply =
        |spec| json!({"apiVersion": "demo.example.com/v1", "kind": "Site", "metadata": {"name": "blog"}, "spec": spec});
    let spec = json!({"domain": "d", "pages": {"a": "1"}});
    let created = api.patch("blog", &one, &Patch::Apply(apply(spec))).await.unwrap();
    // Defaults belong to nobody, so anybody may set them.
    assert_eq!(created.spec.replicas, 1);
    let other = apply(json!({"domain": "d", "replicas": 2, "pages": {"b": "2"}}));
    let both = api.patch("blog", &PatchParams::apply("two"), &Patch::Apply(other)).await.unwrap();
    assert_eq!((both.spec.replicas, both.spec.pages.len()), (2, 2));

    let clash = apply(json!({"domain": "d", "replicas": 3}));
    let error = api.patch("blog", &one, &Patch::Apply(&clash)).await.unwrap_err();
    let kube::Error::Api(status) = error else { panic!("{error}") };
    assert_eq!(status.message, "Apply failed with 1 conflict: conflict with \"two\": .spec.replicas");
    let causes = status.details.unwrap().causes;
    assert_eq!((causes[0].reason.as_str(), causes[0].field.as_str()), ("FieldManagerConflict", ".spec.replicas"));
    let forced = api.patch("blog", &one.clone().force(), &Patch::Apply(&clash)).await.unwrap();
    // Its own page was not applied again; the other's stays.
    assert_eq!((forced.spec.replicas, forced.spec.pages.keys().collect::<Vec<_>>()), (3, vec![&"b".to_string()]));

    let given_up = apply(json!({"domain": "d"}));
    let left = api.patch("blog", &one, &Patch::Apply(given_up)).await.unwrap();
    assert_eq!(left.spec.replicas, 1, "nobody wants 3 any more, and the default comes back");

    let status = |phase: &str| json!({"apiVersion": "demo.example.com/v1", "kind": "Site", "metadata": {"name": "blog"}, "status": {"phase": phase}});
    api.patch_status("blog", &PatchParams::apply("status"), &Patch::Apply(status("Ready"))).await.unwrap();
    let owners = api.get("blog").await.unwrap().metadata.managed_fields.unwrap();
    let owner = owners.iter().find(|entry| entry.manager.as_deref() == Some("status")).unwrap();
    assert_eq!((owner.operation.as_deref(), owner.subresource.as_deref()), (Some("Apply"), Some("status")));
}

#[tokio::test]
async fn custom_objects_go_with_their_definition() {
    let (_cluster, client, api) = sites().await;
    for name in ["a", "b", "c"] {
        api.create(&PostParams::default(), &site(name, 1)).await.unwrap();
    }
    api.delete_collection(&DeleteParams::default(), &ListParams::default().fields("metadata.name=a")).await.unwrap();
    let names: Vec<String> = api.list(&ListParams::default()).await.unwrap().iter().map(|s| s.name_any()).collect();
    assert_eq!(names, ["b", "c"]);
    in_time("b is gone", delete_and_finalize(api.clone(), "b", &DeleteParams::foreground())).await.unwrap();

    let definitions: Api<CustomResourceDefinition> = Api::all(client);
    let uid = definitions.get("sites.demo.example.com").await.unwrap().uid().unwrap();
    definitions.delete("sites.demo.example.com", &DeleteParams::default()).await.unwrap();
    let gone = await_condition(definitions, "sites.demo.example.com", is_deleted(&uid));
    in_time("the definition is gone", gone).await.unwrap();
    assert_eq!(refusal(api.list(&ListParams::default()).await.unwrap_err()).0, 404);
}
