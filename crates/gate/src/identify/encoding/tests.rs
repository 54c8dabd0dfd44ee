use proptest::prelude::*;

use super::*;

#[test]
fn spellings_of_the_same_bytes_are_one_form() {
    for (raw, want) in [
        ("/a b", "/a%20b"),
        ("/a%20b", "/a%20b"),
        ("/a+b", "/a%2Bb"),
        ("/a%2bb", "/a%2Bb"),
        ("/*'()!", "/%2A%27%28%29%21"),
        ("/%2A%27", "/%2A%27"),
        ("/~-._", "/~-._"),
        ("/%7E", "/~"),
        ("//a//", "//a//"),
        ("/a%252Fb", "/a%252Fb"),
        ("/é", "/%C3%A9"),
        ("/%c3%A9", "/%C3%A9"),
        ("/%00", "/%00"),
    ] {
        assert_eq!(recode(raw, Part::Path).unwrap(), want, "{raw}");
    }
    assert_eq!(recode("a+b/c%2B", Part::Query).unwrap(), "a%20b%2Fc%2B");
}

#[test]
fn a_percent_needs_two_digits() {
    for raw in ["%", "a%1", "%g0", "%0g", "%%20", "a%2"] {
        assert_eq!(
            recode(raw, Part::Path).unwrap_err().reason(),
            "InvalidURI",
            "{raw}"
        );
    }
}

proptest! {
    #[test]
    fn encoding_decodes_to_itself(bytes in proptest::collection::vec(any::<u8>(), 0..64), query: bool) {
        let part = if query { Part::Query } else { Part::Path };
        let mut encoded = String::new();
        encode_into(&mut encoded, &bytes, part);
        prop_assert_eq!(decode(&encoded, part).unwrap(), bytes);
        prop_assert_eq!(recode(&encoded, part).unwrap(), encoded.as_str());
    }
}
