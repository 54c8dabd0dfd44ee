use super::*;

fn written(text: &str) -> String {
    let mut out = String::new();
    element(&mut out, "E", text);
    out
}

#[test]
fn plain_text_is_as_it_is() {
    assert_eq!(written(""), "<E></E>");
    assert_eq!(written("a\tb\nü𝄞"), "<E>a\tb\nü𝄞</E>");
}

#[test]
fn what_means_something_is_escaped() {
    assert_eq!(
        written("<a href=\"x\">&'</a>\r"),
        "<E>&lt;a href=&quot;x&quot;&gt;&amp;&apos;&lt;/a&gt;&#13;</E>"
    );
    assert_eq!(written("é<é"), "<E>é&lt;é</E>");
}

#[test]
fn what_xml_has_no_form_for_is_replaced() {
    assert_eq!(
        written("a\0b\u{1f}c\u{ffff}\u{b}"),
        "<E>a\u{fffd}b\u{fffd}c\u{fffd}\u{fffd}</E>"
    );
    // These are allowed, if discouraged.
    assert_eq!(written("\u{7f}\u{85}"), "<E>\u{7f}\u{85}</E>");
}
