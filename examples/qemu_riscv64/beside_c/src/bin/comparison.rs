//! The crate beside the same state machine in C, and beside assembly written by hand that keeps no
//! mode, on the same live tables.
//!
//! `cargo xtask qemu` runs this program twice, and `cargo xtask bench` makes a picture of the
//! result, which is `comparison.txt`. In the first run, a line has an operation, the place of the
//! bits, the number of pages, and the instructions of the three forms. In the second run, the first
//! word after the mode is `steps`. The program then counts nothing, and marks the same forms for
//! the observer, which records their stores and fences.

#![no_std]
#![no_main]

use lazy_mmu_beside_c_riscv64::forms;
use lazy_mmu_beside_c_riscv64::live::Live;
use lazy_mmu_examples::Error;
use lazy_mmu_qemu_riscv64::program;
use semihosting::println;

lazy_mmu_qemu_riscv64::program!(run);

fn run() -> Result<(), Error> {
    let live = Live::boot()?;
    let steps = program::with_word(1, |word| word == Some("steps"));
    forms::for_each(|operation, pages| {
        let forms = operation.forms;
        let mut counts = [0; 3];
        for (form, count) in [forms.ours, forms.c, forms.limit]
            .into_iter()
            .zip(&mut counts)
        {
            if steps {
                live.record(operation, form, pages);
            } else {
                *count = live.measure(operation, form, pages);
            }
            if operation.maps() {
                live.check(pages)?;
            }
        }
        if !steps {
            let [ours, c, limit] = counts;
            println!(
                "{} {} {pages} {ours} {c} {limit}",
                operation.name, operation.storage
            );
        }
        Ok(())
    })
}
