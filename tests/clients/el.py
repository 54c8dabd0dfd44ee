"""OWL 2 EL without our rules: a reference classifier, and the Gene Ontology as axioms.

The classifier is the completion of Baader, Brandt and Lutz (Pushing the EL Envelope, IJCAI 2005) in the form with a queue for each
class: axioms are brought into their normal form first, with names of its own for what is nested, and S(A) and R(r) are sets of numbers.
It reads expressions, not triples, and shares nothing with library/el.metta.
"""

from collections import defaultdict, deque

TOP, BOTTOM = ("top",), ("bottom",)


class Reference:
    """Axioms between expressions: ("class", name), ("and", e, …), ("some", role, e), TOP, BOTTOM."""

    def __init__(self):
        self.numbers: dict[tuple, int] = {}
        self.names: list[str] = []
        self.told, self.both = defaultdict(list), defaultdict(list)  # A ⊑ B; A1 ⊓ A2 ⊑ B by A1
        self.exists, self.under = defaultdict(list), defaultdict(list)  # A ⊑ ∃r.B; ∃r.A ⊑ B by A
        self.wider: dict[str, set[str]] = defaultdict(set)
        self.chains_from, self.chains_to = defaultdict(list), defaultdict(list)
        self.left_done, self.right_done = set(), set()
        self.top, self.bottom = self.number(TOP), self.number(BOTTOM)

    def number(self, expression: tuple) -> int:
        return self.numbers.setdefault(expression, len(self.numbers))

    def left(self, expression: tuple) -> int:
        """A number that stands for the expression on the left: whoever is in it has the number."""
        its = self.number(expression)
        if expression[0] in ("class", "top", "bottom") or its in self.left_done:
            return its
        self.left_done.add(its)
        if expression[0] == "some":
            self.under[self.left(expression[2])].append((expression[1], its))
            return its
        first, *rest = [self.left(part) for part in expression[1:]]
        for position, other in enumerate(rest):
            to = its if position == len(rest) - 1 else self.number(("part", its, position))
            self.both[first].append((other, to))
            self.both[other].append((first, to))
            first = to
        return its

    def right(self, expression: tuple) -> int:
        """A number that stands for the expression on the right: whoever has the number is in it."""
        its = self.number(expression)
        if expression[0] in ("class", "top", "bottom") or its in self.right_done:
            return its
        self.right_done.add(its)
        if expression[0] == "some":
            self.exists[its].append((expression[1], self.right(expression[2])))
        else:
            self.told[its] += [self.right(part) for part in expression[1:]]
        return its

    def below(self, left: tuple, right: tuple):
        self.told[self.left(left)].append(self.right(right))

    def same(self, one: tuple, other: tuple):
        self.below(one, other)
        self.below(other, one)

    def role_below(self, narrow: str, wide: str):
        self.wider[narrow].add(wide)

    def chain(self, first: str, second: str, whole: str):
        self.chains_from[first].append((second, whole))
        self.chains_to[second].append((first, whole))

    def classify(self) -> list[set[int]]:
        """S: of each number those above it."""
        count = len(self.numbers)
        roles = {role: self.all_wider(role) for role in self.roles()}
        above: list[set[int]] = [set() for _ in range(count)]
        after = [defaultdict(set) for _ in range(count)]  # role → targets
        before = [defaultdict(set) for _ in range(count)]  # role → sources
        work = deque((number, above_it) for number in range(count) for above_it in {number, self.top})
        links: deque = deque()
        while work or links:
            if work:
                one, new = work.popleft()
                if new in above[one]:
                    continue
                above[one].add(new)
                work.extend((one, to) for to in self.told[new])
                work.extend((one, to) for other, to in self.both[new] if other in above[one])
                links.extend((one, role, target) for role, target in self.exists[new])
                for role, to in self.under[new]:
                    work.extend((source, to) for source in before[one][role])
                if new == self.bottom:
                    work.extend((source, new) for sources in before[one].values() for source in sources)
                continue
            source, told, target = links.popleft()
            for role in roles[told]:
                if target in after[source][role]:
                    continue
                after[source][role].add(target)
                before[target][role].add(source)
                for filler in above[target]:
                    work.extend((source, to) for its, to in self.under[filler] if its == role)
                if self.bottom in above[target]:
                    work.append((source, self.bottom))
                for second, whole in self.chains_from[role]:
                    links.extend((source, whole, end) for end in after[target][second])
                for first, whole in self.chains_to[role]:
                    links.extend((start, whole, target) for start in before[source][first])
        return above

    def roles(self) -> set[str]:
        known = {role for its in (self.exists, self.under) for pairs in its.values() for role, _ in pairs}
        known |= set(self.wider) | {wide for its in self.wider.values() for wide in its}
        return known | {whole for its in self.chains_from.values() for _, whole in its} | set(self.chains_from) | set(self.chains_to)

    def all_wider(self, role: str) -> set[str]:
        found, left = {role}, [role]
        while left:
            for wide in self.wider[left.pop()] - found:
                found.add(wide)
                left.append(wide)
        return found

    def classes(self) -> dict[int, str]:
        return {number: expression[1] for expression, number in self.numbers.items() if expression[0] == "class"}
