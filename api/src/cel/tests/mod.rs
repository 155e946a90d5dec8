//! Expressions and what comes of them: values, errors, costs.

mod compile;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::*;

const LIMIT: u64 = 1_000_000;

fn decl(kind: DeclKind, max_elements: u64) -> Arc<Decl> {
    Arc::new(Decl { kind, max_elements, min_size: 2 })
}

fn text(max: u64) -> Arc<Decl> {
    decl(DeclKind::String, max)
}

/// `self` of the tests: an object with a field of each sort.
fn declared() -> Arc<Decl> {
    let list = |element, kind, max| decl(DeclKind::List(element, kind), max);
    let fields: BTreeMap<String, FieldDecl> = [
        ("name", text(40)),
        ("replicas", decl(DeclKind::Int, 0)),
        ("ratio", decl(DeclKind::Double, 0)),
        ("flag", decl(DeclKind::Bool, 0)),
        ("tags", list(text(10), ListKind::Atomic, 5)),
        ("set", list(text(10), ListKind::Set, 5)),
        ("ports", list(decl(DeclKind::Int, 0), ListKind::Atomic, 5)),
        ("labels", decl(DeclKind::Map(text(10)), 5)),
        ("time", decl(DeclKind::Timestamp, 36)),
        ("wait", decl(DeclKind::Duration, 32)),
        ("data", decl(DeclKind::Bytes, 10)),
        ("port", Decl::dynamic()),
        ("long", text(3_145_726)),
    ]
    .into_iter()
    .map(|(name, decl)| (name.to_string(), FieldDecl { json: name.to_string(), decl }))
    .collect();
    decl(DeclKind::Object(Arc::new(ObjectDecl { name: "object".into(), fields })), u64::MAX)
}

fn object() -> Json {
    json!({
        "name": "web", "replicas": 3, "ratio": 1.5, "flag": true, "tags": ["a", "b"], "set": ["x", "y"],
        "ports": [80, 443], "labels": {"app": "web", "tier": "front"}, "time": "2024-02-29T10:20:30Z", "wait": "1h30m",
        "data": "aGk=", "port": "http",
    })
}

fn compile(source: &str) -> Result<Program, CompileError> {
    Program::compile(source, &[Variable::declared("self", &declared())])
}

/// The value as text, or the error.
fn run(source: &str) -> String {
    let program = match compile(source) {
        Ok(program) => program,
        Err(error) => return error.issues[0].message.clone(),
    };
    let (decl, object) = (declared(), object());
    let outcome = program.eval(vec![("self", Value::read(&object, &decl))], LIMIT);
    match outcome.value {
        Ok(value) => library::display(&value),
        Err(error) => error.to_string(),
    }
}

fn check(rows: &[(&str, &str)]) {
    for (source, wanted) in rows {
        assert_eq!(run(source), *wanted, "{source}");
    }
}

#[test]
fn operators() {
    check(&[
        ("1 + 2 * 3 - 4 / 2 % 3", "5"),
        ("-(-9223372036854775808)", "integer overflow"),
        ("9223372036854775807 + 1", "integer overflow"),
        ("1 / 0", "division by zero"),
        ("1 % 0", "modulus by zero"),
        ("0x1F + 1", "32"),
        ("1u + 2u", "3"),
        ("1.5e2 * 2.0", "300"),
        ("'a' + \"b\" + r'\\c' + '''d'''", "ab\\cd"),
        ("b'ab' + b'\\x63'", "abc"),
        ("'\\u00e9\\n' == 'é\\n'", "true"),
        ("[1, 2] + [3]", "[1, 2, 3]"),
        ("1 < 2.5 && 2u >= 1 && 3 > 2u", "true"),
        ("dyn(1) == 1.0", "true"),
        ("true ? 'yes' : 'no'", "yes"),
        ("!false && !(true && false)", "true"),
        ("1 in [1, 2] && !('x' in {'a': 1})", "true"),
        ("[1, 2][1] + {'a': 3}['a']", "5"),
        ("[1][3]", "index out of bounds: 3"),
        ("{'a': 1}['b']", "no such key: b"),
        ("{'a': 1, 'a': 2}", "Failed with repeated key: a"),
        ("null == null", "true"),
        ("'b' > 'a' // a comment", "true"),
    ]);
}

