use http::Request;

use super::{ROUTES, find};

fn found(method: &str, path: &str) -> Result<&'static str, &'static str> {
    let (parts, ()) = Request::builder()
        .method(method)
        .uri(path)
        .body(())
        .unwrap()
        .into_parts();
    match find(&parts) {
        Ok((route, ..)) => Ok(route.operation.name()),
        Err(e) => Err(e.reason()),
    }
}

#[test]
fn every_route_is_found() {
    for route in ROUTES {
        let path = route.path.replace("{bucket}", "data").replace("{graph}", "g");
        assert_eq!(found(route.method, &path), Ok(route.operation.name()), "{path}");
    }
}

#[test]
fn what_is_no_route_is_refused() {
    assert_eq!(found("PUT", "/_graph/v1/data/g"), Err("MethodNotAllowed"));
    assert_eq!(found("GET", "/_graph/v1/data/g/other"), Err("NoSuchRoute"));
    assert_eq!(found("GET", "/_graph/v1/data/g/facts/more"), Err("NoSuchRoute"));
    assert_eq!(found("GET", "/_graph/v1/data/.g"), Err("InvalidGraphName"));
    assert_eq!(found("GET", "/_graph/v1/D"), Err("InvalidBucketName"));
    assert_eq!(found("GET", "/_graph/v1/"), Err("NoSuchRoute"));
}
