//! Undo windows: what a document says, and what a bucket has.

use super::*;

#[test]
fn a_window_is_whole_seconds_up_to_its_longest() {
    for (text, seconds) in [("0", 0), ("3600", 3600), ("34560000", 34_560_000)] {
        let parsed = parse(&Bytes::from_static(text.as_bytes())).unwrap();
        assert_eq!(parsed, Duration::from_secs(seconds), "{text}");
    }
    for text in ["", "-1", "1h", "34560001", "99999999999999999999"] {
        let error = parse(&Bytes::from_static(text.as_bytes())).unwrap_err();
        assert_eq!(error.reason(), "InvalidUndoWindow", "{text}");
    }
}

#[test]
fn a_change_says_what_is_read() {
    let hour = Duration::from_hours(1);
    let change = UndoWindow::change(Some(hour)).unwrap();
    assert_eq!(change, ConfigurationChange::set(Subresource::UndoWindow, "3600"));
    let none = UndoWindow::change(None).unwrap();
    assert_eq!(none, ConfigurationChange::remove(Subresource::UndoWindow));
    assert!(UndoWindow::change(Some(UNDO_WINDOW_MAX + hour)).is_err());
}
