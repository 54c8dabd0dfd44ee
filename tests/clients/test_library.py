"""Every file of library/, on random data, against an independent computation of what it says it makes."""

import os
import random
from pathlib import Path

import networkx as nx
import pytest

from server import Server, unique
from test_graph import call

LIBRARY = Path(os.environ["CRATON_ROOT"]) / "library"
RDF, RDFS, OWL = "http://www.w3.org/1999/02/22-rdf-syntax-ns#", "http://www.w3.org/2000/01/rdf-schema#", "http://www.w3.org/2002/07/owl#"
SEEDS = range(3)


class Reasoned:
    """A graph with these facts after a file of the library ran over them."""

    def __init__(self, server: Server, facts: list[str], rules: str, form: str = "expressions"):
        self.server, self.graph = server, f"{unique('library')}/g"
        server.command("mb", self.graph.split("/")[0])
        done = call(server.root, server, "POST", f"{self.graph}/facts", "\n".join(facts).encode(), format=form)
        assert done.status_code == 200, done.text
        server.command("graph", "reason", self.graph, str(LIBRARY / rules))

    def all(self, relation: str, items: int) -> set[tuple[str, ...]]:
        variables = " ".join(f"$v{n}" for n in range(items))
        answer = call(self.server.root, self.server, "POST", f"{self.graph}/query", f"(, ({relation} {variables})) (, ({variables}))".encode())
        assert answer.status_code == 200, answer.text
        return {tuple(line.strip("()").split(" ")) for line in answer.text.splitlines()}


def edges(rng: random.Random, nodes: int, count: int) -> set[tuple[str, str]]:
    return {(f"n{rng.randrange(nodes)}", f"n{rng.randrange(nodes)}") for _ in range(count)}


def test_every_file_is_tested_and_described():
    here, read_me = Path(__file__).read_text(), (LIBRARY / "README.md").read_text()
    for file in LIBRARY.iterdir():
        assert file.name == "README.md" or (f'"{file.name}"' in here and f"[{file.name}]" in read_me), file.name


@pytest.mark.parametrize("seed", SEEDS)
def test_closure(server, seed):
    given = edges(random.Random(seed), 30, 45)
    reasoned = Reasoned(server, [f"(edge {a} {b})" for a, b in given], "closure.metta")
    graph = nx.DiGraph(given)
    expected = {(a, b) for a in graph for b in nx.transitive_closure(graph, reflexive=False)[a]}
    assert reasoned.all("reaches", 2) == expected and expected


@pytest.mark.parametrize("seed", SEEDS)
def test_same_generation(server, seed):
    rng = random.Random(seed)
    given = {(f"n{child}", f"n{rng.randrange(child)}") for child in range(1, 40)}
    given |= {(f"n{child}", f"n{rng.randrange(child)}") for child in rng.sample(range(1, 40), 8)}
    reasoned = Reasoned(server, [f"(parent {a} {b})" for a, b in given], "same-generation.metta")
    known = {(x, x) for pair in given for x in pair}
    while True:
        more = {(a, b) for p, q in known for a, p2 in given if p2 == p for b, q2 in given if q2 == q} - known
        if not more:
            break
        known |= more
    assert reasoned.all("same-generation", 2) == known


@pytest.mark.parametrize("seed", SEEDS)
def test_components(server, seed):
    given = edges(random.Random(seed), 60, 50)
    reasoned = Reasoned(server, [f"(edge {a} {b})" for a, b in given], "components.metta")
    graph = nx.DiGraph(given)
    weak = {(a, b) for part in nx.weakly_connected_components(graph) for a in part for b in part}
    strong = {(a, b) for part in nx.strongly_connected_components(graph) for a in part for b in part}
    assert reasoned.all("connected", 2) == weak
    assert reasoned.all("strongly-connected", 2) == strong


