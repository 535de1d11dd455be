//! What `{:?}` shows: the bits by their names, and no value that is not to be had yet.

use lazy_mmu::aarch64::Tlbi;
use lazy_mmu_testing::prelude::*;

#[test]
fn the_bits_have_their_names() {
    assert_eq!(format!("{:?}", Bits::EMPTY), "{}");
    let all = Bits::ACTIVE
        .union(Bits::PENDING)
        .union(Bits::PAUSED)
        .union(Bits::OWNED);
    assert_eq!(format!("{all:?}"), "{ACTIVE, PENDING, PAUSED, OWNED}");
    assert_eq!(format!("{:?}", Bits::PAUSED), "{PAUSED}");
}

#[test]
fn handles_guards_and_pauses_show_their_state() {
    let mut task = task::<Sim>();
    let shown = format!("{task:?}");
    assert!(shown.starts_with("Task { bits: {}, "), "{shown}");
    let mut section = task.enter();
    section.note_store();
    let shown = "LazyMmu { inert: false, bits: {ACTIVE, PENDING, OWNED}, .. }";
    assert_eq!(format!("{section:?}"), shown);
    section.paused(|| {
        let shown = "LazyMmu { inert: true, bits: {ACTIVE, PAUSED, OWNED}, .. }";
        with::<Sim, _>(|mmu| assert_eq!(format!("{mmu:?}"), shown));
    });
    drop(section);
    assert_eq!(bits::<Sim>(), Bits::EMPTY);
    // What the attribute's body has.
    let mut section = lazy_mmu::__private::section::<Sim>();
    let view = lazy_mmu::__private::view(&mut section);
    let shown = "LazyMmu { inert: false, bits: {ACTIVE}, .. }";
    assert_eq!(format!("{view:?}"), shown);
}

#[test]
fn what_is_not_to_be_had_yet_is_not_shown() {
    let [slot] = slots::<1>();
    let page = Granule::Kib4.range(0, 1).unwrap();
    with::<Sim, _>(|mmu| {
        let pending = mmu.write_pending(&slot, KERNEL, "secret");
        assert_eq!(format!("{pending:?}"), "Pending { .. }");
        assert_eq!(format!("{:?}", mmu.flush()), "Visible { .. }");
        let changed = mmu.unmap(&slot, page).map(|old| old).invalidate(mmu);
        assert_eq!(format!("{changed:?}"), "AfterInvalidation { .. }");
        let unmapped = mmu.unmap(&slot, page);
        let shown = format!("{unmapped:?}");
        let start = "Unmapped { invalidation: Invalidation { range: VirtualRange {";
        assert!(shown.starts_with(start), "{shown}");
        assert!(shown.ends_with("all_levels: false } }, .. }"), "{shown}");
    });
}

#[test]
fn addresses_descriptors_and_operands_are_shown_in_hexadecimal() {
    let (slot, value) = (0x1f0, 0x703);
    let null = std::ptr::null();
    let (operand, this_cpu) = (7 << 48, false);
    let (index, bits) = (1, 0x703);
    let table = Leaf::from_bits(Granule::Kib4, 2, 0x4000_0003);
    let shown: [&dyn std::fmt::Debug; 9] = [
        &KERNEL,
        &Event::Tlbi(BASE),
        &Event::TlbiTable(0x4000_0000),
        &Event::Store { slot, value },
        &lazy_mmu::Event::Store { slot: null, value },
        &Tlbi::Asid { operand, this_cpu },
        &Granule::Kib4.range(0x1234, 1).unwrap_err(),
        &NotAGroup::Entry { index, bits },
        &table.unwrap_err(),
    ];
    assert_eq!(
        shown.map(|it| format!("{it:?}")),
        [
            &*format!("Leaf({:#x})", KERNEL.0),
            "Tlbi(0xffff800000000000)",
            "TlbiTable(0x40000000)",
            "Store { slot: 0x1f0, value: 0x703 }",
            "Store { slot: 0x0, value: 0x703 }",
            "Asid(0x7000000000000, this_cpu: false)",
            "BadRange(the address 0x1234 is not a multiple of 0x1000)",
            "NotAGroup(entry 1, 0x703, does not belong to a contiguous group with the others)",
            "BadDescriptor(0x40000003 is a table descriptor, not a leaf)",
        ]
    );
}
