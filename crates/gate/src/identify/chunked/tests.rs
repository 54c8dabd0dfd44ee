use super::*;

#[test]
fn chunk_headers() {
    let signature = "ab".repeat(32);
    let signed = format!("400;chunk-signature={signature}\r");
    assert_eq!(parse_header(signed.as_bytes(), true).unwrap(), (1024, [0xab; 32]));
    assert_eq!(parse_header(b"400\r", false).unwrap().0, 1024);
    assert_eq!(parse_header(b"00F\r", false).unwrap().0, 15);
    for (line, is_signed) in [
        (signed.as_str(), false),
        (signed.trim(), true),
        ("400\r", true),
        ("400;chunk-signature=\r", true),
        (";chunk-signature=\r", true),
        ("400;CHUNK-SIGNATURE=ab\r", true),
    ] {
        assert!(parse_header(line.as_bytes(), is_signed).is_err(), "{line}");
    }
}

#[test]
fn literals_match_across_pieces() {
    let bad = || Error::invalid("bad");
    let mut first = Bytes::from_static(b"\r");
    assert_eq!(literal(&mut first, b"\r\n", bad).unwrap(), b"\n");
    let mut more = Bytes::from_static(b"\nx");
    assert_eq!(literal(&mut more, b"\n", bad).unwrap(), b"");
    assert_eq!(more, "x");
    assert!(literal(&mut more, b"", bad).is_err());
}
