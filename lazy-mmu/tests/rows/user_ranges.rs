//! Row B36: user ranges, by their ASID, on all CPUs or on one.

use lazy_mmu::aarch64::{Form, Tlbi};
use lazy_mmu_testing::prelude::*;

const START: u64 = 0x0000_7fff_1234_5000;
/// All bits of an ASID, and none of the highest, so that a shift by one is seen.
const ASID: u16 = 0xa5c3;

fn range(pages: u64) -> VirtualRange {
    Granule::Kib4.range(START, pages).unwrap().of_asid(ASID)
}

/// The same on this CPU only.
fn here(range: VirtualRange) -> VirtualRange {
    // SAFETY: there is one CPU.
    unsafe { range.on_this_cpu() }
}

/// The instruction for the page number `number` of the range.
fn page(number: u64, all_levels: bool, this_cpu: bool) -> Event {
    let operand = u64::from(ASID) << 48 | ((START >> 12) + number);
    self::operand(operand, all_levels, this_cpu)
}

/// The instruction for one ASID's page, by its operand.
fn operand(operand: u64, all_levels: bool, this_cpu: bool) -> Event {
    let form = Form {
        all_levels,
        one_asid: true,
        this_cpu,
    };
    Event::TlbiForm(Tlbi::Page { operand, form })
}

/// The TLBIs of the trace, and the barriers behind them.
fn sequence() -> (Vec<Event>, &'static str) {
    let mut trace = take_trace();
    trace.retain(|it| !matches!(it, Event::Enter(_) | Event::Leave(_) | Event::Store { .. }));
    let is_tlbi = |it: &Event| "TFA".contains(&letters(&[*it]));
    let tlbis = trace.iter().copied().filter(is_tlbi).collect();
    trace.retain(|it| !is_tlbi(it));
    let barriers = letters(&trace);
    let known = [BROADCAST, LOCAL].into_iter().find(|it| *it == barriers);
    (tlbis, known.expect(&barriers))
}

const BROADCAST: &str = "DdRdI";
const LOCAL: &str = "DnI";

