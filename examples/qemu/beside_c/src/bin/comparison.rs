//! The crate beside the same state machine in C, and beside assembly written by hand that keeps no
//! mode. The same handler counts all of them, on the same live tables, in one run.
//!
//! `cargo xtask bench` runs this program, and makes a table and a picture of its output. The
//! expected output is `comparison.txt`, beside the package. A line has an operation, the place of
//! the bits, and the number of pages. For each form, it has the instructions, the atomic
//! read-modify-writes and the barrier pairs. The forms are in `src/forms.rs` and `lazy_mmu.c`.

#![no_std]
#![no_main]

use lazy_mmu_beside_c::forms::{self, Operation};
use lazy_mmu_beside_c::live::{Count, Live};
use lazy_mmu_examples::Error;
use semihosting::println;

lazy_mmu_qemu::program!(run);

fn run() -> Result<(), Error> {
    let live = Live::boot()?;
    println!(
        "{:<20} {:<5} {:>5}  {:<20} {:<20} limit",
        "operation", "bits", "pages", "ours", "C"
    );
    forms::for_each(|operation, pages| line(&live, operation, pages))
}

fn line(live: &Live, operation: &Operation, pages: usize) -> Result<(), Error> {
    let forms = operation.forms;
    let [ours, c, limit] = [forms.ours, forms.c, forms.limit].map(|form| {
        let count = live.measure(operation, form, pages);
        let check = if operation.maps() {
            live.check(pages)
        } else {
            Ok(())
        };
        check.map(|()| count)
    });
    let (ours, c, limit) = (ours?, c?, limit?);
    assert!(
        ours.stores == c.stores && ours.stores == limit.stores,
        "the same stores: {ours:?}, {c:?}, {limit:?}"
    );
    assert!(
        ours.pairs == c.pairs && ours.pairs == limit.pairs,
        "{}, {pages} pages: the same pairs: {ours:?}, {c:?}, {limit:?}",
        operation.name
    );
    println!(
        "{:<20} {:<5} {pages:>5}  {} {} {}",
        operation.name,
        operation.storage,
        Cells(ours),
        Cells(c),
        Cells(limit)
    );
    Ok(())
}

/// Prints the instructions, the atomics and the pairs.
struct Cells(Count);

impl core::fmt::Display for Cells {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (instructions, atomics, pairs) = (self.0.instructions, self.0.atomics, self.0.pairs);
        write!(f, "{instructions:>8} {atomics:>5} {pairs:>5}")
    }
}
