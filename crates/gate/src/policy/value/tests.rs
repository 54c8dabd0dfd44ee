use super::*;

#[test]
fn numbers_are_exact_decimals() {
    let equal = |a, b| assert_eq!(number(a).unwrap(), number(b).unwrap(), "{a} {b}");
    equal("10", "10.0");
    equal("+1", "1");
    equal(".5", "0.50");
    equal("-0", "0");
    equal("007", "7");
    assert!(number("9007199254740993").unwrap() > number("9007199254740992").unwrap());
    assert!(number("-2").unwrap() < number("-1.5").unwrap());
    assert!(number("0.000000000000001").unwrap() > 0);
    for bad in [
        "", "-", ".", "+", "1e3", "0x10", "1,5", " 1", "1 ", "--1", "1.2.3", "NaN", "١",
    ] {
        assert_eq!(number(bad), None, "{bad:?}");
    }
    assert_eq!(number(&"9".repeat(21)), None);
    assert_eq!(number("0.0000000000000001"), None);
}

#[test]
fn dates_in_every_form() {
    let second = 1_000_000_000;
    for (text, seconds) in [
        ("0", 0),
        ("1780315200", 1_780_315_200),
        ("2026-06-01T12:00:00Z", 1_780_315_200),
        ("2026-06-01T12:00Z", 1_780_315_200),
        ("2026-06-01T14:00:00+02:00", 1_780_315_200),
        ("2026-06-01T14:00+02:00", 1_780_315_200),
        ("2026-06-01", 1_780_272_000),
        ("2026-06", 1_780_272_000),
        ("1969-12-31T23:59:59Z", -1),
    ] {
        assert_eq!(date(text), Some(i128::from(seconds) * second), "{text}");
    }
    assert_eq!(
        date("2026-06-01T12:00:00.5Z"),
        Some(1_780_315_200 * second + second / 2)
    );
    for bad in [
        "",
        "now",
        "2026-13",
        "2026-02-30",
        "2026-06-01T12:00:00",
        "2026-6-1",
        "2026-06-01T25:00:00Z",
        "ü026-06",
    ] {
        assert_eq!(date(bad), None, "{bad:?}");
    }
}

#[test]
fn times_are_written_as_they_are_read() {
    assert_eq!(iso_8601(1_780_315_200), "2026-06-01T12:00:00Z");
    assert_eq!(date(&iso_8601(1_780_315_201)), date("1780315201"));
}

#[test]
fn networks() {
    for (network, inside, outside) in [
        ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
        ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
        ("10.1.2.3/24", "10.1.2.200", "10.1.3.3"),
        ("10.1.2.128/25", "10.1.2.200", "10.1.2.100"),
        ("0.0.0.0/0", "192.0.2.7", "2001:db8::1"),
        ("::/0", "2001:db8::1", "192.0.2.7"),
        ("2001:db8::/32", "2001:db8:ffff::", "2001:db9::"),
        ("2001:db8::1", "2001:0db8:0:0::0001", "2001:db8::2"),
        ("10.0.0.0/8", "::ffff:10.1.2.3", "::ffff:11.1.2.3"),
    ] {
        let parsed = Network::parse(network).unwrap();
        assert!(parsed.contains(address(inside).unwrap()), "{inside} in {network}");
        assert!(
            !parsed.contains(address(outside).unwrap()),
            "{outside} not in {network}"
        );
    }
    for bad in [
        "",
        "10",
        "10.0.0.0/33",
        "10.0.0.0/",
        "10.0.0.0/+8",
        "10.0.0.0/-1",
        "::/129",
        "*",
        "10.0.0.0/8/8",
        "010.0.0.1",
    ] {
        assert_eq!(Network::parse(bad), None, "{bad:?}");
    }
}

#[test]
fn booleans_and_binaries() {
    assert_eq!(boolean("TRUE"), Some(true));
    assert_eq!(boolean("False"), Some(false));
    assert_eq!(boolean("1"), None);
    assert_eq!(binary("AQID"), Some(vec![1, 2, 3]));
    assert_eq!(binary("AQI"), None);
}