def saturated(triples: set[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    """RDFS, one triple against another until nothing is new."""
    domain, range_, kind = f"<{RDFS}domain>", f"<{RDFS}range>", f"<{RDF}type>"
    below_class, below_property = f"<{RDFS}subClassOf>", f"<{RDFS}subPropertyOf>"
    known, new = set(), set(triples)
    while new:
        known |= new
        found = set()
        for s, p, o in known:
            for x, q, y in known:
                if p == domain and q == s:
                    found.add((x, kind, o))
                if p == range_ and q == s:
                    found.add((y, kind, o))
                if p == below_property and q == s:
                    found.add((x, o, y))
                if p == q == below_property and o == x:
                    found.add((s, p, y))
                if p == below_class and q == kind and y == s:
                    found.add((x, kind, o))
                if p == q == below_class and o == x:
                    found.add((s, p, y))
        new = found - known
    return known


@pytest.mark.parametrize("seed", SEEDS)
def test_rdfs(server, seed):
    rng = random.Random(seed)
    name = lambda kind, count: f"<http://e.org/{kind}{rng.randrange(count)}>"
    triples = {(name("x", 8), name("p", 4), name("x", 8)) for _ in range(12)}
    triples |= {(name("c", 6), f"<{RDFS}subClassOf>", name("c", 6)) for _ in range(6)}
    triples |= {(name("p", 4), f"<{RDFS}subPropertyOf>", name("p", 4)) for _ in range(3)}
    triples |= {(name("p", 4), f"<{RDFS}{which}>", name("c", 6)) for which in ("domain", "range")}
    triples |= {(name("x", 8), f"<{RDF}type>", name("c", 6)) for _ in range(4)}
    reasoned = Reasoned(server, [f"{s} {p} {o} ." for s, p, o in triples], "rdfs.metta", "ntriples")
    assert reasoned.all("triple", 3) == saturated(triples)


class Ontology:
    """A random ontology in OWL 2 EL, as Turtle, and its classification by the models of its axioms' own completion on nested expressions."""

    def __init__(self, rng: random.Random):
        self.rng = rng
        self.axioms: list[tuple[tuple, tuple]] = []
        self.turtle = [f"@prefix : <http://e.org/> . @prefix rdf: <{RDF}> . @prefix rdfs: <{RDFS}> . @prefix owl: <{OWL}> ."]
        for n in range(9):
            self.turtle.append(f":c{n} a owl:Class .")
        for _ in range(14):
            left, right = self.expression(), self.expression()
            name = ("class", f"c{rng.randrange(9)}")
            if rng.random() < 0.5:
                self.both(name, right)
            elif rng.random() < 0.5:
                self.below(name, right)
            else:
                self.below(left, name)
        self.roles = {("r0", "r1")}
        self.chains = {("r2", "r2", "r2"), ("r0", "r2", "r2")}
        self.turtle += [":r0 rdfs:subPropertyOf :r1 .", ":r2 a owl:TransitiveProperty .", ":r2 owl:propertyChainAxiom (:r0 :r2) ."]
        self.turtle.append(":c7 owl:disjointWith :c8 .")
        self.axioms.append((("and", ("class", "c7"), ("class", "c8")), ("nothing",)))

    def expression(self, depth: int = 2) -> tuple:
        rng = self.rng
        if depth == 0 or rng.random() < 0.4:
            return ("class", f"c{rng.randrange(9)}")
        if rng.random() < 0.5:
            return ("and", *[self.expression(depth - 1) for _ in range(rng.randrange(2, 4))])
        return ("some", f"r{rng.randrange(3)}", self.expression(depth - 1))

    def text(self, expression: tuple) -> str:
        match expression:
            case ("class", name):
                return f":{name}"
            case ("and", *parts):
                return f"[ a owl:Class ; owl:intersectionOf ({' '.join(self.text(part) for part in parts)}) ]"
            case ("some", role, inner):
                return f"[ a owl:Restriction ; owl:onProperty :{role} ; owl:someValuesFrom {self.text(inner)} ]"

    def below(self, left: tuple, right: tuple):
        self.axioms.append((left, right))
        self.turtle.append(f"{self.text(left)} rdfs:subClassOf {self.text(right)} .")

    def both(self, name: tuple, right: tuple):
        self.axioms += [(name, right), (right, name)]
        self.turtle.append(f"{self.text(name)} owl:equivalentClass {self.text(right)} .")

    def classified(self) -> set[tuple[str, str]]:
        """The canonical model: an element for each class expression; expressions are evaluated in it until no axiom is violated."""
        elements = {("class", f"c{n}") for n in range(9)}
        queue = [side for axiom in self.axioms for side in axiom]
        while queue:
            expression = queue.pop()
            if expression == ("nothing",):
                continue
            elements.add(expression)
            queue += [part for part in expression[1:] if isinstance(part, tuple)]
        holds = {element: {element} for element in elements}
        links: set[tuple] = set()

        def satisfies(element: tuple, expression: tuple) -> bool:
            if expression in holds[element]:
                return True
            match expression:
                case ("and", *parts):
                    return all(satisfies(element, part) for part in parts)
                case ("some", role, inner):
                    return any(satisfies(y, inner) for x, r, y in links if x == element and r == role)
            return False

        def add(element: tuple, expression: tuple) -> bool:
            before = (len(holds[element]), len(links))
            holds[element].add(expression)
            match expression:
                case ("and", *parts):
                    for part in parts:
                        add(element, part)
                case ("some", role, inner):
                    links.add((element, role, inner))
            return before != (len(holds[element]), len(links))

        changed = True
        while changed:
            changed = False
            for element in elements:
                for expression in list(holds[element]):
                    changed |= add(element, expression)
                for left, right in self.axioms:
                    if satisfies(element, left):
                        changed |= add(element, right)
            for x, r, y in list(links):
                more = {(x, s, y) for r1, s in self.roles if r1 == r}
                more |= {(x, t, z) for r1, s, t in self.chains if r1 == r for y2, s2, z in links if y2 == y and s2 == s}
                if ("nothing",) in holds[y]:
                    changed |= add(x, ("nothing",))
                changed |= not more <= links
                links |= more
        names = [f"c{n}" for n in range(9)]
        out = {(a, b) for a in names for b in names if ("class", b) in holds[("class", a)]}
        return out | {(a, "Nothing") for a in names if ("nothing",) in holds[("class", a)]}


@pytest.mark.parametrize("seed", range(8))
def test_el(server, seed):
    ontology = Ontology(random.Random(seed))
    reasoned = Reasoned(server, ontology.turtle, "el.metta", "turtle")
    short = lambda name: name.strip("<>").replace("http://e.org/", "").replace(OWL, "")
    found = {(short(a), short(b)) for a, b in reasoned.all("subsumed", 2)}
    named = {f"c{n}" for n in range(9)}
    found = {(a, b) for a, b in found if a in named and (b in named or b == "Nothing")}
    assert found == ontology.classified()
    assert len(found) > 9


@pytest.mark.parametrize("seed", SEEDS)
def test_pathway(server, seed):
    rng = random.Random(seed)
    ups, downs, out = edges(rng, 15, 14), edges(rng, 15, 10), {f"n{n}" for n in rng.sample(range(15), 2)}
    facts = [f"(activates {a} {b})" for a, b in ups] + [f"(inhibits {a} {b})" for a, b in downs] + [f"(knocked-out {a})" for a in out]
    reasoned = Reasoned(server, facts, "pathway.metta")
    signed = nx.MultiDiGraph()
    for given, sign in [(ups, 1), (downs, -1)]:
        for a, b in given:
            if not {a, b} & out:
                for before in (1, -1):
                    signed.add_edge((a, before), (b, before * sign))
    ends = {start: {end for edge in signed.out_edges((start, 1)) for end in nx.descendants(signed, edge[1]) | {edge[1]}}
            for start, sign in signed if sign == 1}
    raises = {(a, b) for a in ends for b, sign in ends[a] if sign == 1}
    lowers = {(a, b) for a in ends for b, sign in ends[a] if sign == -1}
    assert reasoned.all("raises", 2) == raises
    assert reasoned.all("lowers", 2) == lowers
    assert reasoned.all("unclear", 2) == raises & lowers


@pytest.mark.parametrize("seed", SEEDS)
def test_variants(server, seed):
    rng = random.Random(seed)
    variants = {f"v{n}": (f"chr{rng.randrange(3)}", rng.randrange(1000)) for n in range(60)}
    genes = {}
    for n in range(20):
        start = rng.randrange(900)
        genes[f"g{n}"] = (f"chr{rng.randrange(3)}", start, start + rng.randrange(200))
    parents = {(f"p{n}", f"p{rng.randrange(n)}") for n in range(1, 20)}
    known = {(f"g{rng.randrange(20)}", f"p{rng.randrange(20)}") for _ in range(30)}
    carries = {(f"s{rng.randrange(4)}", f"v{rng.randrange(60)}") for _ in range(60)}
    shows = {(f"s{rng.randrange(4)}", f"p{rng.randrange(20)}") for _ in range(8)}
    facts = [f"(variant {v} {c} {at})" for v, (c, at) in variants.items()] + [f"(gene {g} {c} {a} {b})" for g, (c, a, b) in genes.items()]
    for relation, pairs in [("is-a", parents), ("gene-phenotype", known), ("carries", carries), ("shows", shows)]:
        facts += [f"({relation} {a} {b})" for a, b in pairs]
    reasoned = Reasoned(server, facts, "variants.metta")
    inside = {(v, g) for v, (c, at) in variants.items() for g, (d, a, b) in genes.items() if c == d and a <= at <= b}
    tree = nx.DiGraph(parents)
    expected = {(s, v, g, p) for s, v in carries for v2, g in inside if v2 == v for g2, p in known if g2 == g
                for s2, q in shows if s2 == s and (q == p or (q in tree and p in nx.descendants(tree, q)))}
    assert reasoned.all("in-gene", 2) == inside
    assert reasoned.all("candidate", 4) == expected and expected
