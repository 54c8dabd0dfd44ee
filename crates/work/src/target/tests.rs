use super::*;

fn webhook(name: &str, url: &str) -> Target {
    Target {
        name: name.to_owned(),
        webhook: Some(Webhook {
            url: url.to_owned(),
            token: None,
        }),
        ..Target::default()
    }
}

#[test]
fn settings_that_can_not_work_are_refused() {
    let check = |targets: Vec<Target>| Settings { targets }.check();
    assert!(
        check(vec![
            webhook("a", "http://127.0.0.1:1/x"),
            webhook("b", "https://h.test")
        ])
        .is_ok()
    );
    assert!(check(vec![webhook("a", "http://h"), webhook("a", "http://h")]).is_err());
    assert!(
        check(vec![Target {
            name: "a".into(),
            ..Target::default()
        }])
        .is_err()
    );
    for name in ["", "a b", "a:b", "a/b"] {
        assert!(check(vec![webhook(name, "http://h")]).is_err(), "{name}");
    }
    for url in ["ftp://h", "http://", "h:1", "http://u:p@h", "file:///etc/passwd"] {
        assert!(check(vec![webhook("a", url)]).is_err(), "{url}");
    }
    for address in ["h", ":1", "h:", "h:0", "h:99999"] {
        let kafka = Kafka {
            brokers: vec![address.to_owned()],
            topic: "t".into(),
            tls: false,
            user: None,
            password: None,
        };
        let target = Target {
            name: "k".into(),
            kafka: Some(kafka),
            ..Target::default()
        };
        assert!(check(vec![target]).is_err(), "{address}");
    }
}
