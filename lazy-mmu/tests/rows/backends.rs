//! Rows K: what a kernel supplies, where the bits are, and the backend of the whole program.

use std::ptr::NonNull;
use std::sync::atomic::AtomicU8;

use lazy_mmu_testing::prelude::*;

lazy_mmu::set_global_backend!(Sim);

thread_local! {
    static BITS: AtomicU8 = const { AtomicU8::new(0) };
}

// K01: from here ..
struct Mine;

// SAFETY: each thread has a byte of its own, as long as it lives; there are no interrupts; no MMU
// to wait for.
unsafe impl Backend for Mine {
    type Storage = OwnByte;
    type Machine = Sim;

    fn current() -> OwnByte {
        // SAFETY: as above.
        BITS.with(|byte| unsafe { OwnByte::from_ptr(NonNull::from(byte)) })
    }

    fn in_interrupt() -> bool {
        false
    }
}
// .. to here it is 15 lines, with the machine that is given.

#[test]
fn k01_twenty_lines_make_a_backend() {
    let table = slots::<8>();
    with::<Mine, _>(|mmu| {
        for slot in &table {
            mmu.write(slot, KERNEL);
        }
        with::<Mine, _>(|_| ());
        assert_eq!(trace(), "(SSSSSSSS<DI>");
        mmu.write(&table[0], KERNEL);
    });
    assert_eq!(trace(), "SDI)");
    assert!(!is_active::<Mine>());
}

/// K08: a kernel whose CPUs tell each other of an invalidation by interrupt.
struct Interprocessor;

thread_local! {
    /// The ranges that the other CPUs were told of.
    static TOLD: Cell<Vec<Invalidation>> = const { Cell::new(Vec::new()) };
}

// SAFETY: no other CPU walks the tables, and the trace is barrier enough.
unsafe impl Machine for Interprocessor {
    fn barrier() {
        Sim::barrier();
    }

    fn table_barrier() {
        Sim::table_barrier();
    }

    fn invalidate(invalidations: &[Invalidation]) {
        TOLD.set(invalidations.to_vec());
        Sim::barrier();
    }

    fn invalidate_all() {
        Self::invalidate(&[]);
    }
}

#[test]
fn k08_a_kernel_that_shoots_down_by_interrupt_is_given_ranges_and_names_no_instruction() {
    struct ByInterrupt;
    type Kernel = Changed<ByInterrupt>;
    impl Change for ByInterrupt {
        type Inner = Mine;
        type Machine = Interprocessor;
    }

    let [page, far, table] = [KERNEL.0, KERNEL.0, LINK.0].map(AtomicU64::new);
    let block = entry_at(2, 0x20_0000);
    with::<Kernel, _>(|mmu| mmu.unmap(&page, range_at(0, 1)).invalidate(mmu));
    let expected = |range, scope| [Invalidation { range, scope }];
    assert_eq!(TOLD.take(), expected(range_at(0, 1), Scope::leaves(12)));
    drop(aarch64::unmap::<Kernel>(&table, block));
    assert_eq!(TOLD.take(), expected(block, Scope::ALL_LEVELS));
    let mut values = [None; 2];
    gather::<Kernel, _, _>(&mut values, |gather| {
        let user = range_at(0x100_0000, 1).of_asid(7);
        gather.unmap(&far, user, |old| old).unwrap();
        let other = range_at(0x1000, 2);
        gather.withhold(1, other, Scope::PAGES).unwrap();
    });
    let told = TOLD.take();
    assert_eq!(told.len(), 2, "two ranges that are far apart: {told:?}");
    assert_eq!(told[0].range.asid(), Some(7));
    assert_eq!(told[1].range, range_at(0x1000, 2));
    assert_eq!(values, [Some(KERNEL.0), Some(1)]);
}

