//! Programs of sections: well-nested, as the types allow no others.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// One operation, with everything inside it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Op {
    /// A store, through the section in hand if there is one; whether it needs the pair.
    Store(bool),
    /// A flush, through the section in hand if there is one.
    Flush,
    /// A scope: what is done in it, and how it ends.
    Scope(Scope, Vec<Op>, End),
}

/// What is open while other operations are done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// A section: by the task's handle or `nest`, whichever is in hand, else by `with`.
    Section,
    /// A section of a callee that knows nothing of the caller's: by `with`.
    Unknowing,
    /// A section of such a callee that joins the caller's, if stores are deferred: by `join`.
    Join,
    /// A pause: of the section in hand, else by `paused`.
    Pause,
    /// An interrupt, which returns.
    Interrupt,
}

/// How a scope ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Its guard is dropped, or its closure returns.
    Leave,
    /// Its guard is forgotten. Where nobody owns a guard it is dropped all the same.
    Forget,
    /// A panic unwinds through it, and is caught around it.
    Panic,
}

/// The operations inside, if it is a scope.
fn inside(op: &Op) -> Option<&[Op]> {
    match op {
        Op::Scope(_, ops, _) => Some(ops),
        Op::Store(_) | Op::Flush => None,
    }
}

/// How many operations a program has; the beginning and the end of a scope are two.
pub fn length(ops: &[Op]) -> usize {
    ops.iter()
        .map(|op| inside(op).map_or(1, |ops| 2 + length(ops)))
        .sum()
}

/// How deep it nests.
pub fn depth(ops: &[Op]) -> usize {
    let depths = ops.iter().filter_map(inside).map(|ops| 1 + depth(ops));
    depths.max().unwrap_or(0)
}

/// A program in one word, as the kernel `programs` reads it.
///
/// `s` and `u` are stores of the kernel's page and of a user's, `f` is a flush. The scopes are
/// `(`..`)`, `<`..`>` of `with`, `[`..`]` of `join`, `|`..`/` of a pause and `{`..`}` of an
/// interrupt. A section that is forgotten ends with `!`, a pause with `?`, and a panic is `^`.
pub fn word(ops: &[Op]) -> String {
    let mut word = String::new();
    for op in ops {
        match op {
            Op::Store(true) => word.push('s'),
            Op::Store(false) => word.push('u'),
            Op::Flush => word.push('f'),
            Op::Scope(scope, ops, end) => {
                let (open, close) = match scope {
                    Scope::Section if *end == End::Forget => ('(', '!'),
                    Scope::Section => ('(', ')'),
                    Scope::Unknowing => ('<', '>'),
                    Scope::Join => ('[', ']'),
                    Scope::Pause if *end == End::Forget => ('|', '?'),
                    Scope::Pause => ('|', '/'),
                    Scope::Interrupt => ('{', '}'),
                };
                word.push(open);
                word.push_str(&self::word(ops));
                word.push(if *end == End::Panic { '^' } else { close });
            }
        }
    }
    word
}

/// Programs up to 8 deep and 200 operations long.
pub fn random() -> impl Strategy<Value = Vec<Op>> {
    let leaf = prop_oneof![
        4 => any::<bool>().prop_map(Op::Store),
        1 => Just(Op::Flush),
    ];
    let op = leaf.prop_recursive(8, 1024, 2, |op| {
        let scope = |scope, end: BoxedStrategy<End>| {
            (prop::collection::vec(op.clone(), 0..5), end)
                .prop_map(move |(ops, end)| Op::Scope(scope, ops, end))
        };
        let guards = || {
            prop_oneof![
                6 => Just(End::Leave),
                2 => Just(End::Forget),
                1 => Just(End::Panic),
            ]
            .boxed()
        };
        let closures = || prop_oneof![Just(End::Leave), Just(End::Panic)].boxed();
        prop_oneof![
            2 => op.clone(),
            5 => scope(Scope::Section, guards()),
            2 => scope(Scope::Unknowing, closures()),
            2 => scope(Scope::Join, closures()),
            3 => scope(Scope::Pause, guards()),
            2 => scope(Scope::Interrupt, Just(End::Leave).boxed()),
        ]
    });
    prop::collection::vec(op, 1..16).prop_filter("at most 200 operations", |ops| length(ops) <= 200)
}

/// `count` random programs, the same ones each time.
pub fn samples(count: usize) -> impl Iterator<Item = Vec<Op>> {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = random();
    (0..count).map(move |_| {
        let program = strategy.new_tree(&mut runner);
        program.expect("few programs are too long").current()
    })
}

/// Calls `check` with every program of up to `operations` operations: enter, with, store, flush,
/// pause, leave, resume, forget, and an interrupt whose handler opens a section, stores and leaves.
/// What is open at the end is left.
pub fn all(operations: usize, check: &mut dyn FnMut(&[Op])) {
    extend(&mut vec![TOP], operations, &SCOPES[..3], check);
}

/// [`all`], with join among the operations: the programs that have one.
pub fn all_with_join(operations: usize, check: &mut dyn FnMut(&[Op])) {
    extend(&mut vec![TOP], operations, &SCOPES, &mut |ops| {
        if word(ops).contains('[') {
            check(ops);
        }
    });
}

/// What a program opens.
const SCOPES: [Scope; 4] = [Scope::Section, Scope::Unknowing, Scope::Pause, Scope::Join];

/// What is open, and what was done in it so far.
type Frame = (Scope, Vec<Op>);

/// The program itself, which stays open.
const TOP: Frame = (Scope::Unknowing, Vec::new());

/// The program so far, with all that is open left.
fn complete(open: &[Frame]) -> Vec<Op> {
    let mut frames = open.iter().rev().cloned();
    let innermost = frames.next().expect("the program itself is open");
    let close = |(scope, ops), (outer, mut before): Frame| {
        before.push(Op::Scope(scope, ops, End::Leave));
        (outer, before)
    };
    frames.fold(innermost, close).1
}

fn extend(
    open: &mut Vec<Frame>,
    operations: usize,
    scopes: &[Scope],
    check: &mut dyn FnMut(&[Op]),
) {
    check(&complete(open));
    if operations == 0 {
        return;
    }
    let innermost = open.len() - 1;
    // A user's store is like no store, but for the order of the trace: the random programs have it.
    let section = Op::Scope(Scope::Section, vec![Op::Store(true)], End::Leave);
    let handler = Op::Scope(Scope::Interrupt, vec![section], End::Leave);
    for op in [Op::Store(true), Op::Flush, handler] {
        open[innermost].1.push(op);
        extend(open, operations - 1, scopes, check);
        open[innermost].1.pop();
    }
    for scope in scopes {
        open.push((*scope, Vec::new()));
        extend(open, operations - 1, scopes, check);
        open.pop();
    }
    if innermost > 0 {
        let (scope, ops) = open.pop().expect("more than the program is open");
        let is_closure = matches!(scope, Scope::Unknowing | Scope::Join);
        let ends = if is_closure {
            &[End::Leave][..]
        } else {
            &[End::Leave, End::Forget]
        };
        for end in ends {
            open[innermost - 1]
                .1
                .push(Op::Scope(scope, ops.clone(), *end));
            extend(open, operations - 1, scopes, check);
            open[innermost - 1].1.pop();
        }
        open.push((scope, ops));
    }
}
