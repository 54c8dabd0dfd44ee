//! Against the examples of the RFCs, and what must not verify.

use super::*;

fn bytes(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// RFC 7515, appendix A.3.
#[test]
fn the_rfc_s_es256_example_verifies_under_es256_only() {
    let x = bytes("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
    let y = bytes("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
    let message = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let signature =
        bytes("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
    let key = PublicKey::point(Algorithm::Es256, &x, &y).unwrap();
    assert!(key.verify(message.as_bytes(), &signature));
    assert!(!key.verify(b"another", &signature));
    assert!(PublicKey::point(Algorithm::Es384, &x, &y).is_none());
    assert!(PublicKey::point(Algorithm::Rs256, &x, &y).is_none());
}

/// RFC 8037, appendix A.
#[test]
fn the_rfc_s_eddsa_example_is_signed_and_verified() {
    let seed = SealKey::from_slice(&bytes("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")).unwrap();
    let key = SigningKey::new(&seed).unwrap();
    assert_eq!(key.x(), "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = key.sign(message).unwrap();
    let expected = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert_eq!(URL_SAFE_NO_PAD.encode(&signature), expected);
    assert!(key.public().verify(message, &signature));
    assert!(!key.public().verify(message, &signature[..63]));
    assert!(!format!("{key:?}").contains("nWGxne"));
}

#[test]
fn there_is_no_none_and_no_mac() {
    for name in ["none", "None", "NONE", "HS256", "HS512", "", "ES256K"] {
        assert!(Algorithm::named(name).is_none(), "{name}");
    }
    for algorithm in Algorithm::ALL {
        assert_eq!(Algorithm::named(algorithm.name()), Some(algorithm));
    }
}
