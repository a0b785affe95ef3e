#!/bin/sh
# Z3: puzzles in SMT-LIB over integers, bit-vectors, arrays, strings and quantifiers, with models and proofs of none.
# shellcheck source=tests/programs/lib.sh
. "$(dirname "$0")/lib.sh"
need z3 z3
need awk mawk

# Queens on a board of twenty-two, a magic square, and the send-more-money sum.
awk 'BEGIN {
    n = 22
    print "(set-option :produce-models true)\n(push)"
    for (i = 0; i < n; i++) printf "(declare-const q%d Int)(assert (and (>= q%d 0) (< q%d %d)))\n", i, i, i, n
    for (i = 0; i < n; i++) for (j = i + 1; j < n; j++)
        printf "(assert (not (= q%d q%d)))(assert (not (= (- q%d q%d) %d)))(assert (not (= (- q%d q%d) %d)))\n",
            i, j, i, j, j - i, j, i, j - i
    print "(check-sat)"
    for (i = 0; i < n; i++) printf "(eval q%d)\n", i
    print "(pop)\n(push)"
    for (i = 0; i < 9; i++) printf "(declare-const m%d Int)(assert (and (>= m%d 1) (<= m%d 9)))\n", i, i, i
    printf "(assert (distinct"; for (i = 0; i < 9; i++) printf " m%d", i; print "))"
    split("0 1 2 3 4 5 6 7 8 0 3 6 1 4 7 2 5 8 0 4 8 2 4 6", line, " ")
    for (i = 1; i <= 24; i += 3) printf "(assert (= 15 (+ m%d m%d m%d)))\n", line[i], line[i + 1], line[i + 2]
    print "(check-sat)\n(get-value (m0 m1 m2 m3 m4 m5 m6 m7 m8))\n(pop)"
}' >puzzles.smt2
cat >>puzzles.smt2 <<'SMT'
(push)
(declare-const s Int)(declare-const e Int)(declare-const n Int)(declare-const d Int)
(declare-const m Int)(declare-const o Int)(declare-const r Int)(declare-const y Int)
(assert (distinct s e n d m o r y))
(assert (and (<= 0 s 9) (<= 0 e 9) (<= 0 n 9) (<= 0 d 9) (<= 1 m 9) (<= 0 o 9) (<= 0 r 9) (<= 0 y 9) (> s 0)))
(assert (= (+ (* 1000 (+ s m)) (* 100 (+ e o)) (* 10 (+ n r)) d e) (+ (* 10000 m) (* 1000 o) (* 100 n) (* 10 e) y)))
(check-sat)
(get-value (s e n d m o r y))
(pop)
(push)
(declare-const a (_ BitVec 14))(declare-const b (_ BitVec 14))
(assert (= (bvmul a b) #b10110010111101))(assert (bvugt a #b00000000000001))(assert (bvugt b a))
(assert (not (= (bvurem a #b00000000000011) #b00000000000000)))
(check-sat)
(push)
(assert (not (= (bvadd (bvxor a b) (bvshl (bvand a b) #b00000000000001)) (bvadd a b))))
(check-sat)
(pop)
(pop)
(push)
(declare-const memory (Array Int Int))(declare-const i Int)(declare-const j Int)
(assert (not (= (select (store (store memory i 1) j 2) i) (ite (= i j) 2 1))))
(check-sat)
(pop)
(push)
(declare-fun f (Int) Int)
(assert (forall ((x Int)) (=> (and (> x 0) (< x 9)) (> (f x) (f (- x 1))))))
(assert (= (f 0) 0))(assert (< (f 8) 8))
(check-sat)
(pop)
(push)
(declare-const w String)
(assert (str.in_re w (re.+ (re.union (str.to_re "ab") (str.to_re "cd")))))
(assert (= (str.len w) 12))(assert (str.contains w "cdab"))(assert (not (str.prefixof "ab" w)))
(check-sat)
(pop)
SMT

on_system expected z3 -smt2 puzzles.smt2
check_at_exit
on_freehold got z3 -smt2 puzzles.smt2
same expected got "the answers of z3"
ran_on got.err z3
[ "$(grep -c -x sat got)" -ge 4 ] || fail "z3 did not solve the puzzles: $(tr '\n' ' ' <got)"
binds z3 --version
