//! The client commands against a real server.

use serde_json::Value;

use crate::server::{Folder, Server, craton, path, text};

/// Runs a command that must succeed; what it says.
fn done(server: &Server, arguments: &[&str]) -> String {
    let done = server.command(arguments);
    assert!(done.status.success(), "{arguments:?}: {}", text(&done.stderr));
    text(&done.stdout)
}

/// Runs a command that must fail; its exit code and what it says.
fn fails(server: &Server, arguments: &[&str]) -> (Option<i32>, String) {
    let failed = server.command(arguments);
    (failed.status.code(), text(&failed.stderr))
}

#[test]
fn objects_go_in_and_out() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let (small, large) = (folder.0.join("small"), folder.0.join("large"));
    std::fs::write(&small, b"hello").unwrap();
    let content: Vec<u8> = (0..20_000_000u32)
        .flat_map(|n| (n.wrapping_mul(2_654_435_761) >> 24).to_le_bytes())
        .take(20 << 20)
        .collect();
    std::fs::write(&large, &content).unwrap();
    done(&server, &["mb", "data"]);
    done(&server, &["put", path(&small), "data/a/small"]);
    done(&server, &["put", path(&large), "s3://data/a/"]);
    assert_eq!(done(&server, &["ls"]).trim(), "data");
    let listed: Value = serde_json::from_str(&done(&server, &["ls", "data", "-r", "--json"])).unwrap();
    let keys: Vec<&str> = listed["objects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| o["key"].as_str().unwrap())
        .collect();
    assert_eq!(keys, ["a/large", "a/small"]);
    assert!(done(&server, &["ls", "data"]).contains("a/"));
    let back = folder.0.join("back");
    done(&server, &["get", "data/a/large", path(&back)]);
    assert!(std::fs::read(&back).unwrap() == content);
    assert_eq!(done(&server, &["get", "data/a/small", "-"]), "hello");
    assert_eq!(fails(&server, &["get", "data/none", path(&back)]).0, Some(3));
    assert!(
        std::fs::read(&back).unwrap() == content,
        "a failed download left its target alone"
    );
    assert_eq!(fails(&server, &["rb", "data"]).0, Some(5));
    done(&server, &["rm", "data/a/small"]);
    done(&server, &["rm", "data", "--recursive"]);
    done(&server, &["rb", "data"]);
    assert_eq!(server.end(), Some(0));
}

#[test]
fn a_user_is_made_limited_explained_and_removed() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let (policy, object) = (folder.0.join("policy.json"), folder.0.join("object"));
    std::fs::write(&object, b"content").unwrap();
    let document = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Open","Effect":"Allow","Action":"s3:GetObject",
                       "Resource":"arn:aws:s3:::data/open/*"}]}"#;
    std::fs::write(&policy, document).unwrap();
    done(&server, &["mb", "data"]);
    done(&server, &["put", path(&object), "data/open/a"]);
    done(&server, &["put", path(&object), "data/closed/a"]);
    let credentials = folder.0.join("ana");
    std::fs::write(&credentials, done(&server, &["user", "add", "ana"])).unwrap();
    done(&server, &["policy", "put", "ana", "narrow", path(&policy)]);
    assert_eq!(done(&server, &["policy", "list", "ana"]).trim(), "narrow");
    assert_eq!(
        done(&server, &["user", "list"]).lines().collect::<Vec<_>>(),
        ["ana"],
        "root is no user"
    );

    let as_ana = ["--credentials", path(&credentials)];
    assert_eq!(
        done(&server, &[&["get", "data/open/a", "-"], &as_ana[..]].concat()),
        "content"
    );
    let (code, said) = fails(&server, &[&["get", "data/closed/a", "-"], &as_ana[..]].concat());
    assert_eq!(code, Some(4), "{said}");
    let id = said
        .split_once("(decision ")
        .unwrap()
        .1
        .split(')')
        .next()
        .unwrap()
        .to_owned();
    assert!(done(&server, &["explain", "--decision", &id]).contains("implicit-deny"));
    assert!(
        done(
            &server,
            &["explain", "ana", "s3:GetObject", "arn:aws:s3:::data/open/a"]
        )
        .contains("narrow#Open")
    );
    assert_eq!(
        fails(&server, &[&["user", "list"], &as_ana[..]].concat()).0,
        Some(4)
    );

    done(&server, &["user", "rm", "ana"]);
    assert_eq!(
        fails(&server, &[&["get", "data/open/a", "-"], &as_ana[..]].concat()).0,
        Some(4)
    );
    assert_eq!(fails(&server, &["policy", "list", "ana"]).0, Some(3));
}

#[test]
fn the_ledger_is_listed_verified_and_proven_also_when_no_server_runs() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    done(&server, &["mb", "data"]);
    done(&server, &["bucket", "strict", "data", "on"]);
    assert!(done(&server, &["keys", "rotate"]).contains("root key"));
    let listed: Value =
        serde_json::from_str(&done(&server, &["audit", "list", "--kind", "write", "--json"])).unwrap();
    let records = listed["records"].as_array().unwrap();
    let operations: Vec<&str> = records.iter().map(|r| r["operation"].as_str().unwrap()).collect();
    assert_eq!(operations, ["SetBucketStrict", "CreateBucket"]);
    let id = records[1]["id"].as_str().unwrap();
    let (receipt, earlier) = (folder.0.join("receipt"), folder.0.join("checkpoint"));
    std::fs::write(&receipt, done(&server, &["audit", "prove", id])).unwrap();
    std::fs::write(&earlier, done(&server, &["audit", "checkpoint"])).unwrap();
    let key = done(&server, &["audit", "key"]);
    assert!(done(&server, &["audit", "verify", "--earlier", path(&earlier)]).contains("verifies"));
    assert_eq!(server.end(), Some(0));

    let data = folder.data();
    let verify = [
        "audit",
        "verify",
        "--data",
        path(&data),
        "--earlier",
        path(&earlier),
    ];
    let offline = craton(&verify)
        .args(["--endpoint", "http://127.0.0.1:1"])
        .output()
        .unwrap();
    assert!(offline.status.success(), "{}", text(&offline.stderr));
    let proven = craton(&["audit", "receipt-verify", path(&receipt), key.trim()])
        .output()
        .unwrap();
    assert!(proven.status.success(), "{}", text(&proven.stderr));
    let forged = std::fs::read_to_string(&receipt)
        .unwrap()
        .replacen("\"index\": ", "\"index\": 1", 1);
    std::fs::write(&receipt, forged).unwrap();
    let refused = craton(&["audit", "receipt-verify", path(&receipt), key.trim()])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(9));
}

#[test]
fn without_a_server_or_credentials_it_says_so() {
    let unreachable = craton(&["mb", "data", "--endpoint", "http://127.0.0.1:1"])
        .envs([
            ("AWS_ACCESS_KEY_ID", "AKIAAAAAAAAAAAAAAAAA"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
        ])
        .output()
        .unwrap();
    assert_eq!(unreachable.status.code(), Some(10));
    let nobody = craton(&["ls"]).output().unwrap();
    assert_eq!(nobody.status.code(), Some(3));
    assert!(text(&nobody.stderr).contains("AWS_ACCESS_KEY_ID"));
}

#[test]
fn the_tour_holds() {
    let tour = craton(&["tour", "--large", "64MiB"]).output().unwrap();
    assert!(
        tour.status.success(),
        "{}\n{}",
        text(&tour.stdout),
        text(&tour.stderr)
    );
    let said = text(&tour.stdout);
    for word in [
        "every byte is the same",
        "implicit-deny",
        "proven",
        "refused",
        "at the peak",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
}
