use expect_test::expect;

use super::*;

#[test]
fn quotas() {
    let quota = json!({ "metadata": { "name": "q" }, "spec": { "hard": { "cpu": "1000m", "limits.memory": "1024Mi", "pods": "5" } } });
    expect![[r#"
        {"metadata":{"name":"q"},"spec":{"hard":{"cpu":"1","limits.memory":"1Gi","pods":"5"}},"status":{}}
        Request="" Limit="" Age="5m3s"
    "#]]
    .assert_eq(&story("resourcequotas", quota.clone()));
    let mut used = quota.clone();
    used["status"] = json!({ "hard": { "cpu": "1", "limits.memory": "1Gi" }, "used": { "cpu": "100m" } });
    expect![[r#"
        Request: "cpu: 100m/1"
        Limit: "limits.memory: 0/1Gi"
        Age: "<unknown>"
    "#]]
    .assert_eq(&table("resourcequotas", &used));
    let bad = json!({ "spec": { "hard": { "gpu": "1", "pods": "1500m", "secrets": "-1" }, "scopes": ["BestEffort", "NotBestEffort", "Old"],
        "scopeSelector": { "matchExpressions": [{ "scopeName": "PriorityClass", "operator": "In" }, { "scopeName": "Terminating", "operator": "Like" }] } } });
    expect![[r#"
        spec.hard[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified
        spec.hard[gpu]: Invalid value: "gpu": must be a standard resource for quota
        spec.hard[pods]: Invalid value: "1500m": must be an integer
        spec.hard[secrets]: Invalid value: "-1": must be greater than or equal to 0
        spec.scopes: Invalid value: ["BestEffort","NotBestEffort","Old"]: unsupported scope applied to resource
        spec.scopes: Invalid value: ["BestEffort","NotBestEffort","Old"]: unsupported scope applied to resource
        spec.scopes: Invalid value: ["BestEffort","NotBestEffort","Old"]: unsupported scope
        spec.scopes: Invalid value: ["BestEffort","NotBestEffort","Old"]: unsupported scope applied to resource
        spec.scopes: Invalid value: ["BestEffort","NotBestEffort","Old"]: conflicting scopes
        spec.scopeSelector.matchExpressions: Invalid value: {"matchExpressions":[{"operator":"In","scopeName":"PriorityClass"},{"operator":"Like","scopeName":"Terminating"}]}: unsupported scope applied to resource
        spec.scopeSelector.matchExpressions.values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector
        spec.scopeSelector.matchExpressions: Invalid value: {"matchExpressions":[{"operator":"In","scopeName":"PriorityClass"},{"operator":"Like","scopeName":"Terminating"}]}: unsupported scope applied to resource
        spec.scopeSelector.matchExpressions.operator: Invalid value: "Like": must be 'Exist' only operator when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity
        spec.scopeSelector.matchExpressions.operator: Invalid value: "Like": not a valid selector operator
    "#]].assert_eq(&complaints("resourcequotas", bad));
    expect![[r#"
        spec.scopes: Invalid value: ["BestEffort"]: field is immutable
    "#]]
    .assert_eq(&refused("resourcequotas", quota, json!({ "spec": { "scopes": ["BestEffort"] } })));
}

#[test]
fn limit_ranges() {
    let range = json!({ "metadata": { "name": "l" }, "spec": { "limits": [{ "type": "Container", "max": { "cpu": "2000m" }, "min": { "memory": "1Mi" } }] } });
    expect![[r#"
        {"metadata":{"name":"l"},"spec":{"limits":[{"default":{"cpu":"2"},"defaultRequest":{"cpu":"2","memory":"1Mi"},"max":{"cpu":"2"},"min":{"memory":"1Mi"},"type":"Container"}]}}

    "#]].assert_eq(&story("limitranges", range));
    let bad = json!({ "spec": { "limits": [
        { "type": "Pod", "default": { "cpu": "1" }, "min": { "cpu": "3" }, "max": { "cpu": "2" } },
        { "type": "Container", "default": { "cpu": "3" }, "defaultRequest": { "cpu": "4", "gpu": "1" }, "max": { "cpu": "2" }, "maxLimitRequestRatio": { "cpu": "500m" } },
        { "type": "Container" }, { "type": "PersistentVolumeClaim" }, { "type": "House" },
    ] } });
    expect![[r#"
        spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'
        spec.limits[0].min[cpu]: Invalid value: "3": min value 3 is greater than max value 2
        spec.limits[0].default[cpu]: Invalid value: "1": min value 3 is greater than default value 1
        spec.limits[1].defaultRequest[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified
        spec.limits[1].defaultRequest[gpu]: Invalid value: "gpu": must be a standard resource for containers
        spec.limits[1].defaultRequest[cpu]: Invalid value: "4": default request value 4 is greater than max value 2
        spec.limits[1].defaultRequest[cpu]: Invalid value: "4": default request value 4 is greater than default limit value 3
        spec.limits[1].default[cpu]: Invalid value: "3": default value 3 is greater than max value 2
        spec.limits[1].maxLimitRequestRatio[cpu]: Invalid value: "500m": ratio 500m is less than 1
        spec.limits[2].type: Duplicate value: "Container"
        spec.limits[3].limits: Required value: either minimum or maximum storage value is required, but neither was provided
        spec.limits[4].type: Invalid value: "House": must be a standard limit type or fully qualified
    "#]].assert_eq(&complaints("limitranges", bad));
}

#[test]
fn scopes_of_a_selector_and_ratios_of_a_range_must_be_possible() {
    let expression = |scope: &str| json!({ "scopeName": scope, "operator": "Exists" });
    let quota = json!({ "metadata": { "name": "q" }, "spec": {
        "hard": { "pods": "1" },
        "scopeSelector": { "matchExpressions": [expression("Terminating"), expression("NotTerminating")] },
    } });
    let found = complaints("resourcequotas", quota);
    assert!(found.contains("spec.scopeSelector.matchExpressions: Invalid value: null: conflicting scopes"), "{found}");
    let range = json!({ "metadata": { "name": "r" }, "spec": { "limits": [{
        "type": "Pod", "min": { "cpu": "100m" }, "max": { "cpu": "300m" }, "maxLimitRequestRatio": { "cpu": "4" },
    }] } });
    let found = complaints("limitranges", range);
    assert!(found.contains("ratio 4 is greater than max/min = 3.000000"), "{found}");
}
