//! A door can not reach data without a permit: each file in `bypass/` tries a way round and must not compile.

#[test]
fn no_way_round_the_gate_compiles() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/bypass/*.rs");
}
