"""The Gene Ontology classified by library/el.metta: the same as an independent reasoner finds, and what the ontology's own release says.

A tenth of the terms with all that is above them, a quarter of the ontology; with `CRATON_ONTOLOGY=all` the whole of it, as `cargo xtask bench rules el` does.
"""

import os
import subprocess

import pytest

from gene_ontology import QUERY, ROOT, GeneOntology, closed, subsumptions
from server import binary, unique
from test_graph import call

# What follows and the release does not say: terms whose names say more than the release has of them.
SAID_OTHERWISE = {
    "regulation of plant-type cell wall organization or biogenesis",
    "positive regulation of salicylic acid mediated signaling pathway",
}
SECONDS_MAX = 900


@pytest.fixture(scope="module")
def ontology() -> GeneOntology:
    return GeneOntology(None if os.environ.get("CRATON_ONTOLOGY") == "all" else 4000)


def command(server, *arguments: object) -> str:
    """As the server's own, for what takes long."""
    environment = os.environ | {"CRATON_ENDPOINT": server.endpoint, "CRATON_DATA": str(server.data), "NO_PROXY": "*"}
    done = subprocess.run([binary(), *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=SECONDS_MAX)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.timeout(SECONDS_MAX)
def test_el_classification(server, ontology, tmp_path):
    graph = f"{unique('ontology')}/go"
    server.command("mb", graph.split("/")[0])
    file = tmp_path / "go.nt"
    file.write_text("\n".join(ontology.triples()))
    command(server, "graph", "load", graph, file)
    command(server, "graph", "reason", graph, ROOT / "library" / "el.metta")
    answer = call(server.root, server, "POST", f"{graph}/query", QUERY.encode())
    assert answer.status_code == 200, answer.text[:1000]
    found = subsumptions(answer.text)

    # No difference to the reference.
    expected = ontology.classified()
    assert found == expected, (len(found), len(expected), sorted(found ^ expected)[:10])
    assert len(found) > 100_000

    # The release's own: what follows stands in it, and most of the links that were left out follow.
    release = closed(ontology.released, ontology.names)
    assert {ontology.names[above] for _, above in found - release} <= SAID_OTHERWISE
    again = ontology.left_out & found
    assert len(ontology.left_out) > 4000 and len(again) > 0.85 * len(ontology.left_out), (len(again), len(ontology.left_out))
