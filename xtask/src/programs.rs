//! Random programs of sections for the kernel `programs`, and what the reference model says of each.
//!
//! Programs and model are those of the library's own test of row S18.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

#[expect(
    dead_code,
    reason = "the library's test enumerates and shows programs too"
)]
#[path = "../../lazy-mmu/tests/model/program.rs"]
pub(crate) mod program;

#[path = "../../lazy-mmu/tests/model/reference.rs"]
mod reference;

use program::{End, Op};

/// `count` programs, a line each: the program, a space, and the stores and barriers of the reference model. The same ones each
/// time.
pub(crate) fn lines(count: usize) -> String {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    );
    let strategy = program::random();
    let mut lines = String::new();
    for _ in 0..count {
        let program = strategy
            .new_tree(&mut runner)
            .expect("few programs are too long")
            .current();
        let program = without_interrupts(program);
        word(&program, &mut lines);
        lines.push(' ');
        let trace = reference::run(&program);
        lines.extend(trace.chars().filter(|it| "SDI".contains(*it)));
        lines.push('\n');
    }
    lines
}

/// The program without its interrupts, which come from the machine; and without panics, which do not unwind there.
fn without_interrupts(ops: Vec<Op>) -> Vec<Op> {
    let end = |end| if end == End::Panic { End::Leave } else { end };
    ops.into_iter()
        .filter_map(|op| match op {
            Op::Interrupt(_) => None,
            Op::Section(ops, how) => Some(Op::Section(without_interrupts(ops), end(how))),
            Op::Unknowing(ops, _) => Some(Op::Unknowing(without_interrupts(ops), false)),
            Op::Join(ops, _) => Some(Op::Join(without_interrupts(ops), false)),
            Op::Pause(ops, how) => Some(Op::Pause(without_interrupts(ops), end(how))),
            Op::Store(_) | Op::Flush => Some(op),
        })
        .collect()
}

/// A program as the kernel reads it.
fn word(ops: &[Op], into: &mut String) {
    for op in ops {
        let (letter, inner, end) = match op {
            Op::Store(true) => ('s', None, ""),
            Op::Store(false) => ('u', None, ""),
            Op::Flush => ('f', None, ""),
            Op::Section(ops, End::Forget) => ('(', Some(ops), "!"),
            Op::Section(ops, _) => ('(', Some(ops), ")"),
            Op::Unknowing(ops, _) => ('<', Some(ops), ">"),
            Op::Join(ops, _) => ('[', Some(ops), "]"),
            Op::Pause(ops, End::Forget) => ('|', Some(ops), "?"),
            Op::Pause(ops, _) => ('|', Some(ops), "/"),
            Op::Interrupt(_) => unreachable!("they were taken out"),
        };
        into.push(letter);
        word(inner.map_or(&[], Vec::as_slice), into);
        into.push_str(end);
    }
}
