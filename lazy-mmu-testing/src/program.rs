//! Programs of sections. All of them nest well, because the types do not allow other programs.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// One operation, with all operations inside it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Op {
    /// A store, through the nearest section if the code has one. The flag says whether the store
    /// needs the barrier pair.
    Store(bool),
    /// A flush, through the nearest section if the code has one.
    Flush,
    /// A scope, with its operations and its end.
    Scope(Scope, Vec<Op>, End),
}

/// A kind of scope, which contains other operations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// A section, entered by the task's handle or `nest` if the code has one, otherwise by `with`.
    Section,
    /// A section of a callee that does not have the caller's section. It enters by `with`.
    Unknowing,
    /// A section of such a callee, entered by `join`. It joins the caller's if that defers.
    Join,
    /// A pause of the nearest section, or by `paused` if the code does not have a section.
    Pause,
    /// An interrupt and its return.
    Interrupt,
}

/// The end of a scope.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// The guard is dropped, or the closure returns.
    Leave,
    /// The guard is forgotten. A scope without a guard ends as with [`Leave`](Self::Leave).
    Forget,
    /// A panic unwinds through the scope, and is caught outside.
    Panic,
}

/// Returns the operations inside `op`, if it is a scope.
fn inside(op: &Op) -> Option<&[Op]> {
    match op {
        Op::Scope(_, ops, _) => Some(ops),
        Op::Store(_) | Op::Flush => None,
    }
}

/// Returns the number of operations of a program. The beginning and the end of a scope are two.
pub fn length(ops: &[Op]) -> usize {
    ops.iter()
        .map(|op| inside(op).map_or(1, |ops| 2 + length(ops)))
        .sum()
}

/// Returns the depth to which the scopes of a program nest.
pub fn depth(ops: &[Op]) -> usize {
    let depths = ops.iter().filter_map(inside).map(|ops| 1 + depth(ops));
    depths.max().unwrap_or(0)
}

/// Returns a program as one word, which the kernel `programs` reads.
///
/// * `s`, `u`: the store of a kernel page, and of a user page. `f`: a flush.
/// * `(`..`)`: a section. `<`..`>`: `with`. `[`..`]`: `join`.
/// * `|`..`/`: a pause. `{`..`}`: an interrupt.
/// * `!`, `?`: the end [`Forget`](End::Forget) of a section and of a pause. `^`: a panic.
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

/// Returns a strategy for programs with a depth of up to 8 and up to 200 operations.
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

/// Returns `count` random programs. They are the same in each run.
pub fn samples(count: usize) -> impl Iterator<Item = Vec<Op>> {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = random();
    (0..count).map(move |_| {
        let program = strategy.new_tree(&mut runner);
        program.expect("few programs are too long").current()
    })
}

/// Calls `check` with every program of up to `operations` operations.
///
/// The operations are enter, with, store, flush, pause, leave, resume, forget, and an interrupt
/// whose handler enters, stores and leaves. The end of the program leaves the open scopes.
pub fn all(operations: usize, check: &mut dyn FnMut(&[Op])) {
    extend(&mut vec![TOP], operations, &SCOPES[..3], check);
}

/// Calls `check` with every program with a join, of up to `operations` operations ([`all`]).
pub fn all_with_join(operations: usize, check: &mut dyn FnMut(&[Op])) {
    extend(&mut vec![TOP], operations, &SCOPES, &mut |ops| {
        if word(ops).contains('[') {
            check(ops);
        }
    });
}

/// The scopes that [`all_with_join`] opens. [`all`] opens all except for the last.
const SCOPES: [Scope; 4] = [Scope::Section, Scope::Unknowing, Scope::Pause, Scope::Join];

/// An open scope, and its operations so far.
type Frame = (Scope, Vec<Op>);

/// The program itself, which is always open.
const TOP: Frame = (Scope::Unknowing, Vec::new());

/// Returns the program so far, with a leave for each open scope.
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
    // A store of a user page only adds to the trace. The random programs have such stores.
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
