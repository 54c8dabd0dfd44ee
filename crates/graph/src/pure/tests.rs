use proptest::prelude::*;

use super::*;
use crate::{parse, print};

fn value(text: &str) -> Result<String, Failure> {
    let term = parse::term(text.as_bytes()).unwrap();
    evaluate(term.as_bytes()).map(|value| {
        let mut out = Vec::new();
        print::write(&value, &mut out);
        String::from_utf8(out).unwrap()
    })
}

fn is(text: &str, expected: &str) {
    assert_eq!(value(text).as_deref(), Ok(expected), "{text}");
}

fn fails(text: &str, why: &str) {
    let failure = value(text).unwrap_err();
    assert!(failure.contains(why), "{text}: {failure}");
}

#[test]
fn symbols_stand_for_themselves() {
    is("a", "a");
    is("(' (f (g x)))", "(f (g x))");
    fails("$x", "variable");
    fails("(' (f $x))", "variable");
    fails("()", "empty");
    fails("((f) a)", "not a symbol");
    fails("(no_such_function a)", "no function no_such_function");
}

#[test]
fn arithmetic_goes_through_the_bytes_of_the_type() {
    is("(i64_from_string 258)", "\\x0000000000000102");
    is(
        "(i64_to_string (sum_i64 (i64_from_string 1) (i64_from_string 2) (i64_from_string 39)))",
        "42",
    );
    is(
        "(i32_to_string (sub_i32 (i32_from_string 1) (i32_from_string 2)))",
        "-1",
    );
    is("(i8_to_string (product_i8))", "1");
    is(
        "(i16_to_string (div_i16 (i16_from_string 7) (i16_from_string -2)))",
        "-3",
    );
    is(
        "(i16_to_string (mod_i16 (i16_from_string -7) (i16_from_string 2)))",
        "-1",
    );
    is(
        "(i128_to_string (pow_i128 (i128_from_string 2) (i128_from_string 100)))",
        "1267650600228229401496703205376",
    );
    is(
        "(i64_to_string (clamp_i64 (i64_from_string 9) (i64_from_string 1) (i64_from_string 5)))",
        "5",
    );
    is(
        "(i8_to_string (sum_i8 (i8_from_string 127) (i8_from_string 1)))",
        "-128",
    );
    fails("(div_i64 (i64_from_string 1) (i64_from_string 0))", "zero");
    fails("(mod_i8 (i8_from_string -128) (i8_from_string -1))", "zero");
    fails("(sum_i64 1)", "1 bytes where 8");
    fails("(i64_from_string x)", "not such a number");
    fails(
        "(clamp_i8 (i8_one) (i8_from_string 5) (i8_from_string 1))",
        "more than the most",
    );
}

#[test]
fn floats_print_as_rust_does() {
    is("(f64_to_string (f64_from_string 1))", "1.0");
    is(
        "(f64_to_string (sum_f64 (f64_from_string 0.1) (f64_from_string 0.2)))",
        "0.30000000000000004",
    );
    is("(f32_to_string (sqrt_f32 (f32_from_string 2)))", "1.4142135");
    is(
        "(f64_to_string (powi_f64 (f64_from_string 2) (i32_from_string -1)))",
        "0.5",
    );
    is("(f64_to_string (pi_f64))", "3.141592653589793");
    is("(f64_to_string (phi_f64))", "1.618033988749895");
    is("(f64_to_string (max_f64))", "-inf");
    is(
        "(f64_to_string (clamp_f64 (f64_from_string NaN) (f64_from_string 0) (f64_from_string 1)))",
        "NaN",
    );
    fails(
        "(clamp_f64 (e_f64) (f64_from_string 2) (f64_from_string 1))",
        "more than the most",
    );
}

#[test]
fn conversions_cut_and_saturate() {
    is("(i8_to_string (i64_as_i8 (i64_from_string 300)))", "44");
    is("(i8_to_string (f64_as_i8 (f64_from_string 300)))", "127");
    is("(f64_to_string (i64_as_f64 (i64_from_string -3)))", "-3.0");
    is("(i64_to_string (f32_as_i64 (f32_from_string NaN)))", "0");
    is("(f32_to_string (f64_as_f32 (f64_from_string 0.1)))", "0.1");
    is("(i128_to_string (u8_as_i128 (u8_ones)))", "255");
}

#[test]
fn bits_and_comparisons() {
    is(
        "(u8_to_string (u8_and (u8_from_string 12) (u8_from_string 10)))",
        "8",
    );
    is("(u8_to_string (u8_or))", "0");
    is(
        "(u8_to_string (u8_parity (u8_from_string 12) (u8_from_string 10)))",
        "6",
    );
    is("(u8_to_string (u8_not (u8_from_string 1)))", "254");
    is("(u32_to_string (u8_count_ones (u8_from_string 7)))", "3");
    is(
        "(u16_to_string (u16_shl (u16_from_string 3) (u32_from_string 4)))",
        "48",
    );
    fails("(u8_shl (u8_ones) (u32_from_string 8))", "shift");
    is(
        "(u8_to_string (u32_eq (u32_from_string 5) (u32_from_string 5)))",
        "1",
    );
    is(
        "(u8_to_string (i64_lt (i64_from_string -1) (i64_from_string 0)))",
        "1",
    );
    is(
        "(u8_to_string (f64_ge (f64_from_string NaN) (f64_from_string 0)))",
        "0",
    );
}

