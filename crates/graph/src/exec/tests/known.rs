//! The kinds of program that people write in MM2, each small, its result worked out beside it.

use std::collections::BTreeSet;

use super::{after, found, ran};

#[test]
fn ancestors_by_generation() {
    let text = "(parent tom bob) (parent bob ann) (parent bob pat) (parent pat jim)
        (exec (0 Z) (, (parent $a $b)) (, (ancestor (S Z) $a $b)))
        (exec (1 (S Z)) (, (exec (1 $l) $ps $ts) (ancestor $l $a $b) (parent $b $c))
                        (, (ancestor (S $l) $a $c) (exec (1 (S $l)) $ps $ts)))";
    assert_eq!(after(text, "(ancestor (S Z) $a $b)").len(), 4);
    assert_eq!(
        after(text, "(ancestor (S (S Z)) $a $b)"),
        [
            "(ancestor (S (S Z)) bob jim)",
            "(ancestor (S (S Z)) tom ann)",
            "(ancestor (S (S Z)) tom pat)"
        ]
    );
    assert_eq!(
        after(text, "(ancestor (S (S (S Z))) $a $b)"),
        ["(ancestor (S (S (S Z))) tom jim)"]
    );
    assert_eq!(after(text, "(ancestor $l $a $b)").len(), 8);
}

#[test]
fn a_counter_machine() {
    // 0: if a > 0 then a -= 1, goto 1 else halt; 1: b += 1, goto 2; 2: b += 1, goto 0. So b = 2 a.
    let text = "(program 0 (dec a 1 halt)) (program 1 (inc b 2)) (program 2 (inc b 0))
        (at 0) (register a (S (S (S Z)))) (register b Z)
        (rule inc (, (at $i) (program $i (inc $r $next)) (register $r $v))
                  (O (- (at $i)) (- (register $r $v)) (+ (at $next)) (+ (register $r (S $v)))))
        (rule dec (, (at $i) (program $i (dec $r $next $zero)) (register $r (S $v)))
                  (O (- (at $i)) (- (register $r (S $v))) (+ (at $next)) (+ (register $r $v))))
        (rule zero (, (at $i) (program $i (dec $r $next $zero)) (register $r Z))
                  (O (- (at $i)) (+ (at $zero))))
        (exec (3 tick) (, (exec (3 tick) $p $t) (at $i) (program $i $op) (rule $name $ps $ts))
                       (, (exec (0 $name) $ps $ts) (exec (3 tick) $p $t)))";
    let (space, _) = ran(text);
    assert_eq!(
        found(&space, "(register $r $v)"),
        ["(register a Z)", "(register b (S (S (S (S (S (S Z)))))))"]
    );
    assert_eq!(found(&space, "(at $i)"), ["(at halt)"]);
}

#[test]
fn odd_even_transposition_sort() {
    // Six rounds over six places, the rounds written out as location and parity.
    let data = "(at 0 f) (at 1 c) (at 2 e) (at 3 a) (at 4 d) (at 5 b)
        (next 0 1 even) (next 2 3 even) (next 4 5 even) (next 1 2 odd) (next 3 4 odd)";
    let letters = ["a", "b", "c", "d", "e", "f"];
    let mut text = data.to_owned();
    for (n, one) in letters.iter().enumerate() {
        for other in &letters[n + 1..] {
            text += &format!("(less {one} {other})");
        }
    }
    for round in 0..6 {
        let parity = if round % 2 == 0 { "even" } else { "odd" };
        text += &format!(
            "(exec {round} (, (next $i $j {parity}) (at $i $x) (at $j $y) (less $y $x))
                (O (- (at $i $x)) (- (at $j $y)) (+ (at $i $y)) (+ (at $j $x))))"
        );
    }
    assert_eq!(
        after(&text, "(at $i $x)"),
        [
            "(at 0 a)", "(at 1 b)", "(at 2 c)", "(at 3 d)", "(at 4 e)", "(at 5 f)"
        ]
    );
}

