//! Makes random programs of sections for the kernel `programs`, with the traces of the reference
//! model. The library's own test of S18 uses the same programs and the same model.

use lazy_mmu_testing::program::{End, Op, Scope, samples, word};
use lazy_mmu_testing::reference;

/// Returns `count` programs, always the same. A line has a program, a space, and the stores and
/// barriers of the reference model.
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

/// Removes the interrupts and the panics of a program, because the emulated machine raises
/// interrupts itself, and panics do not unwind on it.
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
