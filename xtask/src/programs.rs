//! Random programs of sections for the kernel `programs`, and what the reference model says of each.
//!
//! Programs and model are those of the library's own test of row S18.

use lazy_mmu_testing::program::{End, Op, Scope, samples, word};
use lazy_mmu_testing::reference;

/// `count` programs, a line each: the program, a space, and the stores and barriers of the
/// reference model. The same ones each time.
pub(crate) fn lines(count: usize) -> String {
    let mut lines = String::new();
    for program in samples(count).map(without_interrupts) {
        lines.push_str(&word(&program));
        lines.push(' ');
        let trace = reference::run(&program);
        lines.extend(trace.chars().filter(|it| "SDI".contains(*it)));
        lines.push('\n');
    }
    lines
}

/// The program without its interrupts, which come from the machine; and without panics, which do
/// not unwind there.
fn without_interrupts(ops: Vec<Op>) -> Vec<Op> {
    ops.into_iter()
        .filter_map(|op| match op {
            Op::Scope(Scope::Interrupt, ..) => None,
            Op::Scope(scope, ops, End::Panic) => {
                Some(Op::Scope(scope, without_interrupts(ops), End::Leave))
            }
            Op::Scope(scope, ops, end) => Some(Op::Scope(scope, without_interrupts(ops), end)),
            Op::Store(_) | Op::Flush => Some(op),
        })
        .collect()
}
