//! The Gene Ontology as a graph: facts from its files, a program, and what it found about a chromosome.

use craton_base::Result;
use http::Method;
use serde_json::Value;

use super::{BUCKET, Tour, broken, objects, point, seconds};
use crate::client::{read_json, read_text};

/// The program of docs/graph/gene-ontology.md.
const PROGRAM: &str = include_str!("../../../../docs/graph/gene-ontology.mm2");

/// How many facts the program must make; as `datasets/README.md` says.
const ANCESTORS: u64 = 748_391;
const TERMS_OF_GENES: u64 = 2_114_381;

/// The fewest genes of the study that a term has for it to be shown.
const GENES_MIN: u64 = 10;

pub(super) async fn run(tour: &mut Tour) -> Result<()> {
    let graph = format!("{BUCKET}/gene-ontology");
    let (facts, took) = tour.timed(load(tour, &graph)).await?;
    point(
        "loaded",
        &format!("{facts} facts from four files, {}", seconds(took)),
    );
    let (done, took) = tour.timed(program(tour, &graph)).await?;
    let steps = number(&done, "steps")?;
    point(
        "ran",
        &format!("a program of {steps} rules, one commit, {}", seconds(took)),
    );
    for (relation, expected, what) in [
        ("ancestor", ANCESTORS, "pairs of a term and what it is"),
        ("has", TERMS_OF_GENES, "pairs of a gene and a term that it has"),
    ] {
        let found = lines(tour, &graph, &format!("(, (pairs {relation} $n)) (, $n)")).await?;
        if found.trim() != expected.to_string() {
            return Err(broken(format!("{found:?} facts of {relation}, not {expected}")));
        }
        point("found", &format!("{expected} {what}"));
    }
    let (best, took) = tour.timed(enriched(tour, &graph)).await?;
    let [(fold, genes, name), ..] = best.as_slice() else {
        return Err(broken("no term is enriched"));
    };
    point(
        "asked",
        &format!(
            "what chromosome 21 is rich in: {name}, {genes} of its genes, {fold:.0} times as often as elsewhere, {}",
            seconds(took)
        ),
    );
    Ok(())
}

async fn load(tour: &Tour, graph: &str) -> Result<u64> {
    let mut facts = 0u64;
    for (name, bytes) in objects::datasets(tour)? {
        let file = name.rsplit('/').next().unwrap_or(name);
        let relation = file.split('.').next().unwrap_or(file);
        let path = format!("{graph}/facts?format=tsv&relation={relation}");
        let done = answer(tour, &path, bytes).await?;
        facts = facts.saturating_add(number(&done, "distinct")?);
    }
    Ok(facts)
}

async fn program(tour: &Tour, graph: &str) -> Result<Value> {
    let path = format!("{graph}/program");
    answer(tour, &path, PROGRAM.as_bytes().to_vec()).await
}

/// The terms that the study's genes have more often than all, by how much.
async fn enriched(tour: &Tour, graph: &str) -> Result<Vec<(f64, u64, String)>> {
    let query = "(, (enriched $term $k $n $fold) (terms $term $part $name)) (, ($fold $k $name))";
    let found = lines(tour, graph, query).await?;
    let mut out: Vec<(f64, u64, String)> = found.lines().filter_map(enrichment).collect();
    out.retain(|(_, genes, _)| *genes >= GENES_MIN);
    out.sort_by(|(a, ..), (b, ..)| b.total_cmp(a));
    Ok(out)
}

/// `(fold genes name)`.
fn enrichment(line: &str) -> Option<(f64, u64, String)> {
    let line = line.strip_prefix('(')?.strip_suffix(')')?;
    let mut parts = line.splitn(3, ' ');
    let (fold, genes, name) = (parts.next()?, parts.next()?, parts.next()?);
    Some((
        fold.parse().ok()?,
        genes.parse().ok()?,
        name.trim_matches('"').to_owned(),
    ))
}

async fn lines(tour: &Tour, graph: &str, query: &str) -> Result<String> {
    let path = format!("{graph}/query");
    let body = reqwest::Body::from(query.to_owned());
    read_text(tour.root.graph(Method::POST, &path, body).await?).await
}

async fn answer(tour: &Tour, path: &str, body: Vec<u8>) -> Result<Value> {
    let answered = tour
        .root
        .graph(Method::POST, path, reqwest::Body::from(body))
        .await?;
    read_json(answered).await
}

fn number(value: &Value, name: &str) -> Result<u64> {
    let found = value.get(name).and_then(Value::as_u64);
    found.ok_or_else(|| broken(format!("no number {name} in {value}")))
}
