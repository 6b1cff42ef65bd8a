//! Expressions that compile, expressions that do not, and what they give.

use std::collections::BTreeMap;

use super::environment::{DISK, LINK};
use super::{Environment, Program, Type, Value, check};

fn disk() -> BTreeMap<String, Value> {
    let values = [
        ("size", Value::Uint(500_000_000_000)),
        ("transport", Value::String("nvme".to_owned())),
        ("dev_path", Value::String("/dev/nvme0n1".to_owned())),
        ("symlinks", Value::List(vec![Value::String("/dev/disk/by-id/x".to_owned())])),
    ];
    let values = values.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    BTreeMap::from([
        ("disk".to_owned(), Value::Object(&DISK, values)),
        ("system_disk".to_owned(), Value::Bool(false)),
    ])
}

#[track_caller]
fn gives(source: &str, want: bool) {
    let program = Program::compile(source, Environment::Disk).expect("compiles");
    assert_eq!(program.matches(&disk()), Ok(want), "{source}");
}

#[test]
fn conditions_on_disks() {
    gives("disk.size > 100u * GB && disk.size < 1u * TB", true);
    gives("disk.transport == 'nvme' && !system_disk", true);
    gives("disk.size >= 10 * 1000 * 1000", true);
    gives("glob('/dev/nvme*', disk.dev_path)", true);
    gives("glob('/dev/*n2', disk.dev_path)", false);
    gives("disk.transport in ['sata', 'usb']", false);
    gives("disk.symlinks.exists(s, s.startsWith('/dev/disk/by-id'))", true);
    gives("disk.symlinks.all(s, s.endsWith('y'))", false);
    gives("disk.symlinks.map(s, size(s)).filter(n, n > 3).size() == 1", true);
    gives("disk.symlinks.exists_one(s, s.matches('^/dev/[a-z]+/'))", true);
    gives("has(disk.model) ? false : disk.model == ''", true);
    gives("!disk.rotational || 1 / 0 == 1", true);
    gives("true || 1 / 0 == 1", true);
    gives("1 / 0 == 1 || true", true);
    gives("{'a': 1}['a'] == 1 && [1, 2][1] == 2", true);
    gives("duration('1h') > duration('59m') && string(duration('90s')) == '1m30s'", true);
    gives("-9223372036854775808 < 0 && 0x10 == 16 && 1.5e1 == 15.0", true);
    gives("r'\\d' == '\\\\d' && b'abc' == bytes('abc') && \"\"\"a\nb\"\"\" == 'a\\nb'", true);
    gives("int('7') + int(3.9) == 10 && uint(3) == 3u && double(2) == 2.0", true);
    gives("(1 < 2u) && (2 > 1.5) // numbers of different kinds compare", true);
}

#[test]
fn what_does_not_compile() {
    for (source, want) in [
        ("disk.foo == 1", "undefined field 'foo'"),
        ("dsk.size > 1u", "undeclared reference to 'dsk' (in container '')"),
        ("disk.size * 2 > 1u", "found no matching overload for '_*_' applied to '(uint, int)'"),
        ("disk.transport > 1", "found no matching overload for '_>_' applied to '(string, int)'"),
        ("disk.size", "expression must give bool, it gives uint"),
        ("mac(b'a') == 'x'", "undeclared reference to 'mac' (in container '')"),
        ("disk.size > ", "Syntax error: mismatched input <EOF>"),
        ("disk.size ; 1", "Syntax error: token recognition error at: ';'"),
        ("'abc", "Syntax error: the text is not closed"),
        ("disk.symlinks.all(1, true)", "argument must be a simple name"),
        (
            "disk.size.all(x, true)",
            "expression of type 'uint' cannot be range of a comprehension (must be list, map, or dynamic)",
        ),
        ("", "Syntax error: mismatched input <EOF>"),
        ("99999999999999999999 > 1", "Syntax error: invalid number: 99999999999999999999"),
    ] {
        let error = check(source, Environment::Disk, Type::Bool).expect_err(source);
        assert_eq!(error.message, want, "{source}");
    }
    let deep = format!("{}true{}", "(".repeat(500), ")".repeat(500));
    assert!(check(&deep, Environment::Disk, Type::Bool).is_err());
}

#[test]
fn errors_point_at_the_place() {
    let error =
        check("disk.size > 1u &&\n  disk.foo", Environment::Disk, Type::Bool).expect_err("foo");
    assert_eq!(
        error.to_string(),
        "ERROR: <input>:2:7: undefined field 'foo'\n |   disk.foo\n | ......^"
    );
}

#[test]
fn links() {
    let source = "link.driver == 'ixgbe' && glob('00:1b:*', mac(link.permanent_addr))";
    let program = Program::compile(source, Environment::Link).expect("compiles");
    let values = BTreeMap::from([
        ("driver".to_owned(), Value::String("ixgbe".to_owned())),
        ("permanent_addr".to_owned(), Value::Bytes(vec![0, 0x1b, 2, 3, 4, 5])),
    ]);
    let variables = BTreeMap::from([("link".to_owned(), Value::Object(&LINK, values))]);
    assert_eq!(program.matches(&variables), Ok(true));
    assert!(check("link.mtu > 1u * GiB", Environment::Link, Type::Bool).is_err());
}

#[test]
fn memory_pressure() {
    let trigger = "(multiply_qos_vectors(d_qos_memory_full_total, {Burstable: 3.0, System: 8.0}) > 3000.0 && memory_full_avg10 > 5.0 && time_since_trigger > duration('5s'))";
    let program = Program::compile(trigger, Environment::OomTrigger).expect("compiles");
    let vector = vec![(Value::Int(1), Value::Double(200.0)), (Value::Int(4), Value::Double(400.0))];
    let variables = BTreeMap::from([
        ("d_qos_memory_full_total".to_owned(), Value::Map(vector)),
        ("memory_full_avg10".to_owned(), Value::Double(7.5)),
        ("time_since_trigger".to_owned(), Value::Duration(6_000_000_000)),
    ]);
    assert_eq!(program.matches(&variables), Ok(true));
    let ranking = "memory_max.hasValue() ? 0.0 : {Besteffort: 1.0, Burstable: 0.5, Guaranteed: 0.0, Podruntime: 0.0, System: 0.0}[class] * double(memory_current.orValue(0u))";
    let program = Program::compile(ranking, Environment::OomRanking).expect("compiles");
    assert_eq!(program.result, Type::Double);
    let variables = BTreeMap::from([
        ("memory_max".to_owned(), Value::Optional(None)),
        ("memory_current".to_owned(), Value::Optional(Some(Box::new(Value::Uint(1000))))),
        ("class".to_owned(), Value::Int(1)),
    ]);
    assert_eq!(program.eval(&variables), Ok(Value::Double(500.0)));
}

#[test]
fn evaluation_is_bounded() {
    let list = format!("[{}]", vec!["1"; 200].join(","));
    let source = format!("{list}.all(a, {list}.all(b, {list}.all(c, a + b + c == 3)))");
    let program = Program::compile(&source, Environment::Disk).expect("compiles");
    assert!(program.matches(&disk()).is_err_and(|e| e.0.contains("cost limit")));
}
