//! Objects and maps, known and unknown fields, optional values.

use super::*;

#[test]
fn rules_about_objects_cost_what_they_cost_on_kubernetes() {
    let mut nullable = ty("integer");
    nullable["nullable"] = json!(true);
    check(
        &objects(json!({
            "a": objects(json!({ "b": ty("integer"), "c": ty("integer"), "d": nullable })),
            "a1": objects(json!({ "b1": objects(json!({ "c1": ty("integer") })), "d2": objects(json!({ "e2": ty("integer") })) })),
        })),
        &json!({ "a": { "b": 1, "d": null }, "a1": { "b1": { "c1": 4 } } }),
        r"
            2 has(self.a.b)
            3 has(self.a1.b1.c1)
            3 !(has(self.a1.d2) && has(self.a1.d2.e2))
            3 !has(self.a1.d2)
            3 !has(self.a.d)
        ",
    );
    check(
        &objects(json!({ "val": maps(ty("integer")) })),
        &json!({ "val": { "b": 1, "d": 2 } }),
        r"
            4 !('a' in self.val)
            3 'b' in self.val
            3 !has(self.val.a)
            2 has(self.val.b)
            17 self.val.all(k, self.val[k] > 0)
            14 self.val.exists_one(k, self.val[k] == 2)
            17 !self.val.exists_one(k, self.val[k] > 0)
            4 size(self.val) == 2
            26 size(self.val.filter(k, self.val[k] > 1)) == 1
        ",
    );
    check(
        &objects(json!({ "spec": objects(json!({ "field1": ty("string") })) })),
        &json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "abc", "generateName": "some-prefix" }, "spec": { "field1": "a" },
        }),
        r"
            3 self.kind == 'Pod'
            3 self.apiVersion == 'v1'
            4 self.metadata.name == 'abc'
            5 self.metadata.generateName == 'some-prefix'
            4 self.spec.field1 == 'a'
        ",
    );
    for extra in [json!({}), json!({ "x-kubernetes-preserve-unknown-fields": true })] {
        let mut embedded = json!({ "type": "object", "x-kubernetes-embedded-resource": true });
        embedded.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        check(
            &objects(json!({ "embedded": embedded })),
            &json!({ "embedded": {
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "abc", "generateName": "some-prefix" },
        } }),
            r"
            4 self.embedded.kind == 'Pod'
            5 self.embedded.metadata.name == 'abc'
            6 self.embedded.metadata.generateName == 'some-prefix'
            1 has(self.embedded)
        ",
        );
    }
    let either = objects(json!({ "something": ty("int-or-string") }));
    check(
        &either,
        &json!({ "something": "25%" }),
        r"
            7 type(self.something) == int ? self.something == 1 : self.something == '25%'
            7 type(self.something) == string && self.something == '25%'
            3 self.something == '25%'
            3 self.something != 1
            6 self.something == 1 || self.something == '25%'
            3 self.something == '25%' || self.something == 1
            3 self.something != ['anything']
        ",
    );
    check(
        &either,
        &json!({ "something": 1 }),
        r"
            7 type(self.something) == int && self.something == 1
            6 self.something == '25%' || self.something == 1
            3 self.something != 'some string'
        ",
    );
    check(
        &objects(json!({ "min": ty("int-or-string"), "current": ty("integer"), "available": ty("integer") })),
        &json!({ "min": "50%", "current": 5, "available": 10 }),
        r"
            10 type(self.min) == string && self.min.matches(r'(\d+(\.\d+)?%)')
            17 type(self.min) == int ? self.current <= self.min : double(self.current) / double(self.available) >= double(self.min.replace('%', '')) / 100.0
        ",
    );
    let open = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    check(
        &objects(json!({
            "withUnknown": open, "withUnknownList": lists(open.clone()),
            "withUnknownFieldList": lists(objects(json!({ "fieldOfUnknownType": ty("any") }))),
        })),
        &json!({
            "withUnknown": { "field1": "a", "field2": "b" },
            "withUnknownList": [{ "field1": "a", "field2": "b" }, { "field1": "x", "field2": "y" }, { "field1": "x", "field2": "y" }, {}, {}],
            "withUnknownFieldList": [{ "fieldOfUnknownType": "a" }, { "fieldOfUnknownType": 1 }, { "fieldOfUnknownType": 1 }],
        }),
        r"
            1 has(self.withUnknown)
            4 self.withUnknownList.size() == 5
            7 self.withUnknownList[0] != self.withUnknownList[1]
            7 self.withUnknownList[1] == self.withUnknownList[2]
            6 self.withUnknownList[3] == self.withUnknownList[4]
            7 self.withUnknownFieldList[0] != self.withUnknownFieldList[1]
            7 self.withUnknownFieldList[1] == self.withUnknownFieldList[2]
        ",
    );
    let mut null_text = ty("string");
    null_text["nullable"] = json!(true);
    check(
        &objects(
            json!({ "unset": ty("string"), "set": ty("string"), "nulled": null_text, "m": maps(null_text.clone()) }),
        ),
        &json!({ "set": "v1", "nulled": null, "m": { "a": null, "b": "x" } }),
        r"
            2 !has(self.unset)
            4 has(self.set) && self.set == 'v1'
            2 !has(self.nulled)
            4 type(self.set) != null_type
            4 self.m.size() == 2
            3 'a' in self.m
            5 type(self.m['a']) == null_type
        ",
    );
    check(
        &objects(json!({ "nestedInMap": maps(objects(json!({ "x": ty("integer") }))) })),
        &json!({ "nestedInMap": { "k1": { "x": 1 }, "k2": { "x": 2 } } }),
        r"
            5 type(self) == type(self)
            9 type(self.nestedInMap['k1']) == type(self.nestedInMap['k2'])
        ",
    );
    let odd = map_lists(&["k!", "k."], objects(json!({ "k!": ty("string"), "k.": ty("string") })));
    check(
        &objects(json!({ "objs": lists(odd) })),
        &json!({ "objs": [
        [{ "k!": "a", "k.": "1" }, { "k!": "b", "k.": "2" }], [{ "k!": "b", "k.": "2" }, { "k!": "a", "k.": "1" }],
    ] }),
        r"
            7 self.objs[0] == self.objs[1]
            6 self.objs[0][0].k__dot__ == '1'
        ",
    );
    let kv = objects(json!({ "k": ty("string"), "v": ty("string") }));
    check(
        &objects(json!({
            "mapOfMap": maps(maps(ty("string"))), "mapOfListMap": maps(map_lists(&["k"], kv.clone())),
            "mapOfList": maps(lists(ty("string"))), "listMapOfObj": map_lists(&["k"], kv.clone()), "listOfMap": lists(maps(ty("string"))),
            "listOfListMap": lists(map_lists(&["k"], kv)),
        })),
        &json!({
            "mapOfMap": { "x": { "y": "b" } }, "mapOfListMap": { "o": [{ "k": "1", "v": "d" }] }, "mapOfList": { "l": ["e"] },
            "listMapOfObj": [{ "k": "2", "v": "f" }], "listOfMap": [{ "z": "g" }], "listOfListMap": [[{ "k": "3", "v": "i" }]],
        }),
        r"
            5 self.mapOfMap['x']['y'] == 'b'
            14 self.mapOfListMap['o'].exists(e, e.k == '1' && e.v == 'd')
            5 self.mapOfList['l'][0] == 'e'
            13 self.listMapOfObj.exists(e, e.k == '2' && e.v == 'f')
            5 self.listOfMap[0]['z'] == 'g'
            14 self.listOfListMap[0].exists(e, e.k == '3' && e.v == 'i')
        ",
    );
    check(
        &objects(
            json!({ "obj": objects(json!({ "field": ty("string"), "absentField": ty("string") })), "m": maps(ty("string")), "l": lists(ty("string")) }),
        ),
        &json!({ "obj": { "field": "a" }, "m": { "k": "v" }, "l": ["a"] }),
        r"
            3 optional.of('a') != optional.of('b')
            3 optional.of('a') != optional.none()
            2 optional.of('a').hasValue()
            2 optional.of('a').or(optional.of('a')).hasValue()
            3 optional.none().or(optional.of('a')).hasValue()
            8 optional.of('a').optMap(v, v == 'value').hasValue()
            5 self.obj.?field == optional.of('a')
            4 self.obj.?absentField == optional.none()
            4 self.obj.?field.orValue('v') == 'a'
            5 self.m[?'k'] == optional.of('v')
            5 self.l[?0] == optional.of('a')
            2 optional.ofNonZeroValue(1).hasValue()
        ",
    );
}
