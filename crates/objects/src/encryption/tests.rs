use super::*;

fn code<T>(result: Result<T>) -> &'static str {
    result.err().map_or("ok", |e| e.code())
}

fn texts(byte: u8) -> (String, String) {
    let key = [byte; CUSTOMER_KEY_BYTES];
    (BASE64.encode(key), BASE64.encode(Md5::digest(key)))
}

fn key(byte: u8) -> CustomerKey {
    let (key, md5) = texts(byte);
    CustomerKey::parse(&key, &md5).unwrap()
}

fn record(customer: &CustomerKey) -> EncryptionRecord {
    let salt = Bytes::from_static(b"salt");
    EncryptionRecord {
        method: Method::Customer as u32,
        check: digest(&salt, customer),
        salt,
        ..EncryptionRecord::default()
    }
}

#[test]
fn a_key_needs_its_length_and_its_md5() {
    let (good, md5) = texts(1);
    assert_eq!(key(1).md5_text(), md5);
    assert_eq!(code(CustomerKey::parse(&good, &texts(2).1)), "InvalidArgument");
    assert_eq!(code(CustomerKey::parse(&good, "x")), "InvalidArgument");
    assert_eq!(code(CustomerKey::parse("no base64!", &md5)), "InvalidArgument");
    assert_eq!(
        code(CustomerKey::parse(&BASE64.encode([1; 31]), &md5)),
        "InvalidArgument"
    );
    assert_eq!(format!("{:?}", key(1)), "CustomerKey(…)");
}

#[test]
fn the_right_key_and_no_other() {
    let encrypted = record(&key(1));
    assert_eq!(code(check(Some(&encrypted), Some(&key(1)))), "ok");
    assert_eq!(code(check(Some(&encrypted), Some(&key(2)))), "AccessDenied");
    assert_eq!(code(check(Some(&encrypted), None)), "InvalidRequest");
    assert_eq!(code(check(None, Some(&key(1)))), "InvalidRequest");
    assert_eq!(code(check(None, None)), "ok");
    let kms = EncryptionRecord {
        method: Method::Kms as u32,
        ..EncryptionRecord::default()
    };
    assert_eq!(code(check(Some(&kms), None)), "ok");
    assert_eq!(code(check(Some(&kms), Some(&key(1)))), "InvalidRequest");
}

#[test]
fn an_entity_tag_says_nothing_about_the_bytes() {
    let md5 = [7; 16];
    assert_eq!(tag(None, md5), md5);
    let one = record(&key(1));
    let other = EncryptionRecord {
        salt: Bytes::from_static(b"other"),
        ..one.clone()
    };
    assert_ne!(tag(Some(&one), md5), md5);
    assert_ne!(tag(Some(&one), md5), tag(Some(&other), md5));
    assert_eq!(tag(Some(&one), md5), tag(Some(&one), md5));
}

#[test]
fn methods_keep_their_numbers() {
    for method in [Method::Managed, Method::Kms, Method::KmsDual, Method::Customer] {
        assert_eq!(Method::from_number(method as u32), Some(method));
    }
    assert_eq!(Method::from_number(4), None);
}
