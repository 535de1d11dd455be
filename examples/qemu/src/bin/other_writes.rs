//! Special writes, TLB invalidation, hooks, and a fault inside a section, on live page tables.

#![no_std]
#![no_main]

use lazy_mmu::Machine as _;
use lazy_mmu::aarch64::{El1, Form, Regime, Tlbi, Tlbs};
use lazy_mmu_qemu::rows::Rows;
use lazy_mmu_qemu::thread::{ByteMmu, Mmu};

lazy_mmu_qemu::program!(|| {
    Rows::<Mmu>::boot()?.writes()?;
    Rows::<ByteMmu>::boot()?.writes()
});

// `cargo xtask qemu` finds these functions in the disassembly. The program does not call them.

#[unsafe(no_mangle)]
extern "C" fn b20_tlbi_of_el1(operand: u64) {
    all(Regime::El1And0, operand);
}

#[unsafe(no_mangle)]
extern "C" fn b20_tlbi_of_el2(operand: u64) {
    all(Regime::El2, operand);
}

#[unsafe(no_mangle)]
extern "C" fn b01_pair_of_the_given_machine(_: u64) {
    El1::barrier();
}

#[unsafe(no_mangle)]
extern "C" fn b31_end_of_the_given_machine(_: u64) {
    Tlbs::EL1.complete();
}

#[used]
static KEPT: [extern "C" fn(u64); 4] = [
    b31_end_of_the_given_machine,
    b20_tlbi_of_el1,
    b20_tlbi_of_el2,
    b01_pair_of_the_given_machine,
];

/// Executes each instruction of the regime once.
#[inline(always)]
#[expect(clippy::inline_always, reason = "each caller has its own copy")]
fn all(regime: Regime, operand: u64) {
    let tlbs = Tlbs {
        regime,
        ..Tlbs::EL1
    };
    for this_cpu in [false, true] {
        for (all_levels, one_asid) in [(false, false), (true, false), (false, true), (true, true)] {
            let form = Form {
                all_levels,
                one_asid,
                this_cpu,
            };
            tlbs.execute(Tlbi::Page { operand, form });
            tlbs.execute(Tlbi::Range { operand, form });
        }
        tlbs.execute(Tlbi::Asid { operand, this_cpu });
        tlbs.execute(Tlbi::All { this_cpu });
    }
}
