"""Every file of library/, on random data, against an independent computation of what it says it makes."""

import math
import os
import random
from pathlib import Path

import networkx as nx
from networkx.algorithms.link_analysis.pagerank_alg import _pagerank_python  # the one that needs no numpy
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
def test_lineage(server, seed):
    """Runs that read and write versions at random times; each question followed as it is defined, one edge after the other."""
    rng = random.Random(seed)
    told = set()
    for n in range(70):
        touch, first = rng.choice(["read", "read", "write", "delete"]), rng.randrange(50)
        told.add((rng.choice("ab"), f"run{rng.randrange(6)}", touch, f"r{rng.randrange(6)}", "b", rng.randrange(3), 1, 1, first, first + rng.randrange(4)))
    asked = {(f"r{n}", rng.randrange(3)) for n in range(6)}
    facts = [f"(lineage {' '.join(map(str, edge))})" for edge in told]
    facts += [f"({direction}-of {r} {v})" for r, v in asked for direction in ("upstream", "downstream")]
    reasoned = Reasoned(server, facts, "lineage.metta")
    for up, relation in ((True, "upstream"), (False, "downstream")):
        expected = set()
        for root in asked:
            queue, seen = [root], {root}
            while queue:
                node = queue.pop()
                for through in [edge for edge in told if (edge[3], edge[5]) == node and (edge[2] != "read") == up]:
                    expected.add((*root, *through[:4], through[5]))
                    for edge in [edge for edge in told if edge[:2] == through[:2] and (edge[2] == "read") == up]:
                        if (edge[8] <= through[9]) if up else (edge[9] >= through[8]):
                            expected.add((*root, *edge[:4], edge[5]))
                            if (edge[3], edge[5]) not in seen:
                                seen.add((edge[3], edge[5]))
                                queue.append((edge[3], edge[5]))
        assert reasoned.all(relation, 7) == {tuple(map(str, edge)) for edge in expected} and expected


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


def weighted(rng: random.Random, nodes: int, count: int) -> dict[tuple[int, int], int]:
    return {(rng.randrange(nodes), rng.randrange(nodes)): rng.randrange(1, 10) for _ in range(count)}


def numbers(found: set[tuple[str, ...]]) -> dict[int, float]:
    assert len({row[0] for row in found}) == len(found)
    return {int(row[0]): float(row[1]) for row in found}


@pytest.mark.parametrize("seed", SEEDS)
def test_wcc(server, seed):
    given = weighted(random.Random(seed), 60, 45)
    reasoned = Reasoned(server, [f"(edge {a} {b})" for a, b in given] + [f"(vertex {n})" for n in range(60)], "wcc.metta")
    graph = nx.Graph(list(given))
    graph.add_nodes_from(range(60))
    assert numbers(reasoned.all("component", 2)) == {n: min(part) for part in nx.connected_components(graph) for n in part}


@pytest.mark.parametrize("seed", SEEDS)
def test_paths(server, seed):
    given = weighted(random.Random(seed), 40, 90)
    facts = [f"(edge {a} {b}) (edge {a} {b} {length})" for (a, b), length in given.items()] + ["(source 0)"]
    reasoned = Reasoned(server, facts, "paths.metta")
    graph = nx.DiGraph()
    graph.add_node(0)
    graph.add_weighted_edges_from((a, b, length) for (a, b), length in given.items())
    assert numbers(reasoned.all("depth", 2)) == nx.single_source_shortest_path_length(graph, 0)
    assert numbers(reasoned.all("distance", 2)) == nx.single_source_dijkstra_path_length(graph, 0)


