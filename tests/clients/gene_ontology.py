"""The Gene Ontology as axioms in OWL 2 EL, and what its own release says.

The release has the terms and their links after its own reasoner ran. What that reasoner ran over is put together again here: a term that is called
"regulation of X" and regulates X is defined so (biological regulation that regulates some X; 8,140 terms, with positive and negative), and the links
from one such term to another (17,049 of the release) are left out: they are to be inferred.
"""

import csv
import gzip
import os
import random
from pathlib import Path

from el import Reference

ROOT = Path(os.environ["CRATON_ROOT"])
FOLDER = ROOT / "datasets" / "gene-ontology"
RDF, RDFS, OWL = "http://www.w3.org/1999/02/22-rdf-syntax-ns#", "http://www.w3.org/2000/01/rdf-schema#", "http://www.w3.org/2002/07/owl#"
REGULATION = "GO:0065007"
ROOTS = ["GO:0008150", "GO:0005575", "GO:0003674"]
SIGNS = {"regulates": "regulation of ", "positively regulates": "positive regulation of ", "negatively regulates": "negative regulation of "}


def table(name: str) -> list[dict[str, str]]:
    with gzip.open(FOLDER / name, "rt") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


# Terms, and what each is below.
QUERY = f"(, (subsumed $a $b) (triple $a <{RDF}type> <{OWL}Class>) (triple $b <{RDF}type> <{OWL}Class>)) (, ($a $b))"


class GeneOntology:
    """Its axioms; or, of so many of its terms, drawn by lot, and all that is above them: what follows of these follows of them alone."""

    def __init__(self, drawn: int | None = None):
        self.names = {row["go_id"]: row["name"] for row in table("terms.tsv.gz")}
        rows = [(row["child"], row["relation"], row["parent"]) for row in table("parents.tsv.gz")]
        if drawn is not None:
            up: dict[str, list[str]] = {}
            for a, _, b in rows:
                up.setdefault(a, []).append(b)
            left = [*random.Random(0).sample(sorted(self.names), drawn), REGULATION, *ROOTS]
            kept = set(left)
            while left:
                more = set(up.get(left.pop(), [])) - kept
                kept |= more
                left += more
            self.names = {term: name for term, name in self.names.items() if term in kept}
            rows = [row for row in rows if row[0] in kept]
        self.released = {(a, b) for a, relation, b in rows if relation == "isa"}
        self.defined = {a: (r, b) for a, r, b in rows if r in SIGNS and self.names[a] == SIGNS[r] + self.names[b]}
        self.left_out = {(a, b) for a, b in self.released if a in self.defined and b in self.defined}
        self.below = sorted(self.released - self.left_out)
        self.some = [(a, r, b) for a, r, b in rows if r != "isa" and self.defined.get(a) != (r, b)]
        # As the Relation Ontology has them.
        self.roles = [("positively regulates", "regulates"), ("negatively regulates", "regulates")]
        self.transitive = ["part of"]
        self.chains = [("negatively regulates", "negatively regulates", "positively regulates")]
        self.disjoint = [(a, b) for a in ROOTS for b in ROOTS if a < b]

    def classified(self) -> set[tuple[str, str]]:
        """By the reference."""
        reference, named = Reference(), lambda term: ("class", term)
        for term in self.names:
            reference.left(named(term))
        for a, b in self.below:
            reference.below(named(a), named(b))
        for a, r, b in self.some:
            reference.below(named(a), ("some", r, named(b)))
        for a, (r, b) in self.defined.items():
            reference.same(named(a), ("and", named(REGULATION), ("some", r, named(b))))
        for a, b in self.disjoint:
            reference.below(("and", named(a), named(b)), ("bottom",))
        for pair in self.roles:
            reference.role_below(*pair)
        for chain in self.chains + [(r, r, r) for r in self.transitive]:
            reference.chain(*chain)
        above, classes = reference.classify(), reference.classes()
        assert not any(reference.bottom in above[number] for number in classes)
        return {(classes[one], classes[other]) for one in classes for other in above[one] if other in classes}

    def triples(self) -> list[str]:
        """As N-Triples."""
        out, nodes = [], iter(range(1 << 30))
        term = lambda id: f"<http://purl.obolibrary.org/obo/{id.replace(':', '_')}>"
        role = lambda name: f"<http://e.org/{name.replace(' ', '_')}>"
        blank = lambda: f"_:n{next(nodes)}"

        def say(s: str, p: str, o: str):
            out.append(f"{s} <{p}> {o} .")

        def some(r: str, b: str) -> str:
            node = blank()
            say(node, OWL + "onProperty", role(r))
            say(node, OWL + "someValuesFrom", term(b))
            return node

        def chain(items: list[str]) -> str:
            if not items:
                return f"<{RDF}nil>"
            node = blank()
            say(node, RDF + "first", items[0])
            say(node, RDF + "rest", chain(items[1:]))
            return node

        for id in self.names:
            say(term(id), RDF + "type", f"<{OWL}Class>")
        for a, b in self.below:
            say(term(a), RDFS + "subClassOf", term(b))
        for a, r, b in self.some:
            say(term(a), RDFS + "subClassOf", some(r, b))
        for a, (r, b) in self.defined.items():
            both = blank()
            say(both, OWL + "intersectionOf", chain([term(REGULATION), some(r, b)]))
            say(term(a), OWL + "equivalentClass", both)
        for a, b in self.disjoint:
            say(term(a), OWL + "disjointWith", term(b))
        for narrow, wide in self.roles:
            say(role(narrow), RDFS + "subPropertyOf", role(wide))
        for r in self.transitive:
            say(role(r), RDF + "type", f"<{OWL}TransitiveProperty>")
        for first, second, whole in self.chains:
            say(role(whole), OWL + "propertyChainAxiom", chain([role(first), role(second)]))
        return out


def subsumptions(answer: str) -> set[tuple[str, str]]:
    """Pairs of terms of an answer that has two of them on each line."""
    id = lambda text: text.rsplit("/", 1)[1].rstrip(">").replace("_", ":")
    return {tuple(id(item) for item in line.strip("()").split(" ")) for line in answer.splitlines()}


def closed(pairs: set[tuple[str, str]], terms) -> set[tuple[str, str]]:
    """Reflexive and transitive."""
    up: dict[str, list[str]] = {term: [] for term in terms}
    for a, b in pairs:
        up[a].append(b)
    out = set()
    for term in terms:
        seen, left = {term}, [term]
        while left:
            for above in up[left.pop()]:
                if above not in seen:
                    seen.add(above)
                    left.append(above)
        out |= {(term, above) for above in seen}
    return out
