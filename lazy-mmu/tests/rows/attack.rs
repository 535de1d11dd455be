//! Attacks with safe code: proofs and guards of sections that the compiler cannot distinguish.
//!
//! A comment at each attack says how the crate stops it. Some succeeded against earlier versions.

use std::mem::{forget, replace, swap};

use lazy_mmu_testing::prelude::*;

// The identity of a nested section is the lifetime of a borrow. Two such lifetimes may be equal.
// Therefore `Pending::get` reads the bits, and emits the pair if it is still pending.
for_both_storages! {
    fn b28_an_older_proof_of_another_lineage_redeems_nothing_early<B>() {
        let table = slots::<3>();
        with::<B, _>(|one| {
            with::<B, _>(|other| {
                let mut nested = one.nest();
                let proof = other.nest().leave();
                let pending = nested.write_pending(&table[0], KERNEL, ());
                assert!(!is_settled(&table[0]));
                pending.get(&proof);
                assert!(is_settled(&table[0]));
            });
            with::<B, _>(|other| {
                let mut nested = one.nest();
                let mut another = other.nest();
                let proof = another.flush();
                let pending = nested.write_pending(&table[1], KERNEL, ());
                pending.get(&proof);
                assert!(is_settled(&table[1]));
            });
        });
        let mut handle = task::<B>();
        with::<B, _>(|other| {
            let mut of_handle = handle.enter();
            let proof = other.nest().leave();
            let pending = of_handle.write_pending(&table[2], KERNEL, ());
            pending.get(&proof);
            assert!(is_settled(&table[2]));
        });
    }
}

#[lazy_mmu(backend = Sim, mmu)]
fn redeem_by_another_sections_proof(other: &mut LazyMmu<'_, Dynamic, Sim>, slot: &AtomicU64) {
    let proof = other.nest().leave();
    let pending = mmu.write_pending(slot, KERNEL, ());
    pending.get(&proof);
    assert!(is_settled(slot));
}

#[lazy_mmu(backend = Sim, mmu)]
fn redeem_anothers_mapping(other: &mut LazyMmu<'_, Dynamic, Sim>, slot: &AtomicU64) {
    let mut nested = other.nest();
    let pending = nested.write_pending(slot, KERNEL, ());
    pending.get(&mmu.flush());
    assert!(is_settled(slot));
}

#[lazy_mmu(backend = Sim, mmu)]
fn redeem_the_handles_mapping(handle: &mut Task<Sim>, slot: &AtomicU64) {
    let mut section = handle.enter();
    let pending = section.write_pending(slot, KERNEL, ());
    pending.get(&mmu.flush());
    assert!(is_settled(slot));
}

// The same for the section of the attribute, whose identity is the borrow of a local variable.
#[test]
fn b28_proofs_of_the_attributes_section() {
    let table = slots::<4>();
    with::<Sim, _>(|mmu| redeem_by_another_sections_proof(mmu, &table[0]));
    with::<Sim, _>(|mmu| redeem_anothers_mapping(mmu, &table[1]));
    with::<Sim, _>(|mmu| interrupt(|| redeem_anothers_mapping(mmu, &table[2])));
    let mut handle = task::<Sim>();
    redeem_the_handles_mapping(&mut handle, &table[3]);
    // The kernel has disabled softirqs: the section of the handle defers, and that of the attribute
    // is inert.
    interrupt(|| redeem_the_handles_mapping(&mut handle, &table[3]));
    assert_eq!(bits::<Sim>(), Bits::EMPTY);
}

#[lazy_mmu(backend = Sim, mmu)]
fn take_by_forgetting(other: &mut LazyMmu<'_, Dynamic, Sim>) {
    mmu.note_store();
    forget(replace(mmu, other.nest()));
    mmu.note_store();
}

#[lazy_mmu(backend = Sim, mmu)]
fn take_by_leaving(other: &mut LazyMmu<'_, Dynamic, Sim>) {
    mmu.note_store();
    replace(mmu, other.nest()).leave();
    assert_eq!(bits::<Sim>(), Bits::ACTIVE, "the proof is true");
    assert!(is_active::<Sim>(), "the mode continues");
    mmu.note_store();
}

#[lazy_mmu(backend = Sim, mmu)]
fn take_paused(other: &mut LazyMmu<'_, Dynamic, Sim>) {
    mmu.paused(|| ());
    forget(replace(mmu, other.nest()));
}

#[lazy_mmu(backend = Sim, mmu)]
fn swap_with_nested(other: &mut LazyMmu<'_, Dynamic, Sim>) {
    let mut nested = other.nest();
    swap(mmu, &mut nested);
    nested.note_store();
    forget(nested);
}

// The body can exchange only a borrow, not the guard that leaves the section.
#[test]
fn s22_taking_the_attributes_section_changes_nothing() {
    type Attack = fn(&mut LazyMmu<'_, Dynamic, Sim>);
    for attack in [
        take_by_forgetting as Attack,
        take_by_leaving,
        take_paused,
        swap_with_nested,
    ] {
        with::<Sim, _>(|mmu| {
            attack(mmu);
            // The function's own leave has flushed.
            assert_eq!(bits::<Sim>(), Bits::ACTIVE);
        });
        assert_eq!(bits::<Sim>(), Bits::EMPTY);
        // The same, if the section of the function is the outermost one at its leave.
        let mut handle = task::<Sim>();
        let outermost = handle.enter();
        with::<Sim, _>(move |mmu| {
            drop(outermost);
            attack(mmu);
            assert_eq!(bits::<Sim>(), Bits::EMPTY);
        });
        drop(handle);
        assert_eq!(bits::<Sim>(), Bits::EMPTY);
    }
}

// The guards that a panic unwinds emit the pair for the stores before the panic.
for_both_storages! {
    fn s23_drops_that_open_sections_while_unwinding<B>() {
        struct OpensSections<'s, B: Backend>(&'s AtomicU64, std::marker::PhantomData<B>);
        impl<B: Backend> Drop for OpensSections<'_, B> {
            fn drop(&mut self) {
                paused::<B, _>(|| lazy_mmu::write::<B, _>(self.0, KERNEL));
                with::<B, _>(|mmu| {
                    mmu.write(self.0, KERNEL);
                    forget(mmu.nest());
                });
                flush::<B>();
            }
        }
        let table = slots::<4>();
        let panics = || {
            with::<B, _>(|mmu| {
                let _outer = OpensSections::<B>(&table[0], std::marker::PhantomData);
                mmu.write_range(&table, |i| {
                    let _inner = OpensSections::<B>(&table[3], std::marker::PhantomData);
                    assert!(i < 2, "provoked");
                    KERNEL
                });
            });
        };
        assert!(unwinds(panics));
        assert!(table.iter().all(is_settled));
    }
}

/// The section of the attribute stays on its thread, even if its storage is `Send`.
#[test]
fn s22_an_attributed_functions_section_cannot_be_sent() {
    /// A trait whose implementation is ambiguous for types that are `Send`.
    trait UnlessSend<A> {}
    impl<T> UnlessSend<()> for T {}
    impl<T: Send> UnlessSend<u8> for T {}
    fn not_send<A>(_: impl UnlessSend<A>) {}

    not_send(lazy_mmu::__private::section::<Eager<Sim>>());
}
