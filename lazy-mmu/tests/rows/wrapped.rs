//! A backend that changes methods of another backend's machine. Also `is_pending` of the hosted
//! backend.

use lazy_mmu_testing::prelude::*;

thread_local! {
    /// The number of calls of the changed method.
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

fn called() {
    CALLS.set(CALLS.get() + 1);
}

/// Defines a wrapper of `Sim` with one changed method, which only counts its calls.
macro_rules! changes {
    ($name:ident, $method:ident($($argument:ty)?)) => {
        struct $name;
        // SAFETY: the simulated machine does not walk tables.
        unsafe impl Wrapper for $name {
            type Inner = Sim;

            fn $method($(_: $argument)?) {
                called();
            }
        }
    };
}

changes!(ChangesBarrier, barrier());
changes!(ChangesTableBarrier, table_barrier());
changes!(ChangesInvalidate, invalidate(&[Invalidation]));
changes!(ChangesInvalidateAll, invalidate_all());
changes!(ChangesObserve, observe(lazy_mmu::Event));

struct ChangesNothing;
// SAFETY: the wrapper does not change a method.
unsafe impl Wrapper for ChangesNothing {
    type Inner = Sim;
}

/// Uses each method of the machine. Returns the trace, and the calls of the changed method.
fn run<W: Wrapper>() -> (String, usize) {
    let slot = slots::<1>();
    CALLS.set(0);
    with::<Wrapped<W>, _>(|mmu| {
        mmu.write(&slot[0], KERNEL);
        mmu.flush();
        mmu.write(&slot[0], Table(Table::at(0x4000_0000).0));
        mmu.invalidate(range(1), Scope::PAGES);
        mmu.flush_tlb_all();
        mmu.paused(|| write::<Wrapped<W>, _>(&slot[0], USERS));
    });
    (trace(), CALLS.get())
}

#[test]
fn k01_a_wrapped_backend_calls_the_method_that_is_changed_and_all_others_of_the_inner_one() {
    let all = "(SDIDSDTdRdIDAdRdI|S/)";
    assert_eq!(run::<ChangesNothing>(), (all.to_owned(), 0));
    for (method, run, expected, calls) in [
        (
            "barrier",
            run::<ChangesBarrier> as fn() -> _,
            "(SDSDTdRdIDAdRdI|S/)",
            1,
        ),
        (
            "table_barrier",
            run::<ChangesTableBarrier>,
            "(SDISDTdRdIDAdRdI|S/)",
            1,
        ),
        (
            "invalidate",
            run::<ChangesInvalidate>,
            "(SDIDSDAdRdI|S/)",
            1,
        ),
        (
            "invalidate_all",
            run::<ChangesInvalidateAll>,
            "(SDIDSDTdRdI|S/)",
            1,
        ),
        ("observe", run::<ChangesObserve>, "DIDDTdRdIDAdRdI", 7),
    ] {
        assert_eq!(run(), (expected.to_owned(), calls), "{method}");
    }
}

thread_local! {
    static BEGUN: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// A backend with hooks and its own `in_interrupt`.
struct Hooks;
type Hooked = Changed<Hooks>;

impl Change for Hooks {
    type Inner = Sim;
    type Machine = Sim;

    fn in_interrupt() -> bool {
        CALLS.get() == usize::MAX || Sim::in_interrupt()
    }

    const HAS_HOOKS: bool = true;

    fn mode_begins() {
        BEGUN.set((BEGUN.get().0 + 1, BEGUN.get().1));
    }

    fn mode_ends() {
        BEGUN.set((BEGUN.get().0, BEGUN.get().1 + 1));
    }
}

struct OfHooked;
// SAFETY: the wrapper does not change a method.
unsafe impl Wrapper for OfHooked {
    type Inner = Hooked;
}

#[test]
fn k01_a_wrapped_backend_has_the_bits_the_context_and_the_hooks_of_the_inner_one() {
    type W = Wrapped<OfHooked>;
    let [slot] = slots();
    with::<W, _>(|mmu| {
        assert_eq!(BEGUN.get(), (1, 0));
        mmu.write(&slot, KERNEL);
        assert!(
            is_active::<Hooked>() && is_pending::<Sim>(),
            "both backends have the same bits"
        );
        CALLS.set(usize::MAX);
        assert!(W::in_interrupt() && !is_active::<W>());
        with::<W, _>(|inert| inert.write(&slot, KERNEL));
        CALLS.set(0);
        mmu.paused(|| assert_eq!(BEGUN.get(), (1, 1)));
    });
    assert_eq!(BEGUN.get(), (2, 2));
    assert_eq!(trace(), "(S[SDI]DI|/)");
}

for_both_storages! {
    fn s09_the_hosted_backend_tells_whether_a_pair_is_pending<B>() {
        let [kernel, user] = slots();
        assert!(!is_pending::<B>());
        write::<B, _>(&kernel, KERNEL);
        assert!(!is_pending::<B>(), "the store is immediate");
        with::<B, _>(|mmu| {
            assert!(!is_pending::<B>());
            mmu.write(&user, USERS);
            assert!(!is_pending::<B>(), "a user page does not need a pair");
            mmu.write(&kernel, KERNEL);
            assert!(is_pending::<B>() && !is_settled(&kernel));
            interrupt(|| assert!(is_pending::<B>(), "the pair of the interrupted thread"));
            mmu.flush();
            assert!(!is_pending::<B>());
            mmu.note_store();
            assert!(is_pending::<B>());
            mmu.nest().leave();
            assert!(!is_pending::<B>());
            mmu.note_store();
            flush::<B>();
            assert!(!is_pending::<B>());
            mmu.note_store();
            paused::<B, _>(|| assert!(!is_pending::<B>()));
            mmu.note_store();
            mmu.flush_tlb_all();
            assert!(!is_pending::<B>());
            mmu.note_store();
            // Another task does not have a pending pair.
            let other = spawn();
            switch_to(other);
            assert!(!is_pending::<B>());
            switch_to(TaskId::FIRST);
            assert!(is_pending::<B>());
        });
        assert!(!is_pending::<B>());
    }
}

#[test]
fn k01_a_wrapped_backend_says_whether_this_is_an_interrupt_as_the_inner_one() {
    let in_interrupt = Wrapped::<ChangesNothing>::in_interrupt;
    assert!(!in_interrupt());
    interrupt(|| assert!(in_interrupt()));
    assert!(Wrapped::<ChangesNothing>::current() == Sim::current());
}
