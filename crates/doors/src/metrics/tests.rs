use super::*;

struct Two;

impl Gauges for Two {
    fn gauges(&self) -> Vec<Gauge> {
        vec![
            Gauge {
                name: "craton_budget_used_bytes",
                help: "Used.",
                value: 12.0,
            },
            Gauge {
                name: "craton_ledger_size",
                help: "Records.",
                value: 3.0,
            },
        ]
    }
}

#[test]
fn requests_and_gauges_are_shown() {
    let metrics = Metrics::new(Arc::new(Two)).unwrap();
    metrics.begin();
    metrics.end(&Done {
        door: "s3",
        operation: "GetObject",
        status: 206,
        seconds: 0.002,
        bytes_in: 0,
        bytes_out: 4096,
    });
    let text = String::from_utf8(metrics.render().unwrap()).unwrap();
    for line in [
        r#"craton_requests_total{door="s3",operation="GetObject",status="2xx"} 1"#,
        r#"craton_content_bytes_total{direction="out",door="s3"} 4096"#,
        "craton_requests_active 0",
        "craton_budget_used_bytes 12",
        "craton_ledger_size 3",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
}
