use super::*;

fn parts(address: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = http::Request::get(address);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

#[test]
fn a_place_is_in_the_path_as_it_is() {
    assert_eq!(
        place(&parts("/data/a/b c".replace(' ', "+").as_str(), &[])),
        Some(("data", "a/b+c"))
    );
    assert_eq!(place(&parts("/data//a", &[])), Some(("data", "/a")));
    let long = format!("/data/{}", "k".repeat(OBJECT_KEY_BYTES_MAX + 1));
    for other in ["/", "/data", "/data/", "/data/a%20b", "/Data/a", "/d/a", &long] {
        assert_eq!(place(&parts(other, &[])), None, "{other}");
    }
}

#[test]
fn what_may_change_the_answer_goes_the_usual_way() {
    let goes = |name: &str| changes_nothing(&HeaderName::from_bytes(name.as_bytes()).unwrap());
    for name in [
        "host",
        "range",
        "user-agent",
        "x-amz-checksum-mode",
        "x-amz-user-agent",
        "amz-sdk-request",
    ] {
        assert!(goes(name), "{name}");
    }
    for name in [
        "if-match",
        "if-none-match",
        "if-modified-since",
        "if-unmodified-since",
        "if-range",
        "x-amz-server-side-encryption-customer-algorithm",
        "x-amz-request-payer",
        "x-amz-meta-a",
    ] {
        assert!(!goes(name), "{name}");
    }
}

#[test]
fn words_are_encoded_where_they_must_be() {
    assert_eq!(encoded("plain, 1"), "plain, 1");
    assert_eq!(encoded("gr\u{fc}n"), "=?UTF-8?B?Z3LDvG4=?=");
    let long = "\u{fc}".repeat(50);
    let words = encoded(&long);
    assert!(
        words.split(' ').count() == 3 && words.split(' ').all(|word| word.len() <= 75),
        "{words}"
    );
    let decoded: Vec<u8> = words
        .split(' ')
        .flat_map(|word| {
            let text = word
                .strip_prefix("=?UTF-8?B?")
                .unwrap()
                .strip_suffix("?=")
                .unwrap();
            BASE64_STANDARD.decode(text).unwrap()
        })
        .collect();
    assert_eq!(String::from_utf8(decoded).unwrap(), long);
}
