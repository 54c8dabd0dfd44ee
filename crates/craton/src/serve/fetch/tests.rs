//! What is not reached.

use super::*;

fn networks(text: &[&str]) -> Vec<Network> {
    text.iter().map(|t| t.parse().unwrap()).collect()
}

#[test]
fn nothing_inside_is_reached_unless_it_is_named() {
    let inside = [
        "127.0.0.1",
        "10.1.2.3",
        "172.20.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "192.0.2.1",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "ff02::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
        "2001::1",
    ];
    for text in inside {
        let address: IpAddr = text.parse().unwrap();
        assert!(!may_reach(address, &[]), "{text}");
    }
    for text in ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111"] {
        assert!(may_reach(text.parse().unwrap(), &[]), "{text}");
    }
    let named = networks(&["127.0.0.0/8"]);
    assert!(may_reach("127.0.0.1".parse().unwrap(), &named));
    assert!(may_reach("::ffff:127.0.0.1".parse().unwrap(), &named));
    assert!(!may_reach("10.0.0.1".parse().unwrap(), &named));
}

#[test]
fn addresses_of_documents_are_https_and_public() {
    let fetch = GuardedFetch::new(&[]).unwrap();
    for bad in [
        "http://id.example/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://169.254.169.254/latest",
        "file:///etc/passwd",
        "https://user:pass@id.example/",
        "http://127.0.0.1/",
        "https://0x7f000001/",
        "https://2130706433/",
        "gopher://x",
    ] {
        assert_eq!(fetch.check(bad).unwrap_err().kind(), Kind::Denied, "{bad}");
    }
    assert!(fetch.check("https://id.example/x").is_ok());
    let named = GuardedFetch::new(&networks(&["127.0.0.1"])).unwrap();
    assert!(named.check("http://127.0.0.1:9999/x").is_ok());
    assert!(named.check("http://10.0.0.1/x").is_err());
    assert!(named.check("http://id.example/x").is_err());
}

/// A name that resolves inside is as good as none: what it resolves to is what is connected to.
#[tokio::test]
async fn ghsa_m479_a_name_that_resolves_inside_is_not_reached() {
    let fetch = GuardedFetch::new(&[]).unwrap();
    let error = fetch.get("https://localhost:1/x").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
}
