use super::*;

fn pairs(header: &str) -> Vec<(String, String)> {
    let tags = parse_header(header).unwrap();
    tags.list.into_iter().map(|t| (t.key, t.value)).collect()
}

fn code(header: &str) -> &'static str {
    parse_header(header).err().map_or("ok", |e| e.code())
}

#[test]
fn a_query() {
    let own = |list: &[(&str, &str)]| -> Vec<(String, String)> {
        list.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect()
    };
    assert_eq!(pairs("b=2&a=1"), own(&[("a", "1"), ("b", "2")]));
    assert_eq!(
        pairs("a%20b=c%2Bd+e&only"),
        own(&[("a b", "c+d e"), ("only", "")])
    );
    assert_eq!(pairs("k=a=b"), own(&[("k", "a=b")]));
    assert_eq!(pairs("%C3%BC=%d0%96"), own(&[("ü", "Ж")]));
    assert_eq!(pairs(""), own(&[]));
}

#[test]
fn what_is_none() {
    for bad in ["a=%", "a=%2", "a=%zz", "a=%ff", "a=1&a=2"] {
        assert_eq!(code(bad), "InvalidArgument", "{bad}");
    }
    assert_eq!(code("=1"), "InvalidTag");
    assert_eq!(code("a=%3F"), "InvalidTag");
    assert_eq!(code("aws:a=1"), "InvalidTag");
    let many = |n: usize| (0..n).map(|i| format!("k{i}=v")).collect::<Vec<_>>().join("&");
    assert_eq!(code(&many(10)), "ok");
    assert_eq!(code(&many(11)), "BadRequest");
    assert_eq!(code(&many(1000)), "BadRequest");
}