mod before_the_first_task {
    use super::*;
    use lazy_mmu::aarch64::{
        Aarch64, ByteAt, FlagsAt, Kernel, MaybeNull, PreemptCountAt, TaskPointer,
    };
    #[repr(C, align(8))]
    struct ThreadInfo([AtomicU64; 3]);

    std::thread_local! {
        static TASK: Cell<*mut u8> = const { Cell::new(std::ptr::null_mut()) };
    }

    struct Register;
    impl TaskPointer for Register {
        fn current() -> *mut u8 {
            TASK.get()
        }
    }

    /// A kernel whose task pointer may be null, and one that promises that it is not.
    struct Checked;
    struct Unchecked;
    // SAFETY: the tests let the register point to a `ThreadInfo`, or be null before they have one.
    unsafe impl Kernel for Checked {
        type Task = MaybeNull<Register>;
        type Bits = FlagsAt<0, 0>;
        type Interrupt = PreemptCountAt<8, 1>;
    }
    // SAFETY: as above.
    unsafe impl Kernel for Unchecked {
        type Task = Register;
        type Bits = ByteAt<0>;
        type Interrupt = PreemptCountAt<8, 1>;
    }

    /// `Aarch64<Checked>` with the barriers of the simulated machine.
    struct OnHost;
    type Hosted = Changed<OnHost>;
    impl Change for OnHost {
        type Inner = Aarch64<Checked>;
        type Machine = Sim;
    }

    #[lazy_mmu(backend = Hosted, mmu)]
    fn boot(slot: &AtomicU64) {
        mmu.write(slot, KERNEL);
        assert!(is_settled(slot));
        write::<Hosted, _>(slot, KERNEL);
        assert!(is_settled(slot));
        paused::<Hosted, _>(|| ());
        flush::<Hosted>();
        assert!(!is_active::<Hosted>());
    }

    #[test]
    fn c13_before_the_first_task_sections_are_inert_and_stores_immediate() {
        let [slot] = slots::<1>();
        boot(&slot);
        assert!(check_idle::<Hosted>().is_ok());
        assert!(unwinds(task::<Hosted>), "there is no task");

        let info = ThreadInfo(slots::<3>());
        with::<Hosted, _>(|_| {
            // The first task begins inside the section, which settles what is deferred from now on.
            TASK.set((&raw const info).cast_mut().cast());
            with::<Hosted, _>(|inner| {
                inner.write(&slot, KERNEL);
                assert!(!is_settled(&slot), "deferred");
            });
            assert!(is_settled(&slot));
        });
        let mut task = task::<Hosted>();
        task.enter().write(&slot, KERNEL);
        drop(task);
        assert_eq!(info.0[0].get(), 0);
        TASK.set(std::ptr::null_mut());
        assert_eq!(trace(), "[SDISDI-][(SDI)](SDI)");
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "the task pointer is null: set it before the first store")]
    fn c13_without_the_test_for_null_a_debug_build_says_what_is_missing() {
        with::<Aarch64<Unchecked>, _>(|_| ());
    }
}

#[test]
fn k02_others_flags_in_the_shared_word_survive() {
    let [slot] = slots();
    let others = 0x0123_4567_89ab_cdef & !sim::FLAGS & !(1 << 59);
    flags().set(others);
    with::<Sim, _>(|mmu| {
        mmu.write(&slot, KERNEL);
        // Another CPU asks for a reschedule.
        flags().set(1 << 59);
        mmu.flush();
        mmu.write(&slot, KERNEL);
    });
    assert_eq!(trace(), "(SDISDI)");
    assert_eq!(flags().load(), others | 1 << 59);
}

#[test]
fn k02_the_own_byte_is_another_place() {
    with::<SimOwnByte, _>(|_| {
        assert!(is_active::<SimOwnByte>());
        assert!(!is_active::<Sim>(), "nothing in the flags word");
        assert_eq!(flags().load(), 0);
    });
}