@pytest.mark.parametrize("seed", SEEDS)
def test_triangles(server, seed):
    given = weighted(random.Random(seed), 25, 120)
    reasoned = Reasoned(server, [f"(edge {a} {b})" for a, b in given], "triangles.metta")
    graph = nx.Graph((a, b) for a, b in given if a != b)
    triangles = {n: count for n, count in nx.triangles(graph).items() if count}
    assert numbers(reasoned.all("triangles", 2)) == triangles and triangles
    shares = {}
    for n in graph:
        around = set(graph[n])
        links = sum(1 for a, b in given if a != b and a in around and b in around)
        if links:
            shares[n] = links / (len(around) * (len(around) - 1))
    assert numbers(reasoned.all("clustering", 2)) == pytest.approx(shares)


@pytest.mark.parametrize("seed", SEEDS)
def test_pagerank(server, seed):
    given = set(weighted(random.Random(seed), 30, 60))
    reasoned = Reasoned(server, [f"(edge {a} {b})" for a, b in given] + [f"(vertex {n})" for n in range(30)], "pagerank.metta")
    outgoing = {n: [b for a, b in given if a == n] for n in range(30)}
    rank = dict.fromkeys(range(30), 1 / 30)
    for _ in range(10):
        lost = sum(rank[n] for n in rank if not outgoing[n]) / 30
        next_rank = {n: 0.15 / 30 + 0.85 * lost for n in rank}
        for n, to in outgoing.items():
            for b in to:
                next_rank[b] += 0.85 * rank[n] / len(to)
        rank = next_rank
    assert numbers(reasoned.all("page-rank", 2)) == pytest.approx(rank)
    graph = nx.DiGraph(list(given))
    graph.add_nodes_from(range(30))
    # Ten steps are close to the end that networkx goes to.
    assert rank == pytest.approx(_pagerank_python(graph, 0.85), rel=0.2)


@pytest.mark.parametrize("seed", SEEDS)
def test_communities(server, seed):
    given = set(weighted(random.Random(seed), 30, 50))
    reasoned = Reasoned(server, [f"(edge {a} {b})" for a, b in given] + [f"(vertex {n})" for n in range(30)], "communities.metta")
    label = {n: n for n in range(30)}
    for _ in range(10):
        votes = {n: {} for n in label}
        for a, b in given:
            votes[a][label[b]] = votes[a].get(label[b], 0) + 1
            votes[b][label[a]] = votes[b].get(label[a], 0) + 1
        label = {n: min(its, key=lambda one: (-its[one], one)) if (its := votes[n]) else label[n] for n in label}
    assert numbers(reasoned.all("community", 2)) == label


class Symbolic:
    """Expressions as nested tuples: read, evaluated, differentiated by the textbook."""

    @staticmethod
    def random(rng: random.Random, depth: int = 3):
        kind = rng.choice(["+", "*", "^", "sin", "cos", "exp"]) if depth and rng.random() < 0.8 else None
        inner = lambda: Symbolic.random(rng, depth - 1)
        match kind:
            case None:
                return rng.choice(["x", "y", 0, 1, 2, 3])
            case "+" | "*":
                return (kind, inner(), inner())
            case "^":
                return (kind, inner(), rng.choice([0, 1, 2, 3]))
            case function:
                return (function, inner())

    @staticmethod
    def text(e) -> str:
        return f"({' '.join(Symbolic.text(part) for part in e)})" if isinstance(e, tuple) else str(e)

    @staticmethod
    def read(text: str):
        stack: list[list] = [[]]
        for word in text.replace("(", " ( ").replace(")", " ) ").split():
            if word == "(":
                stack.append([])
            elif word == ")":
                done = tuple(stack.pop())
                stack[-1].append(done)
            else:
                stack[-1].append(float(word) if word.lstrip("-")[:1].isdigit() else word)
        return stack[0][0]

    @staticmethod
    def value(e, at: dict) -> float:
        match e:
            case ("+", a, b):
                return Symbolic.value(a, at) + Symbolic.value(b, at)
            case ("*", a, b):
                return Symbolic.value(a, at) * Symbolic.value(b, at)
            case ("^", a, n):
                return Symbolic.value(a, at) ** n
            case (function, a):
                return getattr(math, function)(Symbolic.value(a, at))
            case str():
                return at[e]
        return e

    @staticmethod
    def is_normal(e) -> bool:
        if not isinstance(e, tuple):
            return True
        head, *parts = e
        numbers = [part for part in parts if isinstance(part, float)]
        if head in ("+", "*") and (len(numbers) == 2 or 0 in numbers or (head == "*" and (1 in numbers or isinstance(parts[1], float)))):
            return False
        if head == "^" and parts[1] in (0, 1):
            return False
        return all(Symbolic.is_normal(part) for part in parts)


