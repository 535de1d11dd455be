//! The writes that are not plain stores, TLB invalidation, hooks, and a fault inside a section, on live page tables.
//!
//! Run it with `cargo xtask qemu`. What it prints stands in `other_writes.txt` beside the package.

#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
include!("../host.rs");

#[cfg(target_os = "none")]
mod kernel {
    use core::sync::atomic::{AtomicU8, AtomicU32};

    use aarch64_rt::entry;
    use lazy_mmu::aarch64::{El1, Form, Regime, Tlbi, Tlbs};
    use lazy_mmu::{Backend, Machine as _};
    use lazy_mmu_examples::frames::MemoryMap;
    use lazy_mmu_examples::preempt::PreemptCount;
    use lazy_mmu_examples::scenario::MEMORY_BASE;
    use lazy_mmu_examples::{Error, MemoryManager};
    use lazy_mmu_qemu::thread::{ByteMmu, Mmu, OTHER_THREAD, THREAD, ThreadInfo};
    use lazy_mmu_qemu::virt::Virt;
    use lazy_mmu_qemu::{program, writes};

    const FRAMES: usize = 4096;

    static USES: [AtomicU8; FRAMES] = [const { AtomicU8::new(0) }; FRAMES];

    entry!(main);
    fn main(_: u64, _: u64, _: u64, _: u64) -> ! {
        program::run(|| {
            show::<Mmu, First>("flags word, SP_EL0", &THREAD)?;
            show::<ByteMmu, Second>("own byte, TPIDR_EL1", &OTHER_THREAD)
        })
    }

    // What `cargo xtask qemu` looks up in the disassembly. Nothing calls them.

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

    /// Each instruction of the regime once.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "into each of the two")]
    fn all(regime: Regime, operand: u64) {
        let tlbs = Tlbs {
            regime,
            ..Tlbs::EL1
        };
        for this_cpu in [false, true] {
            for (all_levels, one_asid) in
                [(false, false), (true, false), (false, true), (true, true)]
            {
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

    struct First;

    impl PreemptCount for First {
        fn current() -> &'static AtomicU32 {
            &THREAD.preempt_count
        }
    }

    struct Second;

    impl PreemptCount for Second {
        fn current() -> &'static AtomicU32 {
            &OTHER_THREAD.preempt_count
        }
    }

    fn show<B: Backend, P: PreemptCount>(
        storage: &str,
        thread: &'static ThreadInfo,
    ) -> Result<(), Error> {
        for used in &USES {
            used.store(0, core::sync::atomic::Ordering::Relaxed);
        }
        let map = MemoryMap::new(MEMORY_BASE, &USES);
        // SAFETY: the RAM there is the frames', and in the identity map; memory managers are used one after another.
        let machine = unsafe { Virt::<B>::new(map) };
        let mut mm = MemoryManager::boot(machine, map, false)?;
        writes::show::<B, P>(storage, &mut mm, thread)
    }
}