/// An operation that takes the page away, or invalidates it.
type Way = (&'static str, fn(&AtomicU64, VirtualRange));

fn ways<B: Backend>() -> [Way; 10] {
    use std::slice::from_ref;

    [
        ("unmap", |slot, range| {
            with::<B, _>(|mmu| mmu.unmap(slot, range).invalidate(mmu));
        }),
        ("unmap, dropped", |slot, range| {
            with::<B, _>(|mmu| drop(mmu.unmap(slot, range)));
        }),
        ("unmap()", |slot, range| {
            aarch64::unmap::<B>(slot, range).invalidate_now();
        }),
        ("unmap_range", |slot, range| {
            with::<B, _>(|mmu| mmu.unmap_range(from_ref(slot), range).invalidate(mmu));
        }),
        ("unmap_range_into", |slot, range| {
            drop(aarch64::unmap_range_into::<B, _>(
                from_ref(slot),
                range,
                [0],
            ));
        }),
        ("break_before_make", |slot, range| {
            with::<B, _>(|mmu| mmu.break_before_make(slot, range, |_| USERS));
        }),
        ("break_before_make()", |slot, range| {
            aarch64::break_before_make::<B, _>(slot, range, |_| USERS);
        }),
        ("gather", |slot, range| {
            gather::<B, _, _>(&mut [None], |gather| gather.unmap(slot, range, drop)).unwrap();
        }),
        ("invalidate", |_, range| {
            with::<B, _>(|mmu| {
                mmu.invalidate(range, Scope::PAGES);
            });
        }),
        ("invalidate()", |_, range| {
            invalidate::<B>(range, Scope::PAGES);
        }),
    ]
}

for_both_storages! {
    fn b36_a_users_page_is_invalidated_by_its_asid<B>() {
        for (way, run) in ways::<B>() {
            // The same addresses of every address space.
            let all = Granule::Kib4.range(START, 1).unwrap();
            for (place, range, tlbi, barriers) in [
                ("on all CPUs", range(1), page(0, false, false), BROADCAST),
                ("on this CPU", here(range(1)), page(0, false, true), LOCAL),
                ("of all", all, Event::Tlbi(START), BROADCAST),
            ] {
                run(&AtomicU64::new(USERS.0), range);
                assert_eq!(sequence(), (vec![tlbi], barriers), "{way}, {place}");
            }
        }
    }
}

/// The fields of the operand: the ASID in bits 63:48, the level hint (TTL) in bits 47:44 is 0, and
/// VA\[55:12\] is below, though the address has bits above 55.
#[test]
fn b36_no_bit_of_the_address_is_in_the_fields_of_the_asid_and_the_level() {
    for start in [
        0,
        START,
        0x0000_ffff_ffff_f000,
        0xffff_8000_0000_0000,
        !0xfff,
    ] {
        for asid in [0, 1, 0x00ff, 0x8000, 0xffff] {
            let page = Granule::Kib4.range(start, 1).unwrap().of_asid(asid);
            for range in [page, here(page)] {
                for scope in [Scope::PAGES, Scope::ALL_LEVELS] {
                    invalidate::<Sim>(range, scope);
                    let tlbis = sequence().0;
                    let [Event::TlbiForm(Tlbi::Page { operand, form })] = tlbis[..] else {
                        panic!("{tlbis:?}");
                    };
                    assert_eq!(operand >> 48, u64::from(asid), "{operand:#x}");
                    assert_eq!(operand >> 44 & 0xf, 0, "{operand:#x}");
                    assert_eq!(operand & ((1 << 44) - 1), start >> 12 & ((1 << 44) - 1));
                    assert!(form.one_asid);
                    assert_eq!(form.this_cpu, range.this_cpu());
                    assert_eq!(form.all_levels, scope.all_levels());
                }
            }
        }
    }
}

#[test]
fn b36_blocks_tables_and_many_pages_of_a_user() {
    let block = || AtomicU64::new(0x4000_0000 | USER_DATA | VALID);
    let entry = |asid| Granule::Kib4.entry(2, 0x20_0000).unwrap().of_asid(asid);
    let base = u64::from(ASID) << 48 | 0x200;
    let tlbi = |number, all_levels, this_cpu| operand(base + number, all_levels, this_cpu);
    aarch64::unmap::<Sim>(&block(), entry(ASID)).invalidate_now();
    assert_eq!(sequence().0, [tlbi(0, false, false)], "one for a block");
    let table = AtomicU64::new(Table::at(0x4800_0000).0);
    aarch64::unmap::<Sim>(&table, here(entry(ASID))).invalidate_now();
    // All levels of what was a table.
    let each = (0..512).map(|i| tlbi(i, true, true)).collect();
    assert_eq!(sequence(), (each, LOCAL));
    // Too many one by one: everything of the ASID, and of no other.
    let operand = u64::from(ASID) << 48;
    for (many, barriers) in [(range(513), BROADCAST), (here(range(513)), LOCAL)] {
        invalidate::<Sim>(many, Scope::PAGES);
        let this_cpu = many.this_cpu();
        let asid = Event::TlbiForm(Tlbi::Asid { operand, this_cpu });
        assert_eq!(sequence(), (vec![asid], barriers));
    }
    let pages = slots::<3>();
    with::<Sim, _>(|mmu| mmu.unmap_range(&pages, range(3)).invalidate(mmu));
    let each: Vec<_> = (0..3).map(|i| page(i, false, false)).collect();
    assert_eq!(sequence().0, each);
}

/// One sequence for all: if any of them is for all CPUs, its barriers are.
#[test]
fn b36_local_and_broadcast_in_one_gather_are_broadcast() {
    let gathered = |ranges: &[VirtualRange]| {
        gather::<Sim, _, _>(&mut [const { None }; 4], |gather| {
            for range in ranges {
                gather.withhold((), *range, Scope::PAGES).unwrap();
            }
        });
        sequence()
    };
    let next = Granule::Kib4.range(START + 4096, 1).unwrap().of_asid(ASID);
    let (local, broadcast) = (|n| page(n, false, true), |n| page(n, false, false));
    let both = gathered(&[here(range(1)), here(next)]);
    assert_eq!(both, (vec![local(0), local(1)], LOCAL));
    // They adjoin, and stay apart.
    let mixed = gathered(&[here(range(1)), next]);
    assert_eq!(mixed, (vec![local(0), broadcast(1)], BROADCAST));
    let mixed = gathered(&[range(1), here(next)]);
    assert_eq!(mixed, (vec![broadcast(0), local(1)], BROADCAST));
    // Joined in one range: on all CPUs.
    let [one, two] = [USERS.0; 2].map(AtomicU64::new);
    let one = aarch64::unmap::<Sim>(&one, here(range(1)));
    one.and(aarch64::unmap::<Sim>(&two, next)).invalidate_now();
    assert_eq!(sequence(), (vec![broadcast(0), broadcast(1)], BROADCAST));
    // Of two address spaces and the kernel's: each by itself; too many: everything.
    let other = range(1).of_asid(7);
    let kernels = Granule::Kib4.range(0xffff_8000_0000_0000, 1).unwrap();
    let (tlbis, barriers) = gathered(&[range(1), other, kernels]);
    assert_eq!(tlbis.len(), 3);
    assert_eq!(tlbis[0], page(0, false, false));
    assert!(matches!(tlbis[1], Event::TlbiForm(Tlbi::Page { operand, .. }) if operand >> 48 == 7));
    assert_eq!(tlbis[2], Event::Tlbi(kernels.start()));
    assert_eq!(barriers, BROADCAST);
    let many = gathered(&[range(300), range(300).of_asid(7)]);
    assert_eq!(many, (vec![Event::TlbiAll], BROADCAST));
    let all_here = Event::TlbiForm(Tlbi::All { this_cpu: true });
    let many = gathered(&[here(range(300)), here(range(300).of_asid(7))]);
    assert_eq!(many, (vec![all_here], LOCAL));
    let many = gathered(&[here(range(300)), range(300).of_asid(7)]);
    assert_eq!(many, (vec![Event::TlbiAll], BROADCAST));
}

/// The sequence for this CPU settles the pair too: it begins with `dsb ishst` and ends with `isb`.
#[test]
fn b36_a_local_invalidation_settles_what_is_pending() {
    let [kernel, user] = slots();
    user.put(USERS.0);
    with::<Sim, _>(|mmu| {
        mmu.write(&kernel, KERNEL);
        mmu.unmap(&user, here(range(1))).invalidate(mmu);
        assert!(is_settled(&kernel));
    });
    assert_eq!(trace(), "(SSDFnI)");
    // The new entry of a break-before-make is stored behind it, by its own rule.
    aarch64::break_before_make::<Sim, _>(&user, here(range(1)), |_| KERNEL);
    assert_eq!(trace(), "SDFnISDI");
}
