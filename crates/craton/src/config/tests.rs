#![expect(
    clippy::disallowed_methods,
    reason = "a settings file is a file beside the store"
)]

use std::{ffi::OsString, io::Write as _, time::Duration};

use clap::{CommandFactory as _, Parser};

use super::{LogFormat, Settings, duration, layered};

#[derive(Debug, Parser)]
#[command(name = "craton")]
struct Line {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Debug, clap::Subcommand)]
enum Sub {
    Serve(Box<Settings>),
}

/// The settings of a command line, with `text` as its settings file.
fn settings(text: &str, flags: &[&str]) -> Result<Settings, String> {
    let mut file = tempfile();
    file.1.write_all(text.as_bytes()).unwrap();
    let mut arguments: Vec<OsString> =
        vec!["craton".into(), "serve".into(), "--config".into(), file.0.clone()];
    arguments.extend(flags.iter().map(OsString::from));
    let all = layered(&Line::command(), "serve", &arguments).map_err(|e| e.message().to_owned());
    drop(file.1);
    std::fs::remove_file(&file.0).unwrap();
    let line = Line::try_parse_from(all?).map_err(|e| e.to_string())?;
    let Sub::Serve(settings) = line.command;
    Ok(*settings)
}

fn tempfile() -> (OsString, std::fs::File) {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!(
        "craton-config-{}-{}.toml",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    );
    let path = std::env::temp_dir().join(name);
    let file = std::fs::File::create(&path).unwrap();
    (path.into_os_string(), file)
}

#[test]
fn defaults_hold_without_any_setting() {
    let found = settings("", &[]).unwrap();
    assert_eq!(found.address.to_string(), "127.0.0.1:9000");
    assert_eq!(found.memory.to_string(), "512MiB");
    assert_eq!(found.header_timeout, Duration::from_secs(30));
    assert_eq!(found.log_format, LogFormat::Text);
    assert!(found.domain.is_empty());
}

#[test]
fn the_file_wins_over_defaults_and_flags_win_over_the_file() {
    let text = "memory = \"128MiB\"\nregion = \"eu-1\"\nconnections-max = 7\nlog-format = \"json\"";
    let found = settings(text, &["--region", "here-1"]).unwrap();
    assert_eq!(found.memory.to_string(), "128MiB");
    assert_eq!(found.region, "here-1");
    assert_eq!(found.connections_max, 7);
    assert_eq!(found.log_format, LogFormat::Json);
}

#[test]
fn lists_come_from_one_value_or_many() {
    let found = settings(
        "domain = [\"S3.example.org\", \"b.test\"]\ntrusted-proxy = \"10.0.0.0/8\"",
        &[],
    )
    .unwrap();
    assert_eq!(found.domain, ["s3.example.org", "b.test"]);
    assert_eq!(found.trusted_proxy, ["10.0.0.0/8".parse().unwrap()]);
    let found = settings("domain = [\"a.test\"]", &["--domain", "b.test,c.test"]).unwrap();
    assert_eq!(found.domain, ["b.test", "c.test"]);
}

#[test]
fn unknown_keys_are_named() {
    let error = settings("memroy = \"1GiB\"\nregion = \"eu-1\"\nconfig = \"other\"", &[]).unwrap_err();
    assert!(
        error.contains("\"memroy\"") && error.contains("\"config\""),
        "{error}"
    );
    assert!(!error.contains("region"), "{error}");
}

#[test]
fn wrong_values_in_the_file_name_the_file_and_the_setting() {
    for (text, word) in [
        ("memory = \"1MiB\"", "memory"),
        ("memory = true", "memory"),
        ("address = \"nowhere\"", "address"),
        ("region = [\"a\", \"b\"]", "region"),
        ("tls-cert = \"cert.pem\"", "required arguments"),
        ("region = ", "file"),
    ] {
        let error = settings(text, &[]).unwrap_err();
        assert!(
            error.contains("in the file") && error.contains(word),
            "{text}: {error}"
        );
    }
}

#[test]
fn a_collectors_address_is_one_without_credentials() {
    assert_eq!(settings("", &[]).unwrap().otlp_endpoint, None);
    let found = settings("otlp-endpoint = \"http://localhost:4318\"", &[]).unwrap();
    assert_eq!(found.otlp_endpoint.as_deref(), Some("http://localhost:4318"));
    for wrong in [
        "localhost:4318",
        "ftp://localhost",
        "http://",
        "/v1/traces",
        "http://a:b@localhost",
        "http://localhost?key=1",
    ] {
        let error = settings("", &["--otlp-endpoint", wrong]).unwrap_err();
        assert!(error.contains("--otlp-endpoint"), "{wrong}: {error}");
    }
}

#[test]
fn every_setting_has_a_flag_and_a_variable_of_the_same_name() {
    let command = Line::command();
    let serve = command.find_subcommand("serve").unwrap();
    let mut count = 0;
    for argument in serve.get_arguments().filter(|a| a.get_id() != "help") {
        let long = argument.get_long().unwrap();
        let variable = format!("CRATON_{}", long.to_uppercase().replace('-', "_"));
        assert_eq!(argument.get_env().unwrap().to_str().unwrap(), variable);
        assert!(argument.get_help().is_some(), "{long} has no help");
        count += 1;
    }
    assert!(count >= 15);
}

#[test]
fn a_local_server_has_the_defaults() {
    let local = Settings::local("folder".into(), craton_base::ByteSize::mib(128)).unwrap();
    assert_eq!(
        (local.address.to_string().as_str(), local.data.to_str()),
        ("127.0.0.1:0", Some("folder"))
    );
    assert_eq!(local.memory.to_string(), "128MiB");
    assert_eq!(local.region, settings("", &[]).unwrap().region);
    assert!(Settings::local("folder".into(), craton_base::ByteSize::mib(1)).is_err());
}

#[test]
fn spans_of_time() {
    assert_eq!(duration::parse("500ms").unwrap(), Duration::from_millis(500));
    assert_eq!(duration::parse("15m").unwrap(), Duration::from_secs(900));
    assert_eq!(duration::parse("7d").unwrap(), Duration::from_secs(604_800));
    for bad in ["", "s", "5", "0s", "1.5s", "99999999999d", "-1s", "1 s"] {
        assert!(duration::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_documentation_has_every_setting_with_its_default() {
    let text = include_str!("../../../../docs/operating.md");
    let command = Line::command();
    let serve = command.find_subcommand("serve").unwrap();
    for argument in serve.get_arguments().filter(|a| a.get_id() != "help") {
        let long = argument.get_long().unwrap();
        let row = text
            .lines()
            .find(|l| l.starts_with('|') && l.contains(&format!("`{long}`")));
        let row = row.unwrap_or_else(|| panic!("{long} is not in docs/operating.md"));
        for default in argument.get_default_values() {
            assert!(
                row.contains(&format!("`{}`", default.to_str().unwrap())),
                "{long}: {row}"
            );
        }
    }
}
