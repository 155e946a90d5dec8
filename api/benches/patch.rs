//! Latency of what a write does to an object before it is stored: parsing, decoding, patching, applying.

use std::hint::black_box;

use coracle_api::apply::{ApplyOptions, apply, track_update};
use coracle_api::decode::{FieldValidation, decode, parse_json};
use coracle_api::patch::{PatchKind, apply_patch, patch_object};
use coracle_api::{Catalog, Resource};
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};

/// A deployment of ordinary size: three containers with environment, ports, mounts and limits.
fn deployment() -> Value {
    let container = |name: &str| {
        let env: Vec<Value> = (0..10).map(|n| json!({"name": format!("VAR_{n}"), "value": "some value"})).collect();
        json!({
            "name": name, "image": "registry.example/app:1", "env": env,
            "ports": [{"containerPort": 8080, "protocol": "TCP"}],
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            "resources": {"limits": {"cpu": "500m", "memory": "64Mi"}, "requests": {"cpu": "100m"}},
        })
    };
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default", "labels": {"app": "web"}, "finalizers": ["a.example/x"]},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "containers": [container("a"), container("b"), container("c")],
                    "volumes": [{"name": "data", "emptyDir": {}}],
                },
            },
        },
    })
}

fn bench_decode(c: &mut Criterion, row: &Resource, body: &[u8]) {
    c.bench_function("parse", |b| b.iter(|| parse_json(black_box(body))));
    let parsed = parse_json(body).expect("the fixture is JSON");
    c.bench_function("decode", |b| b.iter(|| decode(row, parsed.clone(), FieldValidation::Strict)));
}

fn bench_patches(c: &mut Criterion, row: &Resource, current: &Value) {
    let strategic = json!({"spec": {"template": {"spec": {
        "$setElementOrder/containers": [{"name": "a"}, {"name": "b"}, {"name": "c"}],
        "containers": [{"name": "b", "image": "registry.example/app:2"}],
    }}}});
    let merge = json!({"spec": {"replicas": 5}});
    let operations = json!([{"op": "replace", "path": "/spec/replicas", "value": 5}]);
    let cases = [
        ("strategic merge patch", PatchKind::StrategicMerge, strategic),
        ("merge patch", PatchKind::Merge, merge),
        ("json patch", PatchKind::Json, operations),
    ];
    for (name, kind, patch) in cases {
        let patch = patch.to_string().into_bytes();
        c.bench_function(name, |b| b.iter(|| apply_patch(row, kind, black_box(current), &patch)));
        c.bench_function(&format!("{name}, decoded"), |b| {
            b.iter(|| patch_object(row, kind, black_box(current), &patch, FieldValidation::Strict));
        });
    }
}

/// A pod like those of the deployment, as somebody applies it.
fn pod() -> Value {
    let deployment = deployment();
    let template = &deployment["spec"]["template"];
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web", "namespace": "default", "labels": template["metadata"]["labels"]},
        "spec": template["spec"],
    })
}

fn bench_apply(c: &mut Criterion) {
    let row = Catalog::builtin().find("", "v1", "pods").expect("a built-in row");
    let by = |manager| ApplyOptions { manager, force: false, subresource: "", now: "2026-01-01T00:00:00Z" };
    let config = pod();
    let mut live = apply(&row, None, config.clone(), by("one")).expect("a pod that can be applied");
    row.defaults(&mut live);
    let mut changed = config.clone();
    changed["spec"]["containers"][1]["image"] = json!("registry.example/app:2");
    let mut fewer = config.clone();
    fewer["spec"]["containers"][1]["env"] = json!([]);
    let cases = [
        ("apply, first", None, &config, "one"),
        ("apply, nothing new", Some(&live), &config, "one"),
        ("apply, one change", Some(&live), &changed, "one"),
        ("apply, fields given up", Some(&live), &fewer, "one"),
        ("apply, conflict", Some(&live), &changed, "two"),
    ];
    for (name, live, config, manager) in cases {
        c.bench_function(name, |b| b.iter(|| apply(&row, black_box(live), config.clone(), by(manager))));
    }
    let mut updated = live.clone();
    updated["spec"]["containers"][1]["image"] = json!("registry.example/app:2");
    c.bench_function("books of an update", |b| {
        b.iter_batched(
            || updated.clone(),
            |mut new| track_update(&row, &live, &mut new, by("two")),
            criterion::BatchSize::SmallInput,
        );
    });
}

fn all(c: &mut Criterion) {
    let row = Catalog::builtin().find("apps", "v1", "deployments").expect("a built-in row");
    let current = deployment();
    bench_decode(c, &row, current.to_string().as_bytes());
    bench_patches(c, &row, &current);
    bench_apply(c);
}

criterion_group!(benches, all);
criterion_main!(benches);
