//! Lists of every kind, and going over them.

use super::*;

#[test]
fn rules_about_lists_cost_what_they_cost_on_kubernetes() {
    let ints = lists(ty("integer"));
    check(
        &objects(json!({ "val1": ints, "val2": ints })),
        &objs(json!([[1, 2, 3], [1, 2, 3]])),
        r"
            11 = [1, 2, 3]
            5 1 in self.val1
            8 self.val2[0] in self.val1
            6 !(0 in self.val1)
            6 self.val1 + self.val2 == [1, 2, 3, 1, 2, 3]
            4 self.val1 + [4, 5] == [1, 2, 3, 4, 5]
        ",
    );
    let set = sets(ty("string"));
    check(
        &objects(json!({ "val1": set, "val2": set })),
        &objs(json!([["a", "b", "c"], ["a", "c", "b"]])),
        r"
            3 self.val1 == ['c', 'b', 'a']
            5 self.val1 == self.val2
            5 'a' in self.val1
            8 self.val2[0] in self.val1
            6 !('x' in self.val1)
            6 self.val1 + self.val2 == ['a', 'b', 'c']
            4 self.val1 + ['c', 'd'] == ['a', 'b', 'c', 'd']
        ",
    );
    let pairs = map_lists(&["k"], objects(json!({ "k": ty("string"), "v": ty("string") })));
    check(
        &objects(json!({ "objs": lists(pairs) })),
        &json!({ "objs": [
        [{ "k": "a", "v": "1" }, { "k": "b", "v": "2" }],
        [{ "k": "b", "v": "2" }, { "k": "a", "v": "1" }],
        [{ "k": "b", "v": "3" }, { "k": "a", "v": "1" }],
        [{ "k": "c", "v": "4" }],
    ] }),
        r"
            7 self.objs[0] == self.objs[1]
            11 self.objs[0] + self.objs[2] == self.objs[2]
            11 self.objs[2] + self.objs[0] == self.objs[0]
            22 self.objs[0] == [self.objs[0][0], self.objs[0][1]]
            22 self.objs[0] == [self.objs[0][1], self.objs[0][0]]
            26 self.objs[2] + [self.objs[0][0], self.objs[0][1]] == self.objs[0]
            20 size(self.objs[0] + [self.objs[3][0]]) == 3
        ",
    );
    let texts = maps(ty("string"));
    check(
        &objects(json!({ "val1": texts, "val2": texts })),
        &objs(json!([{ "k1": "a", "k2": "b" }, { "k2": "b", "k1": "a" }])),
        r"
            5 self.val1 == self.val2
            3 'k1' in self.val1
            4 !('k3' in self.val1)
            3 self.val1 == {'k1': 'a', 'k2': 'b'}
        ",
    );
    let triples = map_lists(&["k"], objects(json!({ "k": ty("string"), "v": ty("string"), "v2": ty("string") })));
    check(
        &objects(json!({ "listMap": triples })),
        &json!({ "listMap": [
        { "k": "a1", "v": "b1" }, { "k": "a2", "v": "b2" }, { "k": "a3", "v": "b3", "v2": "z" },
    ] }),
        r"
            3 has(self.listMap[0].v)
            21 self.listMap.all(m, m.k.startsWith('a'))
            21 self.listMap.all(m, !has(m.v2) || m.v2 == 'z')
            13 self.listMap.exists(m, m.k.endsWith('1'))
            15 self.listMap.exists_one(m, m.k == 'a3')
            18 !self.listMap.all(m, m.k.endsWith('1'))
            25 !self.listMap.exists(m, m.v == 'x')
            20 !self.listMap.exists_one(m, m.k.startsWith('a'))
            27 size(self.listMap.filter(m, m.k == 'a1')) == 1
            16 self.listMap.exists(m, m.k == 'a1' && m.v == 'b1')
            55 self.listMap.map(m, m.v).exists(v, v == 'b1')
            21 self.listMap.exists(m, has(m.v2) && m.v2 == 'z')
            10 !self.listMap.all(m, has(m.v2) && m.v2 != 'z')
            12 self.listMap.exists_one(m, has(m.v2) && m.v2 == 'z')
            24 self.listMap.filter(m, has(m.v2) && m.v2 == 'z').size() == 1
            25 self.listMap.map(m, has(m.v2) && m.v2 == 'z', m.v2).size() == 1
            39 self.listMap.filter(m, has(m.v2) && m.v2 == 'z').map(m, m.v2).size() == 1
            24 self.listMap.exists(m, m.v2 == 'z')
            22 !self.listMap.all(m, m.v2 != 'z')
        ",
    );
    check(
        &objects(json!({ "array": lists(ty("integer")) })),
        &json!({ "array": [1, 1, 2, 2, 3, 3, 4, 5] }),
        r"
            10 2 in self.array
            43 self.array.all(e, e > 0)
            36 self.array.exists(e, e > 2)
            22 self.array.exists_one(e, e > 4)
            21 !self.array.all(e, e < 2)
            52 !self.array.exists(e, e < 0)
            25 !self.array.exists_one(e, e == 2)
            68 size(self.array.filter(e, e%2 == 0)) == 3
            194 self.array.map(e, e * 20).filter(e, e > 50).exists(e, e == 60)
            4 size(self.array) == 8
        ",
    );
}
