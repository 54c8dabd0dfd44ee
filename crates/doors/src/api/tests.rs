use std::collections::BTreeSet;

use craton_base::Kind;
use http::Method;

use super::{
    query::Query,
    routes::{AUTHZEN, Operation, ROUTES, find},
};

fn path_of(pattern: &str) -> String {
    pattern
        .split('/')
        .map(|p| if p.starts_with('{') { "a%20b" } else { p })
        .collect::<Vec<_>>()
        .join("/")
}

#[test]
fn every_route_is_found_by_its_own_path() {
    for route in ROUTES {
        let method: Method = route.method.parse().unwrap();
        let (operation, parts) = find(&method, &path_of(route.path)).unwrap();
        assert_eq!(operation, route.operation, "{} {}", route.method, route.path);
        assert_eq!(parts.len(), route.path.matches('{').count());
        assert!(parts.iter().all(|p| p == "a b"));
    }
}

#[test]
fn no_route_hides_another_and_every_one_has_an_action() {
    let mut seen = BTreeSet::new();
    let mut operations = BTreeSet::new();
    for route in ROUTES {
        let is_ours = ["/_api/v1/", "/_openlineage/api/v1/"]
            .iter()
            .any(|start| route.path.starts_with(start))
            || AUTHZEN.contains(&route.path);
        assert!(is_ours, "{}", route.path);
        assert!(
            seen.insert((route.method, path_of(route.path))),
            "{} {} twice",
            route.method,
            route.path
        );
        assert!(operations.insert(route.operation), "{:?} twice", route.operation);
        let (service, action) = route.action.split_once(':').unwrap();
        assert!(matches!(service, "iam" | "kms" | "craton" | "s3" | "s3tables") && !action.is_empty());
        assert_eq!(format!("{:?}", route.operation), route.operation.name());
    }
}

#[test]
fn what_is_no_route_is_not_found_or_not_allowed() {
    let reason = |method: Method, path: &str| find(&method, path).unwrap_err();
    assert_eq!(reason(Method::GET, "/_api/v1/nothing").kind(), Kind::NotFound);
    assert_eq!(reason(Method::GET, "/_api/v1/users/").kind(), Kind::NotFound);
    assert_eq!(reason(Method::GET, "/_api/v1/users//keys").kind(), Kind::NotFound);
    assert_eq!(
        reason(Method::GET, "/_api/v1/users/a/keys/b/c").kind(),
        Kind::NotFound
    );
    assert_eq!(
        reason(Method::PATCH, "/_api/v1/users").reason(),
        "MethodNotAllowed"
    );
    assert_eq!(
        reason(Method::GET, "/_api/v1/users/%ff/keys").kind(),
        Kind::Invalid
    );
}

#[test]
fn an_encoded_slash_stays_within_its_part() {
    let (operation, parts) = find(&Method::DELETE, "/_api/v1/users/a%2Fkeys%2Fb").unwrap();
    assert_eq!(
        (operation, parts),
        (Operation::DeleteUser, vec!["a/keys/b".to_owned()])
    );
}

#[test]
fn a_query_is_read_whole_or_refused() {
    let filter = Query::parse(Some(
        "principal=ana+b&kind=denial&verdict=implicit-deny&limit=7&after=12&\
                                    since=2026-01-31T00:00:00Z&action=s3:Get%2A",
    ));
    let filter = filter.unwrap().filter().unwrap();
    assert_eq!(filter.principal.as_deref(), Some("ana b"));
    assert_eq!(filter.action.as_deref(), Some("s3:Get*"));
    assert_eq!((filter.limit, filter.after), (7, Some(12)));
    assert_eq!(filter.since.unwrap().seconds(), 1_769_817_600);
    for bad in [
        "limit=x",
        "kind=nothing",
        "verdict=maybe",
        "since=yesterday",
        "unknown=1",
        "after=-1",
    ] {
        let error = Query::parse(Some(bad)).unwrap().filter().unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{bad}");
    }
    assert!(Query::parse(Some("a=1&a=2")).is_err());
    assert!(Query::parse(Some("a=%ff")).is_err());
    let many: Vec<String> = (0..33).map(|n| format!("p{n}=1")).collect();
    assert!(Query::parse(Some(&many.join("&"))).is_err());
}

#[test]
fn a_page_of_users_has_a_limit() {
    let page = |query: &str| Query::parse(Some(query)).unwrap().page(1000);
    assert_eq!(page("after=ana&limit=5").unwrap(), (Some("ana".to_owned()), 5));
    assert_eq!(page("").unwrap(), (None, 1000));
    assert!(page("limit=0").is_err() && page("limit=1001").is_err() && page("x=1").is_err());
}
