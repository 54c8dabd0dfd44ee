use super::*;

#[test]
fn sizes_are_read_as_people_write_them() {
    for (text, bytes) in [
        ("0", 0),
        ("65536", 65_536),
        ("128MiB", 128 << 20),
        ("1.5GiB", 3 << 29),
        (" 2 KiB ", 2048),
        ("1kB", 1000),
        ("7B", 7),
    ] {
        assert_eq!(text.parse::<ByteSize>().unwrap(), ByteSize(bytes), "{text}");
    }
    for bad in [
        "",
        "MiB",
        "-1",
        "1.",
        ".5MiB",
        "1e3",
        "99999999999TiB",
        "5 apples",
        "1.2.3",
    ] {
        assert!(bad.parse::<ByteSize>().is_err(), "{bad}");
    }
}

#[test]
fn sizes_print_and_read_back() {
    for n in [0, 1, 1023, 1024, 1 << 20, 3 << 29, 128 << 20] {
        assert_eq!(ByteSize(n).to_string().parse::<ByteSize>().unwrap(), ByteSize(n));
    }
}
