use super::named;

#[test]
fn plans_name_variables() {
    assert_eq!(
        named("bind variable 0 from patterns 0 ∩ 1"),
        "bind $a from patterns 0 ∩ 1"
    );
    assert_eq!(named("variable 11: 3 bindings"), "$x11: 3 bindings");
}
