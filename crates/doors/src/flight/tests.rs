use super::*;

#[test]
fn a_refusal_is_trailers_only() {
    let error = Error::new(Kind::Denied, "AccessDenied", "no: 100 %\n");
    let response = refusal(&error);
    let of = |name: &str| response.headers().get(name).unwrap().to_str().unwrap();
    assert_eq!(of("content-type"), "application/grpc");
    assert_eq!(of(STATUS), "7");
    assert_eq!(of(MESSAGE), "AccessDenied%3A%20no%3A%20100%20%25%0A");
    assert_eq!(refused(response.headers()).unwrap().reason(), "FlightRefused");
}

#[test]
fn a_name_and_a_password() {
    let said = |text: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, text.parse().unwrap());
        basic(&headers).map(|(name, password)| (name, password.expose().to_vec()))
    };
    let (name, password) = said(&format!("Basic {}", BASE64.encode("AKIA:se:cret"))).unwrap();
    assert_eq!(
        (name.as_str(), password.as_slice()),
        ("AKIA", b"se:cret".as_slice())
    );
    let bare = BASE64.encode("AKIA:s").trim_end_matches('=').to_owned();
    assert!(said(&format!("basic {bare}")).is_some());
    for wrong in ["Bearer abc", "Basic", "Basic !", "Basic QUI="] {
        assert!(said(wrong).is_none(), "{wrong}");
    }
}
