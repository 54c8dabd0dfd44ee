//! What keys and tokens of others are taken for.

use super::*;

fn keys(json: &str) -> Vec<IssuerKey> {
    key_set(format!(r#"{{"keys":[{json}]}}"#).as_bytes()).unwrap()
}

#[test]
fn a_key_is_for_one_algorithm_or_for_none() {
    let ed = r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
    assert_eq!(keys(&format!("{{{ed}}}"))[0].key.algorithm(), Algorithm::EdDsa);
    for bad in [
        format!(r#"{{{ed},"use":"enc"}}"#),
        format!(r#"{{{ed},"alg":"HS256"}}"#),
        format!(r#"{{{ed},"alg":"none"}}"#),
        format!(r#"{{{ed},"alg":"RS256"}}"#),
        r#"{"kty":"oct","k":"AAAA","alg":"HS256"}"#.to_owned(),
        r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#.to_owned(),
        r#"{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}"#.to_owned(),
        "{}".to_owned(),
    ] {
        assert!(keys(&bad).is_empty(), "{bad}");
    }
    assert_eq!(
        keys(r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#)[0].key.algorithm(),
        Algorithm::Rs256
    );
    assert_eq!(
        keys(r#"{"kty":"RSA","n":"AQAB","e":"AQAB","alg":"RS512"}"#)[0]
            .key
            .algorithm(),
        Algorithm::Rs512
    );
    assert!(key_set(b"[]").is_err() && key_set(b"{").is_err());
}

#[test]
fn a_token_without_a_key_s_name_needs_the_only_key() {
    let one = r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#;
    let header = BASE64.encode(r#"{"alg":"RS256"}"#);
    let text = format!("{header}.{}.AAAA", BASE64.encode("{}"));
    let token = Token::parse(&text).unwrap();
    assert_eq!(token.candidates(&keys(one)).count(), 1);
    assert_eq!(token.candidates(&keys(&format!("{one},{one}"))).count(), 0);
}
