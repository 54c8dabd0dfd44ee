//! Running a program, or rules to their fixpoint: what it touches is inferred and decided first, then held, then it runs and is committed once.
//!
//! Deliberately absent: what programs mean, how what they touch is inferred (the engine's).

use craton_base::{Error, GraphName, Kind, Result};
use craton_gate::{Ask, ReadPermit, Work};
use craton_graph::{
    Control,
    engine::Share,
    exec,
    stored::{
        fixpoint,
        program::{Program, READ, WRITE},
    },
    threads::at_leisure,
    writer::GraphWriter,
};
use http::Response;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::{
    Call, Operation,
    ops::{Cancel, blocking, limits, number, wrong},
    progress,
};
use crate::http::Body;

/// The longest text of a program, in bytes; facts in any number are loaded.
const PROGRAM_BYTES_MAX: usize = 16 << 20;
/// The most steps that are told one by one.
const TOLD_MAX: usize = 1000;
/// A text up to here is read before memory is reserved.
const SMALL_BYTES_MAX: usize = 64 << 10;

pub(super) async fn run(mut call: Call<'_>) -> Result<Response<Body>> {
    let path = call.facts()?;
    let of_rules = call.route.operation == Operation::RunRules;
    let (mut steps, mut most, mut bounds) = (None, 0, fixpoint::Options::default());
    match of_rules {
        true => bounds = bounds_of_rules(&mut call)?,
        false => (steps, most) = (number(&mut call, "steps")?, told_max(&mut call)?),
    }
    let limits = limits(&mut call)?;
    call.end_query()?;
    let mut text = Vec::new();
    let is_all = read(&mut call, &mut text, SMALL_BYTES_MAX).await?;
    // Memory before borrows: who holds a part of the graph never waits for memory.
    let memory = call.graphs.reserve(Share::Work).await?;
    if !is_all && !read(&mut call, &mut text, PROGRAM_BYTES_MAX).await? {
        let message = format!("a program has at most {PROGRAM_BYTES_MAX} bytes of text; load facts instead");
        return Err(Error::new(Kind::TooLarge, "ProgramTooLarge", message));
    }
    let may_stop = steps.is_some();
    let (mut program, parts) = blocking(move || {
        let program = match of_rules {
            true => Program::of_rules(&path, &text)?,
            false => Program::read(&path, &text, may_stop)?,
        };
        let parts = program.parts()?;
        Ok((program, parts))
    })
    .await?;
    let work = Work {
        operation: call.route.operation.name(),
        path: program.whole(),
        read: READ,
        write: WRITE,
    };
    // Its facts are matched with another graph's, as that is when the program begins.
    let mut others = Vec::new();
    for name in program.graphs()? {
        let ask = Ask::new(call.route.operation.name(), READ, program.other(&name));
        others.push((name, call.gate.read(call.session, ask).await?));
    }
    let permit = call.gate.work(call.session, work, parts).await?;
    let control = call.graphs.control(limits);
    let cancel = Cancel(control.clone());
    let writer = call.graphs.writer(permit, control.clone())?;
    for name in program.sinks()? {
        let ask = Ask::new(call.route.operation.name(), WRITE, program.other(&name));
        let permit = call.gate.write(call.session, ask).await?;
        program.writes(name, call.graphs.writer(permit, control.clone())?);
    }
    let options = exec::Options {
        steps: steps.unwrap_or(u64::MAX),
        gathered_bytes_max: usize::try_from(memory.bytes() / 4).unwrap_or(usize::MAX),
        told_max: most,
    };
    let work = at_leisure(move || {
        let ending = writer.permit().ending();
        let ran = run_program(
            (program, others),
            &writer,
            (options, bounds),
            &control,
            memory.bytes(),
        );
        ran.inspect_err(|e| ending.failed(e.kind(), e.reason()))
    });
    progress::answer(call.headers, cancel, work).await
}

/// The limits of rules that make new terms.
pub(super) fn bounds_of_rules(call: &mut Call<'_>) -> Result<fixpoint::Options> {
    let most = fixpoint::Options::default();
    let depth = number(call, "depth")?.map(|depth| u32::try_from(depth).unwrap_or(u32::MAX));
    Ok(fixpoint::Options {
        rounds: number(call, "rounds")?.unwrap_or(most.rounds),
        depth: depth.unwrap_or(most.depth),
    })
}

/// How many steps are told one by one.
fn told_max(call: &mut Call<'_>) -> Result<usize> {
    match call.query.text("report").as_deref() {
        None | Some("no") => Ok(0),
        Some("yes") => Ok(TOLD_MAX),
        Some(other) => Err(wrong("report", other)),
    }
}

/// Reads more of the body, until its end (true) or until there is more than `most`.
pub(super) async fn read(call: &mut Call<'_>, text: &mut Vec<u8>, most: usize) -> Result<bool> {
    while let Some(frame) = call.body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        text.extend_from_slice(&data);
        if text.len() > most {
            return Ok(false);
        }
    }
    Ok(true)
}

fn run_program(
    (program, others): (Program, Vec<(GraphName, ReadPermit)>),
    writer: &GraphWriter,
    (options, bounds): (exec::Options, fixpoint::Options),
    control: &Control,
    memory: u64,
) -> Result<Value> {
    let rules = program.rules().clone();
    let mut space = program.open(writer, memory / 2)?;
    if !rules.layers.is_empty() {
        let report = fixpoint::run(&mut space, &rules, bounds)?;
        let committed = space.commit()?;
        return Ok(json!({
            "rounds": report.rounds,
            "added": report.added,
            "replaced": report.replaced,
            "failed_evaluations": report.failed_evaluations,
            "failures": report.failures,
            "warnings": rules.warnings,
            "snapshot": committed.sequence.0,
        }));
    }
    for (name, permit) in &others {
        space.reads(name, writer.graphs().snapshot(permit, control.clone())?);
    }
    let report = exec::run(&mut space, options, control)?;
    let committed = space.commit()?;
    Ok(json!({
        "steps": report.steps,
        "matches": report.matches,
        "added": report.added,
        "removed": report.removed,
        "failed_evaluations": report.failed_evaluations,
        "failures": report.failures,
        "finished": report.finished,
        "each": report.each.iter().map(shown).collect::<Vec<_>>(),
        "snapshot": committed.sequence.0,
    }))
}

/// What a step did.
fn shown(told: &exec::Told) -> Value {
    json!({
        "exec": told.exec,
        "steps": told.steps,
        "how": if told.joined { "join" } else { "matches" },
        "matches": told.matches,
        "added": told.added,
        "removed": told.removed,
        "read_bytes": told.read_bytes,
        "spilled_bytes": told.spilled_bytes,
        "memory_bytes": told.peak_bytes,
        "ms": told.time.as_secs_f64() * 1000.0,
    })
}