#[test]
fn errors_do_not_decide_where_the_other_side_does() {
    check(&[
        ("true || 1 / 0 == 1", "true"),
        ("1 / 0 == 1 || true", "true"),
        ("1 / 0 == 1 && false", "false"),
        ("1 / 0 == 1 || false", "division by zero"),
        ("[0, 1].exists(x, 1 / x == 1)", "true"),
        ("[0, 2].exists(x, 1 / x == 1)", "division by zero"),
        ("[0, 1].all(x, 1 / x == 5)", "false"),
    ]);
}

#[test]
fn fields() {
    check(&[
        ("self.name + string(self.replicas)", "web3"),
        ("has(self.name) && !has(self.long)", "true"),
        ("self.long", "no such key: long"),
        ("self.labels.app + self.labels['tier']", "webfront"),
        ("'app' in self.labels && size(self.labels) == 2", "true"),
        ("has(self.labels.nope)", "false"),
        ("self.ratio > self.replicas", "false"),
        ("type(self.port) == string && self.port == 'http'", "true"),
        ("self.port + 1", "no such overload"),
        ("self.time.getFullYear() == 2024 && self.time.getDayOfYear() == 59", "true"),
        ("self.time.getHours('America/New_York')", "5"),
        ("self.time.getHours('+02:00')", "12"),
        ("self.wait == duration('90m') && self.wait.getMinutes() == 90", "true"),
        ("self.time + duration('24h') == timestamp('2024-03-01T10:20:30Z')", "true"),
        ("string(self.data)", "hi"),
        ("self.set == ['y', 'x'] && self.tags != ['b', 'a']", "true"),
        ("self.set + ['x', 'z']", "[x, y, z]"),
        ("self.?name.orValue('none') + self.?long.orValue('none')", "webnone"),
        ("self.labels[?'nope'].hasValue()", "false"),
        ("optional.of(1).optMap(x, x + 1).value()", "2"),
        ("self.?long.optMap(x, x + '!').orValue('none')", "none"),
        ("[?self.?name, ?self.?long]", "[web]"),
        ("optional.none().value()", "optional.none() dereference"),
    ]);
}

#[test]
fn macros_with_one_and_two_variables() {
    check(&[
        ("self.ports.all(p, p > 0) && self.ports.exists(p, p == 80)", "true"),
        ("self.ports.exists_one(p, p > 100)", "true"),
        ("self.ports.map(p, p + 1)", "[81, 444]"),
        ("self.ports.map(p, p > 100, p * 2)", "[886]"),
        ("self.tags.filter(t, t != 'a')", "[b]"),
        ("self.labels.all(k, self.labels[k] != '')", "true"),
        ("self.labels.map(k, k)", "[app, tier]"),
        ("self.tags.all(i, t, self.tags[i] == t)", "true"),
        ("self.labels.exists(k, v, k == 'app' && v == 'web')", "true"),
        ("self.tags.transformList(i, t, t + string(i))", "[a0, b1]"),
        ("self.labels.transformMap(k, v, k != 'app', v + '!')", "{tier: front!}"),
        ("self.tags.transformMapEntry(i, t, {t: i})", "{a: 0, b: 1}"),
        ("cel.bind(x, self.replicas, x + x)", "6"),
    ]);
}