@pytest.mark.parametrize("seed", range(4))
def test_differentiation(server, seed):
    rng = random.Random(seed)
    asked = {Symbolic.text(Symbolic.random(rng)) for _ in range(12)}
    facts = ["(symbol x) (symbol y)"] + [f"(differentiate {e} x)" for e in asked]
    reasoned = Reasoned(server, facts, "differentiation.metta")
    answer = call(server.root, server, "POST", f"{reasoned.graph}/query", b"(, (derivative $e $x $d)) (, (pair $e $d))")
    found = {}
    for line in answer.text.splitlines():
        _, e, d = Symbolic.read(line)
        assert e not in found, "a derivative has one normal form"
        found[e] = d
    assert len(found) == len(asked)
    for e, d in found.items():
        assert Symbolic.is_normal(d), d
        for x in (0.3, 0.7):
            at, step = {"x": x, "y": 1.3}, 1e-6
            slope = (Symbolic.value(e, at | {"x": x + step}) - Symbolic.value(e, at | {"x": x - step})) / (2 * step)
            if abs(slope) < 1e6:
                assert Symbolic.value(d, at) == pytest.approx(slope, rel=1e-4, abs=1e-4), (e, d)


class Machine:
    """The interpreter's machine."""

    def __init__(self, code: list[str]):
        self.code = [tuple(word.strip("()").split()) for word in code]

    def states(self, stack: list[int], most: int = 500):
        at, out = 0, []
        while len(out) < most:
            out.append((at, tuple(stack)))
            match self.code[at]:
                case ("halt",):
                    return out, stack
                case ("push", n):
                    stack = [int(n), *stack]
                case ("pop",):
                    stack = stack[1:]
                case ("dup",):
                    stack = [stack[0], *stack]
                case ("swap",):
                    stack = [stack[1], stack[0], *stack[2:]]
                case ("over",):
                    stack = [stack[1], *stack]
                case (("add" | "sub" | "mul") as name,):
                    n, m, *stack = stack
                    stack = [{"add": m + n, "sub": m - n, "mul": m * n}[name], *stack]
                case ("jump", to):
                    at = int(to)
                    continue
                case ("jump-zero", to):
                    if stack[0] == 0:
                        at = int(to)
                        continue
            at += 1
        return out, None


def test_interpreter(server):
    # Factorial of n: the stack is n and the product.
    factorial = ["(push 1)", "swap", "(jump-zero 10)", "swap", "over", "mul", "swap", "(push 1)", "sub", "(jump 2)", "pop", "halt"]
    machine = Machine(factorial)
    facts = [f"(code {n} {instruction})" for n, instruction in enumerate(factorial)]
    facts += [f"(run r{n} (: {n} (end)))" for n in range(6)]
    reasoned = Reasoned(server, facts, "interpreter.metta")
    answer = call(server.root, server, "POST", f"{reasoned.graph}/query", b"(, (result $r (: $n (end)))) (, ($r $n))")
    expected = 1
    results = set()
    for n in range(6):
        states, stack = machine.states([n])
        expected = expected * max(n, 1)
        assert stack == [expected]
        results.add(f"(r{n} {expected})")
        found = call(server.root, server, "POST", f"{reasoned.graph}/query", f"(, (state r{n} $i $s)) (, ($i $s))".encode())
        assert len(found.text.splitlines()) == len(set(states))
    assert set(answer.text.splitlines()) == results
