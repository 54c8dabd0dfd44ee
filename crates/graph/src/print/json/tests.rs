use crate::parse;

fn json(text: &str) -> String {
    let mut out = Vec::new();
    super::write(parse::term(text.as_bytes()).unwrap().as_bytes(), &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn terms_are_json() {
    assert_eq!(json("(edge a 12)"), r#"["edge","a",12]"#);
    assert_eq!(
        json("(a () ((b) c) -3 007 1.5)"),
        r#"["a",[],[["b"],"c"],-3,"007","1.5"]"#
    );
    assert_eq!(json(r#"(name "a \"b\" \\ c")"#), r#"["name","a \"b\" \\ c"]"#);
    assert_eq!(
        json("(f $x $y $x)"),
        r#"["f",{"variable":"a"},{"variable":"b"},{"variable":"a"}]"#
    );
    assert_eq!(json("-0"), "\"-0\"");
    assert_eq!(json("1234567890123456"), "\"1234567890123456\"");
    assert_eq!(json(r"\xff00"), r#""\\xff00""#);
}