#[test]
fn text_functions() {
    is("(reverse_symbol abc)", "cba");
    is("(explode_symbol abc)", "(a b c)");
    is("(collapse_symbol (explode_symbol hello))", "hello");
    is("(collapse_symbol (tuple ab c))", "abc");
    fails("(collapse_symbol (' ()))", "empty");
    fails("(collapse_symbol a)", "expression of symbols");
    is("(encode_hex abc)", "616263");
    is("(decode_hex 616263)", "abc");
    fails("(decode_hex 6)", "hexadecimal");
    is("(encode_base64url hello?>)", "aGVsbG8_Pg");
    is("(decode_base64url aGVsbG8_Pg)", "hello?>");
    is("(tuple a (tuple) (reverse_symbol bc))", "(a () cb)");
    assert_eq!(value("(hash_expr (' (a b)))"), value("(hash_expr (tuple a b))"));
    assert_ne!(value("(hash_expr a)"), value("(hash_expr b)"));
}

#[test]
fn choices() {
    is("(ifnz (u8_ones) then yes else no)", "yes");
    is("(ifnz (u8_zeros) then yes else no)", "no");
    is("(ifnz a then (tuple b))", "(b)");
    fails("(ifnz (u8_zeros) then yes)", "no else");
    fails("(ifnz a b c)", "ifnz condition");
    // Both branches are evaluated, as in MORK.
    fails(
        "(ifnz a then b else (div_i8 (i8_one) (i8_from_string 0)))",
        "zero",
    );
}

#[test]
fn every_type_has_what_the_language_says() {
    let types = [
        "u8", "u16", "u32", "u64", "u128", "i8", "i16", "i32", "i64", "i128", "f32", "f64",
    ];
    for of in types {
        let is_float = of.starts_with('f');
        let number = |n: &str| format!("({of}_from_string {n})");
        let shown = |n: &str| if is_float { format!("{n}.0") } else { n.to_owned() };
        let gives = |call: &str, expected: &str| is(&format!("({of}_to_string {call})"), &shown(expected));
        let (seven, three) = (number("7"), number("3"));
        gives(&seven, "7");
        for (name, expected) in [
            ("sum", "10"),
            ("sub", "4"),
            ("product", "21"),
            ("min", "3"),
            ("max", "7"),
            ("mod", "1"),
        ] {
            gives(&format!("({name}_{of} {seven} {three})"), expected);
        }
        gives(&format!("(div_{of} {} {three})", number("6")), "2");
        gives(&format!("(abs_{of} {seven})"), "7");
        gives(&format!("(signum_{of} {seven})"), "1");
        gives(&format!("(clamp_{of} {seven} {} {three})", number("1")), "3");
        if of.starts_with('u') {
            // Around zero they wrap, as additions do.
            is(
                &format!("({of}_to_string (sum_{of} (neg_{of} {three}) {seven}))"),
                "4",
            );
        } else {
            gives(&format!("(neg_{of} {three})"), "-3");
            gives(&format!("(abs_{of} {})", number("-3")), "3");
        }
        for (name, expected) in [
            ("eq", "0"),
            ("ne", "1"),
            ("lt", "0"),
            ("le", "0"),
            ("gt", "1"),
            ("ge", "1"),
        ] {
            is(&format!("(u8_to_string ({of}_{name} {seven} {three}))"), expected);
        }
        for to in types {
            let expected = if to.starts_with('f') { "7.0" } else { "7" };
            is(&format!("({to}_to_string ({of}_as_{to} {seven}))"), expected);
        }
        fails(&format!("(sum_{of} abc)"), "bytes where");
        fails(&number("seven"), "not such a number");
    }
}

#[test]
fn deep_expressions_need_no_stack() {
    let depth = crate::term::DEPTH_MAX as usize - 2;
    is(
        &format!("{}ab{}", "(reverse_symbol ".repeat(depth), ")".repeat(depth)),
        "ab",
    );
}

proptest! {
    #[test]
    fn a_ternary_function_is_its_table(x: u16, y: u16, z: u16, table: u8) {
        let result = bits::ternary(x, y, z, table);
        for bit in 0..16 {
            let at = |value: u16| u8::from(value >> bit & 1 == 1);
            let index = at(x) << 2 | at(y) << 1 | at(z);
            prop_assert_eq!(u8::from(result >> bit & 1 == 1), table >> index & 1);
        }
    }

    #[test]
    fn integers_agree_with_rust(a: i32, b: i32) {
        let text = |name: &str| value(&format!("(i32_to_string ({name}_i32 (i32_from_string {a}) (i32_from_string {b})))"));
        prop_assert_eq!(text("sum"), Ok(a.wrapping_add(b).to_string()));
        prop_assert_eq!(text("product"), Ok(a.wrapping_mul(b).to_string()));
        prop_assert_eq!(text("sub"), Ok(a.wrapping_sub(b).to_string()));
        prop_assert_eq!(text("max"), Ok(a.max(b).to_string()));
        prop_assert_eq!(text("div").ok(), a.checked_div(b).map(|n| n.to_string()));
        prop_assert_eq!(text("mod").ok(), a.checked_rem(b).map(|n| n.to_string()));
    }
}