/// The backend whose bits the next two tests change behind the crate's back.
fn k03<B: Backend>() {
    let [slot] = slots();
    // Set: a section is open, though nobody entered one here.
    // SAFETY: cleared below; what the crate makes of it is what is tested.
    unsafe { B::current().set(Bits::EMPTY, Bits::ACTIVE) };
    assert!(is_active::<B>());
    write::<B, _>(&slot, KERNEL);
    assert_eq!(trace(), "S", "deferred");
    let state = enter::<B>();
    assert_eq!(state.kind(), Kind::Nested);
    leave::<B>(state);
    assert_eq!(trace(), "<DI>");
    // Cleared: none is.
    // SAFETY: as above.
    unsafe { B::current().clear(Bits::ACTIVE, Bits::ACTIVE) };
    assert!(!is_active::<B>());
    write::<B, _>(&slot, KERNEL);
    assert_eq!(trace(), "SDI");
}

#[test]
fn k03_nothing_but_the_bits_says_that_a_section_is_open() {
    k03::<Sim>();
    k03::<SimOwnByte>();
}

#[test]
fn k06_the_registered_backend_serves_code_that_names_none() {
    #[lazy_mmu(mmu)]
    fn library(slots: &[AtomicU64]) {
        for slot in slots {
            mmu.write(slot, KERNEL);
        }
        assert_eq!(is_active::<Global>(), is_active::<Sim>());
        inner(&slots[0]);
    }
    #[lazy_mmu]
    fn inner(slot: &AtomicU64) {
        write::<Global, _>(slot, KERNEL);
    }
    library(&slots::<3>());
    assert_eq!(trace(), "(SSS<SDI>)");
    assert!(!is_active::<Sim>());

    // One truth: it is the registered backend's bits that `Global` uses.
    with::<Sim, _>(|mmu| {
        mmu.note_store();
        inner(&slots::<1>()[0]);
    });
    assert_eq!(trace(), "(<SDI>)");
    interrupt(|| library(&slots::<1>()));
    assert_eq!(trace(), "{[SDI[SDI]]}");
    with::<Global, _>(|mmu| {
        mmu.note_store();
        mmu.flush();
        mmu.note_store();
    });
    assert_eq!(trace(), "(DIDI)");
}

#[test]
fn k06_the_registered_backend_says_whether_this_is_an_interrupt_and_what_a_tlb_can() {
    assert!(!Global::in_interrupt());
    interrupt(|| assert!(Global::in_interrupt()));
    with::<Global, _>(|mmu| {
        mmu.flush_tlb_kernel_range(range(2));
    });
    assert_eq!(trace(), "{}(DTTdRdI)", "`Sim` has no range instructions");
}

#[test]
fn k06_the_functions_of_the_registered_backend_are_those_of_the_crate() {
    let table = slots::<4>();
    let page = range(1);
    assert!(!global::is_active() && global::check_idle().is_ok());
    global::write(&table[0], KERNEL);
    global::write_range(&table, |_| KERNEL);
    assert_eq!(trace(), "SDISSSSDI");
    let value = global::with(|mmu| {
        mmu.write(&table[0], KERNEL);
        assert!(global::is_active() && global::check_idle().is_err());
        global::flush();
        global::join(|inner| inner.write(&table[1], KERNEL));
        global::paused(|| assert!(!global::is_active()));
        global::note_stores(|| ());
        7
    });
    assert_eq!((value, &*trace()), (7, "(SDISDI|/DI)"));
    let mapped = global::visible(|mmu| mmu.write_pending(&table[2], KERNEL, 5));
    assert_eq!((mapped, &*trace()), (5, "(SDI)"));
    global::invalidate(page, Scope::PAGES);
    assert_eq!(trace(), "DTdRdI");
    let mut old = [None];
    let kept = global::gather(&mut old, |gather| gather.unmap(&table[3], page, |old| old));
    assert_eq!((kept, old), (Ok(()), [Some(KERNEL.0)]));
    assert_eq!(trace(), "SDTdRdI");
}
