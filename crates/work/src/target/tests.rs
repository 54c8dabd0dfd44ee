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
    let check = |targets: Vec<Target>| {
        Settings {
            targets,
            ..Settings::default()
        }
        .check()
    };
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

#[test]
fn a_remote_needs_an_address_a_key_and_buckets() {
    let remote = |endpoint: &str, buckets: &[&str]| Remote {
        name: "far".to_owned(),
        endpoint: endpoint.to_owned(),
        region: region(),
        access_key: "id".to_owned(),
        secret_key: Secret::from("secret".to_owned()),
        buckets: buckets.iter().map(|b| (*b).to_owned()).collect(),
    };
    let check = |remotes: Vec<Remote>| {
        Settings {
            remotes,
            ..Settings::default()
        }
        .check()
    };
    assert!(check(vec![remote("https://s3.example.org", &["copies"])]).is_ok());
    assert!(check(vec![remote("ftp://s3.example.org", &["copies"])]).is_err());
    assert!(check(vec![remote("https://s3.example.org", &[])]).is_err());
    let twice = remote("https://s3.example.org", &["*"]);
    assert!(check(vec![twice.clone(), twice]).is_err());
    let shown = format!("{:?}", remote("https://s3.example.org", &["*"]));
    assert!(!shown.contains("secret\""), "{shown}");
}