#[test]
fn transitive_triangles_and_cliques() {
    let edges = [(1, 2), (1, 3), (2, 3), (2, 4), (3, 4), (1, 4), (4, 5)];
    let mut text: String = edges.iter().map(|(a, b)| format!("(edge {a} {b})")).collect();
    text += "(exec 0 (, (edge $x $y) (edge $y $z) (edge $x $z)) (, (triangle $x $y $z)))
        (exec 1 (, (triangle $x $y $z) (edge $x $u) (edge $y $u) (edge $z $u)) (, (clique $x $y $z $u)))";
    assert_eq!(
        after(&text, "(triangle $x $y $z)"),
        [
            "(triangle 1 2 3)",
            "(triangle 1 2 4)",
            "(triangle 1 3 4)",
            "(triangle 2 3 4)"
        ]
    );
    assert_eq!(after(&text, "(clique $x $y $z $u)"), ["(clique 1 2 3 4)"]);
}

const SUDOKU: [[u8; 4]; 4] = [[1, 0, 0, 0], [0, 0, 3, 0], [0, 1, 0, 0], [0, 0, 0, 2]];

#[test]
fn a_small_sudoku_by_bit_masks() {
    let mut text = "(bit 1 \\x01) (bit 2 \\x02) (bit 3 \\x04) (bit 4 \\x08)".to_owned();
    for (row, values) in SUDOKU.iter().enumerate() {
        for (column, value) in values.iter().enumerate() {
            let mask = match *value {
                0 => "\\x0f".to_owned(),
                value => format!("\\x{:02x}", 1 << (value - 1)),
            };
            text += &format!("(cell 0 {row} {column} {mask})");
            for other in 0..16 {
                let (r, c) = (other / 4, other % 4);
                let same_box = r / 2 == row / 2 && c / 2 == column / 2;
                if (r, c) != (row, column) && (r == row || c == column || same_box) {
                    text += &format!("(peer {row} {column} {r} {c})");
                }
            }
        }
    }
    // Each round: what a cell may be is what it was, without what a settled peer is.
    for round in 0..8 {
        text += &format!(
            "(exec ({round} a) (, (cell {round} $r $c $m) (bit $v $m) (peer $r $c $r1 $c1))
                (O (pure (ban {round} $r1 $c1 $k) $k (u8_not $m))))
            (exec ({round} b) (, (cell {round} $r $c $m)) (, (ban {round} $r $c $m)))
            (exec ({round} c) (, (ban {round} $r $c $m)) (O (and (cell {} $r $c $k) $k $m)))",
            round + 1
        );
    }
    text += "(exec (9 z) (, (cell 8 $r $c $m) (bit $v $m)) (, (is $r $c $v)))";
    let solved: BTreeSet<String> = after(&text, "(is $r $c $v)").into_iter().collect();
    let mut expected = solve(SUDOKU);
    expected.retain(|fact| solved.contains(fact));
    assert_eq!(solved, expected);
    assert!(solved.len() > 4, "it settles more than what is given: {solved:?}");
}

/// All facts of the one solution, by trying.
fn solve(board: [[u8; 4]; 4]) -> BTreeSet<String> {
    fn fill(board: &mut [[u8; 4]; 4], at: usize, found: &mut Vec<[[u8; 4]; 4]>) {
        if at == 16 {
            return found.push(*board);
        }
        let (r, c) = (at / 4, at % 4);
        let given = board[r][c];
        for value in 1..=4 {
            let clash = (0..16).any(|o| {
                let (r1, c1) = (o / 4, o % 4);
                (r1, c1) != (r, c)
                    && board[r1][c1] == value
                    && (r1 == r || c1 == c || (r1 / 2 == r / 2 && c1 / 2 == c / 2))
            });
            if (given == 0 || given == value) && !clash {
                board[r][c] = value;
                fill(board, at + 1, found);
                board[r][c] = given;
            }
        }
    }
    let (mut board, mut found) = (board, Vec::new());
    fill(&mut board, 0, &mut found);
    // Only what all solutions agree on can be found without guessing.
    let mut facts = BTreeSet::new();
    for at in 0..16 {
        let (r, c) = (at / 4, at % 4);
        if found.iter().all(|solution| solution[r][c] == found[0][r][c]) {
            facts.insert(format!("(is {r} {c} {})", found[0][r][c]));
        }
    }
    facts
}

