//! Numbers, texts, moments, and what becomes what.

use super::*;

#[test]
fn rules_about_simple_values_cost_what_they_cost_on_kubernetes() {
    let max = i64::MAX;
    check(
        &vals(&["integer", "integer", "integer", "integer", "integer", "integer"]),
        &objs(json!([max, max, 2147483647, 2147483647, max, max])),
        r"
            11 = 9223372036854775807
            5 self.val1 == self.val6
            4 type(self.val1) == int
            5 self.val3 + 1 == 2147483647 + 1
        ",
    );
    check(
        &vals(&["number", "number", "number"]),
        &objs(json!([1.5, 1.5, 1])),
        r"
            11 = 1.5
            4 type(self.val1) == double
            4 type(self.val3) == double
            3 self.val3 == 1.0
        ",
    );
    check(
        &vals(&["integer", "number"]),
        &objs(json!([5, 10.0])),
        r"
            6 double(self.val1) < self.val2
            6 self.val1 < int(self.val2)
            1 double(5) < 10.0
            1 5 < int(10.0)
            4 double(self.val1) < 10.0
        ",
    );
    check(
        &vals(&["string", "string"]),
        &objs(json!(["Moon rises 🌒", "Moon rises 🌒"])),
        r"
            14 = 'Moon rises 🌒'
            4 self.val1.startsWith('Moon')
            5 !self.val1.startsWith('planet')
            8 self.val1.matches('^[^0-9]*$')
            7 !self.val1.matches('^[0-9]*$')
            4 type(self.val1) == string
            4 size(self.val1) == 12
            4 self.val1.charAt(3) == 'n'
            4 self.val1.indexOf('o') == 1
            4 self.val1.indexOf('o', 2) == 2
            7 self.val1.replace(' ', 'x') == 'Moonxrisesx🌒'
            7 self.val1.replace(' ', 'x', 1) == 'Moonxrises 🌒'
            6 self.val1.split(' ') == ['Moon', 'rises', '🌒']
            6 self.val1.split(' ', 2) == ['Moon', 'rises 🌒']
            5 self.val1.substring(5) == 'rises 🌒'
            5 self.val1.substring(0, 4) == 'Moon'
            6 self.val1.substring(4, 10).trim() == 'rises'
            6 self.val1.upperAscii() == 'MOON RISES 🌒'
            6 self.val1.lowerAscii() == 'moon rises 🌒'
        ",
    );
    check(&vals(&["string", "string"]), &objs(json!(["l1\nl2", "l1\nl2"])), r"11 = 'l1\nl2'");
    check(
        &vals(&["byte", "byte"]),
        &objs(json!(["QUI=", "QUI="])),
        r"
            5 self.val1 == self.val2
            3 self.val1 == b'AB'
            4 type(self.val1) == bytes
            4 size(self.val1) == 2
        ",
    );
    check(
        &vals(&["boolean", "boolean", "boolean", "boolean"]),
        &objs(json!([true, true, false, false])),
        r"
            11 = true
            5 self.val1 != self.val4
            4 type(self.val1) == bool
        ",
    );
    check(
        &vals(&["duration", "duration"]),
        &objs(json!(["1h2m3s4ms", "1h2m3s4ms"])),
        r"
            11 = duration('1h2m3s4ms')
            4 self.val1 == duration('1h2m') + duration('3s4ms')
            4 self.val1.getHours() == 1
            4 type(self.val1) == google.protobuf.Duration
        ",
    );
    check(
        &vals(&["date", "date"]),
        &objs(json!(["1997-07-16", "1997-07-16"])),
        r"
            11 = timestamp('1997-07-16T00:00:00.000Z')
            4 self.val1.getDate() == 16
            4 type(self.val1) == google.protobuf.Timestamp
        ",
    );
    check(
        &vals(&["date-time", "date-time"]),
        &objs(json!(["2011-08-18T19:03:37.010000000+01:00", "2011-08-18T19:03:37.010000000+01:00"])),
        r"
            11 = timestamp('2011-08-18T19:03:37.010+01:00')
            4 self.val1 == timestamp('2011-08-18T00:00:00.000+01:00') + duration('19h3m37s10ms')
            4 self.val1.getDate('01:00') == 18
        ",
    );
    let phases = json!(["Pending", "Available", "Bound"]);
    check(
        &objects(json!({ "enumStr": { "type": "string", "enum": phases } })),
        &json!({ "enumStr": "Pending" }),
        r"
            3 self.enumStr == 'Pending'
            2 self.enumStr in ['Pending', 'Available']
        ",
    );
    check(
        &vals(&[
            "integer",
            "number",
            "number",
            "number",
            "boolean",
            "string",
            "byte",
            "string",
            "duration",
            "string",
            "date-time",
            "string",
            "date",
        ]),
        &objs(json!([
            10,
            10.0,
            10.49,
            10.5,
            true,
            "10",
            "MTA=",
            "3723.004s",
            "1h2m3s4ms",
            "2011-08-18T19:03:37.01+01:00",
            "2011-08-18T19:03:37.01+01:00",
            "2011-08-18T00:00:00Z",
            "2011-08-18"
        ])),
        r"
            6 int(self.val2) == self.val1
            6 double(self.val1) == self.val2
            6 bytes(self.val6) == self.val7
            6 string(self.val1) == self.val6
            4 string(self.val4) == '10.5'
            6 string(self.val7) == self.val6
            6 duration(self.val8) == self.val9
            6 timestamp(self.val10) == self.val11
            8 string(self.val11) == self.val10
            6 timestamp(self.val12) == self.val13
            7 string(self.val13) == self.val12
        ",
    );
}
