//! The table of steps, and the one place that says which of them have no content yet.

use std::path::PathBuf;

use super::{
    Context,
    command::{Command, Counts},
    npm, oracle, python,
};

/// A step of the gate.
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// What must be there for the step to mean something.
    pub(super) folder: Option<&'static str>,
    pub(super) run: fn(&Context) -> Result<Counts, String>,
}

/// Steps whose content is still being written: without it they do not fail. Take a name out as soon as
/// the step has content; it must never come back.
pub(super) const NOT_YET: &[&str] = &[];

const fn step(
    name: &'static str,
    about: &'static str,
    folder: Option<&'static str>,
    run: fn(&Context) -> Result<Counts, String>,
) -> Step {
    Step {
        name,
        about,
        folder,
        run,
    }
}

/// In the order in which they run: what fails fast comes first.
pub(super) const STEPS: &[Step] = &[
    step("format", "rustfmt has nothing to change", None, format),
    step("tidy", "style that is a test", None, tidy),
    step("clippy", "no warning in any crate or test", None, clippy),
    step("unit", "tests of the crates", None, unit),
    step(
        "doctest",
        "examples in the documentation of the crates",
        None,
        doctest,
    ),
    step("build", "the binary that the next steps drive", None, build),
    step(
        "docs",
        "the commands of the documents do what they say",
        Some("tests/docs"),
        docs,
    ),
    step(
        "clients",
        "stock clients against the real binary",
        Some("tests/clients"),
        clients,
    ),
    step(
        "oracles",
        "independent implementations agree",
        Some("tests/oracle"),
        oracle::run,
    ),
    step(
        "crash",
        "kill -9 at random points loses nothing; a large object fits in little memory",
        Some("tests/crash"),
        crash,
    ),
    step(
        "bench",
        "the benchmark runs against the binary and gets no wrong answer",
        Some("bench/s3"),
        bench,
    ),
    step(
        "power",
        "simulated power cuts lose nothing",
        Some("crates/store/tests/simulated"),
        power,
    ),
];

const CLIENT_IN_RUST: &str = "tests/rust/Cargo.toml";

/// Cycles of the crash tests, the size of the large object and the operations whose lineage is compared here; without the
/// variables they are smaller.
const CRASH_SIZES: &[(&str, &str)] = &[
    ("CRATON_KILL_CYCLES", "200"),
    ("CRATON_BIG_BYTES", "10737418240"),
    ("CRATON_LINEAGE_OPERATIONS", "10000"),
];
/// Power cuts of the simulated disk here, 100,000 together: of the namespace and of the whole store, which take
/// ten times as long for each, and of blobs, journal and keyring; and how many at each point of each
/// operation that is enumerated, which come on top. Without the variables there are a few thousand.
const POWER_CUTS: &[(&str, &str)] = &[
    ("CRATON_POWER_CUTS", "30000"),
    ("CRATON_STORE_CUTS", "35000"),
    ("CRATON_CUTS", "35000"),
    ("CRATON_CRASH_SEEDS", "6"),
];
/// The test binaries that make them.
const POWER_BINARIES: &[&str] = &[
    "simulated",
    "namespace_power_cuts",
    "store_power_cuts",
    "crash_points",
];

fn format(context: &Context) -> Result<Counts, String> {
    context.cargo(["fmt", "--all", "--check"]).run().map(Counts::one)
}

fn tidy(context: &Context) -> Result<Counts, String> {
    crate::tidy::run(&context.root).map(Counts::one)
}

fn clippy(context: &Context) -> Result<Counts, String> {
    context
        .cargo([
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ])
        .run()
        .map(Counts::one)
}

fn unit(context: &Context) -> Result<Counts, String> {
    tests(context, &[]).run()
}

/// The tests of the workspace, or of its test binaries of some names: by nextest where it is installed,
/// by cargo's own runner elsewhere.
fn tests(context: &Context, binaries: &[&str]) -> Command {
    if context.cargo(["nextest", "--version"]).output().is_ok() {
        let chosen: Vec<String> = binaries.iter().map(|name| format!("binary({name})")).collect();
        let filter = (!chosen.is_empty()).then(|| ["-E".to_owned(), chosen.join(" | ")]);
        return context
            .cargo(["nextest", "run", "--workspace", "--locked"])
            .arguments(filter.into_iter().flatten());
    }
    let command = context.cargo(["test", "--workspace", "--locked", "--quiet"]);
    if binaries.is_empty() {
        return command.arguments(["--lib", "--bins", "--tests"]);
    }
    command.arguments(binaries.iter().flat_map(|name| ["--test", name]))
}

fn doctest(context: &Context) -> Result<Counts, String> {
    let counts = context
        .cargo(["test", "--workspace", "--locked", "--doc", "--quiet"])
        .run()?;
    Ok(if counts.passed == 0 {
        Counts::one(counts)
    } else {
        counts
    })
}

fn build(context: &Context) -> Result<Counts, String> {
    context
        .cargo([
            "build",
            "--workspace",
            "--locked",
            "--bins",
            "--examples",
            "--quiet",
        ])
        .run()
        .map(Counts::one)
}

fn docs(context: &Context) -> Result<Counts, String> {
    python::pytest(context, "tests/docs")?
        .variable("CRATON_TORCH_PYTHON", python::with_torch(context)?)
        .run()
}

fn clients(context: &Context) -> Result<Counts, String> {
    python::programs(&[
        ("rclone", "rclone"),
        ("s3cmd", "s3cmd"),
        ("node", "nodejs"),
        ("npm", "npm"),
        ("nats-server", "nats-server"),
    ])?;
    let node = context.target.join("clients-node");
    npm::packages(&context.root.join("tests/clients/node"), &node)
        .map_err(|e| format!("tests/clients/node: {e}"))?;
    let conformance = context.target.join("clients-mcp");
    npm::packages(&context.root.join("tests/clients/conformance"), &conformance)
        .map_err(|e| format!("tests/clients/conformance: {e}"))?;
    python::pytest(context, "tests/clients")?
        .variable("CRATON_NODE", node)
        .variable("CRATON_SPARK_PYTHON", python::with_spark(context)?)
        .variable("CRATON_MCP_CONFORMANCE", conformance)
        .variable("CRATON_TORCH_PYTHON", python::with_torch(context)?)
        .variable("CRATON_CLIENT_RUST", client_in_rust(context)?)
        .run()
}

/// Builds the program around AWS's client for Rust, a workspace of its own.
fn client_in_rust(context: &Context) -> Result<PathBuf, String> {
    let built = context.target.join("clients-rust");
    context
        .cargo(["build", "--locked", "--quiet", "--manifest-path", CLIENT_IN_RUST])
        .variable("CARGO_TARGET_DIR", &built)
        .run()?;
    Ok(built.join("debug/craton-client-rust"))
}

fn crash(context: &Context) -> Result<Counts, String> {
    let command = python::pytest(context, "tests/crash")?;
    CRASH_SIZES
        .iter()
        .fold(command, |command, (name, size)| command.variable(name, size))
        .run()
}

fn bench(context: &Context) -> Result<Counts, String> {
    crate::bench::smoke(&context.root)?;
    crate::bench::graph_smoke(&context.root).map(Counts::one)
}

fn power(context: &Context) -> Result<Counts, String> {
    let command = tests(context, POWER_BINARIES);
    POWER_CUTS
        .iter()
        .fold(command, |command, (name, cuts)| command.variable(name, cuts))
        .run()
}