#[test]
fn strings() {
    check(&[
        ("'hello'.charAt(1) + 'hello'.substring(1, 3)", "eel"),
        ("'héllo'.indexOf('l')", "2"),
        ("'hello'.lastIndexOf('l')", "3"),
        ("'hello'.indexOf('x')", "-1"),
        ("'TacoCat'.lowerAscii() + 'x'.upperAscii()", "tacocatX"),
        ("'a-b-c'.replace('-', '+', 1)", "a+b-c"),
        ("'a,b,c'.split(',', 2)", "[a, b,c]"),
        ("['a', 'b'].join('-')", "a-b"),
        ("'  x '.trim() + 'abc'.reverse()", "xcba"),
        ("strings.quote('a\"b')", "\"a\\\"b\""),
        ("'%s is %d or %.2f %x %e'.format([dyn('x'), 3, 1.5, 255, 1500.0])", "x is 3 or 1.50 ff 1.500000e+03"),
        ("'%s'.format([[dyn(1), 'a', {'k': true}]])", "[1, a, {k: true}]"),
        ("'x'.charAt(5)", "index out of range: 5"),
        ("'abc'.startsWith('ab') && 'abc'.endsWith('bc') && 'abc'.contains('b')", "true"),
        ("'abc'.matches('^[a-c]+$') && 'a1b22'.find('[0-9]+') == '1'", "true"),
        ("'a1b22'.findAll('[0-9]+')", "[1, 22]"),
        ("'a1b22'.findAll('[0-9]+', 1)", "[1]"),
        ("size('héllo')", "5"),
    ]);
}

#[test]
fn conversions() {
    check(&[
        ("int('12') + int(1.9) + int(3u)", "16"),
        ("int('x')", "type conversion error from 'string' to 'int'"),
        ("uint(-1)", "unsigned integer overflow"),
        ("double('1.5') + double(1)", "2.5"),
        ("string(1.0) + string(true) + string(duration('90s'))", "1true90s"),
        ("bool('true')", "true"),
        ("type(1) == int && type('a') == string && type([]) == list", "true"),
        ("type(timestamp('2024-01-01T00:00:00Z')) == google.protobuf.Timestamp", "true"),
        ("string(bytes('é'))", "é"),
        ("base64.encode(b'hi') + string(base64.decode('aGk='))", "aGk=hi"),
        ("int(timestamp('1970-01-01T00:00:05Z'))", "5"),
    ]);
}

#[test]
fn kubernetes_libraries() {
    check(&[
        ("[1, 3, 2].isSorted() || [1, 2].isSorted()", "true"),
        ("[1, 3, 2].sum() + [1, 3].max() + [1, 3].min()", "10"),
        ("['a', 'b', 'a'].indexOf('a') + ['a', 'b', 'a'].lastIndexOf('a')", "2"),
        ("self.ports.filter(p, false).max()", "max called on empty list"),
        ("url('https://a.b:80/p?q=1&q=2#f').getHostname() + url('https://a.b:80/p').getPort()", "a.b80"),
        ("url('https://a.b/p?q=1&q=2').getQuery()['q']", "[1, 2]"),
        ("isURL('/abs') && !isURL('rel')", "true"),
        ("quantity('1Gi').isGreaterThan(quantity('1G')) && quantity('50k').compareTo(quantity('50000')) == 0", "true"),
        ("quantity('1').add(quantity('500m')).sub(1)", "500m"),
        ("isQuantity('1.3Gi') && !isQuantity('1.3GiB')", "true"),
        ("ip('192.168.0.1').family() == 4 && ip('::1').isLoopback()", "true"),
        ("isIP('256.0.0.1') || isCIDR('10.0.0.0/33')", "false"),
        ("cidr('10.0.0.0/8').containsIP('10.1.1.1') && cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')", "true"),
        ("cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8') && cidr('10.0.0.0/8').prefixLength() == 8", "true"),
        ("ip.isCanonical('::1') && !ip.isCanonical('0::1')", "true"),
        ("format.dns1123Label().validate('ok').hasValue()", "false"),
        ("format.named('dns1123Label').value().validate('Not').hasValue()", "true"),
        ("format.named('nope').hasValue()", "false"),
        ("semver('1.2.3').isLessThan(semver('1.10.0-rc.1')) && isSemver('v1.2', true) && !isSemver('v1.2')", "true"),
        ("semver('1.2.3-rc.2').compareTo(semver('1.2.3'))", "-1"),
        ("sets.contains([1, 2], [1]) && sets.equivalent([1, 2], [2, 1, 1]) && !sets.intersects([1], [2])", "true"),
    ]);
}
