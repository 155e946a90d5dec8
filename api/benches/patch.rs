//! Latency of what a write does to an object before it is stored: parsing, decoding, patching.

use std::hint::black_box;

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

fn all(c: &mut Criterion) {
    let row = Catalog::builtin().find("apps", "v1", "deployments").expect("a built-in row");
    let current = deployment();
    bench_decode(c, &row, current.to_string().as_bytes());
    bench_patches(c, &row, &current);
}

criterion_group!(benches, all);
criterion_main!(benches);