#[test]
fn the_best_split_of_a_decision_tree() {
    let text = "(score outlook 0.42) (score wind 0.81) (score humidity 0.35) (score temperature 0.350)
        (exec 0 (, (score $feature $s)) (O (fmin (best $k) $k $s)))
        (exec 1 (, (best $k) (score $feature $k)) (, (split $feature)))";
    assert_eq!(after(text, "(best $k)"), ["(best 0.35)"]);
    assert_eq!(after(text, "(split $x)"), ["(split humidity)"]);
}

#[test]
fn numbers_by_pure_functions() {
    let text = "(fib 0 0 1)
        (exec (1 go) (, (exec (1 go) $p $t) (fib $i $a $b) (below $i))
            (O (- (fib $i $a $b))
               (pure (fib $j $b1 $c1) ($j $b1 $c1) (tuple
                   (i64_to_string (sum_i64 (i64_from_string $i) (i64_from_string 1)))
                   $b
                   (i64_to_string (sum_i64 (i64_from_string $a) (i64_from_string $b)))))
               (+ (exec (1 go) $p $t))))";
    let below: String = (0..50).map(|n| format!("(below {n})")).collect();
    assert_eq!(
        after(&format!("{text}{below}"), "(fib $i $a $b)"),
        ["(fib 50 12586269025 20365011074)"]
    );
}

#[test]
fn a_process_calculus_adds() {
    // Receivers wait for a message of a shape, which becomes their body; `|` stands for two processes.
    let peano = |n: usize| format!("{}Z{}", "(S ".repeat(n), ")".repeat(n));
    let text = format!(
        "(on (in (add $ret) ((S $x) $y) (both (out (add (sum $x $y)) ($x $y)) (in (sum $x $y) $z (out $ret (S $z))))))
        (on (in (add $ret) (Z $y) (out $ret $y)))
        (on (out (add result) ({} {})))
        (rule meet (, (on (in $channel $message $body)) (on (out $channel $message))) (, (on $body)))
        (rule part (, (on (both $left $right))) (, (on $left) (on $right)))
        (exec (9 {}) (, (exec (9 (S $n)) $p $t) (rule $name $ps $ts))
                     (, (exec (0 $name) $ps $ts) (exec (9 $n) $p $t)))",
        peano(3), peano(2), peano(20)
    );
    assert_eq!(
        after(&text, "(on (out result $x))"),
        [format!("(on (out result {}))", peano(5))]
    );
}

#[test]
fn a_sliding_puzzle() {
    // Four tiles on a square of 2 × 2: from each solvable order all twelve are reached.
    let text = "(state 0 1 2 3 _)
        (move ($a $b $c _) ($a $b _ $c)) (move ($a $b $c _) ($a _ $c $b))
        (move ($a $b _ $c) ($a $b $c _)) (move ($a $b _ $c) (_ $b $a $c))
        (move ($a _ $b $c) ($a $c $b _)) (move ($a _ $b $c) (_ $a $b $c))
        (move (_ $a $b $c) ($a _ $b $c)) (move (_ $a $b $c) ($b $a _ $c))
        (exec (1 0) (, (state $n $a $b $c $d)) (, (board ($a $b $c $d))))
        (rounds 0 1) (rounds 1 2) (rounds 2 3) (rounds 3 4) (rounds 4 5) (rounds 5 6) (rounds 6 7)
        (exec (2 0) (, (exec (2 $n) $p $t) (rounds $n $m) (board $from) (move $from $to))
                    (, (board $to) (step $from $to) (exec (2 $m) $p $t)))";
    assert_eq!(after(text, "(board $x)").len(), 12);
    assert_eq!(after(text, "(step $x $y)").len(), 24);
}

#[test]
fn a_closure_that_stops_when_nothing_is_new() {
    // The rule runs as often as the longest way is long; the space is the same whatever the order.
    let mut text: String = (0..12).map(|n| format!("(edge {n} {})", n + 1)).collect();
    text += "(edge 12 3) (exec 0 (, (edge $x $y)) (, (path $x $y)))";
    for round in 1..14 {
        text += &format!("(exec {round} (, (path $x $y) (edge $y $z)) (, (path $x $z)))");
    }
    let paths = after(&text, "(path $x $y)").len();
    // 3 … 12 reach each other and themselves; 0, 1 and 2 reach all after them.
    assert_eq!(paths, 10 * 10 + 12 + 11 + 10);
}
