use http::Request;

use super::{ROUTES, code, find};

fn found(method: &str, path: &str) -> Result<&'static str, &'static str> {
    let request = Request::builder().method(method).uri(path).body(());
    let (parts, ()) = request.unwrap().into_parts();
    match find(&parts) {
        Ok((route, _)) => Ok(route.operation.name()),
        Err(e) => Err(e.reason()),
    }
}

#[test]
fn every_route_is_found() {
    for route in ROUTES {
        let path = route
            .path
            .replace("{bucket}", "data")
            .replace("{namespace}", "a%1Fb")
            .replace("{table}", "t")
            .replace("{view}", "v")
            .replace("{plan-id}", "p");
        assert_eq!(found(route.method, &path), Ok(route.operation.name()), "{path}");
    }
}

#[test]
fn what_is_no_route_is_refused() {
    for (method, path, reason) in [
        ("PUT", "/_iceberg/v1/data/namespaces", "MethodNotAllowed"),
        ("GET", "/_iceberg/v1/data/views", "NoSuchRoute"),
        ("GET", "/_iceberg/v1/data/namespaces/", "NoSuchRoute"),
        ("GET", "/_iceberg/v1/", "NoSuchRoute"),
        ("GET", "/_iceberg/v1/D/namespaces", "InvalidBucketName"),
        ("GET", "/_iceberg/v1/data/namespaces/a.b", "BadRequestException"),
        ("GET", "/_iceberg/v1/data/namespaces/a%1F", "BadRequestException"),
    ] {
        assert_eq!(found(method, path), Err(reason), "{method} {path}");
    }
}

#[test]
fn every_kind_of_error_has_a_status() {
    for kind in craton_base::Kind::ALL {
        let (status, _) = code(&craton_base::Error::new(kind, "Other", ""));
        assert!((400..600).contains(&status), "{kind:?}");
    }
    let lost = craton_base::Error::new(craton_base::Kind::Precondition, "CommitFailedException", "");
    assert_eq!(code(&lost), (409, "CommitFailedException"));
}
