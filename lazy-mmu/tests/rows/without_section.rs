//! Behaviours P10 and P11: sections without their nesting in the type, and functions for code
//! that does not hold a guard.

use lazy_mmu_testing::prelude::*;

/// The state of a kernel's walk: the section, and the position.
struct Walk<'w, 's, B: Backend> {
    mmu: &'w mut LazyMmu<'s, Dynamic, B>,
    next: usize,
}

impl<B: Backend> Walk<'_, '_, B> {
    fn map(&mut self, table: &[AtomicU64]) {
        self.mmu.write(&table[self.next], KERNEL);
        self.next += 1;
    }
}

/// A structure that owns the view of a section.
struct Owning<'w, B: Backend> {
    mmu: View<'w, B>,
}

/// A driver. A method behind `dyn` cannot be generic over the nesting.
trait Driver<B: Backend> {
    fn map(&self, mmu: &mut LazyMmu<'_, Dynamic, B>);
}

impl<B: Backend> Driver<B> for AtomicU64 {
    fn map(&self, mmu: &mut LazyMmu<'_, Dynamic, B>) {
        mmu.write(self, KERNEL);
    }
}

/// Hands `mmu` on in each way, for four stores.
fn hand_on<L: Nesting, B: Backend>(mmu: &mut LazyMmu<'_, L, B>, table: &[AtomicU64; 4]) {
    let mut erased = mmu.erase();
    let mut walk = Walk {
        mmu: &mut erased,
        next: 0,
    };
    walk.map(table);
    walk.map(table);
    let mut owning = Owning { mmu: mmu.erase() };
    owning.mmu.write(&table[2], KERNEL);
    let drivers: [&dyn Driver<B>; 1] = [&table[3]];
    for driver in drivers {
        driver.map(&mut mmu.erase());
    }
}

for_both_storages! {
    fn p10_a_section_is_handed_on_without_its_level<B>() {
        let table = slots::<4>();
        let mut task = task::<B>();
        let mut outer = task.enter();
        hand_on(&mut outer, &table);
        assert!(is_pending::<B>(), "deferred into the section");
        assert_eq!(trace(), "(SSSS", "a section is neither entered nor left");
        let mut nested = outer.nest();
        hand_on(&mut nested, &table);
        nested.leave();
        assert_eq!(trace(), "<SSSSDI>");
        outer.leave();
        assert_eq!(trace(), ")");
        with::<B, _>(|mmu| hand_on(mmu, &table));
        assert_eq!(trace(), "(SSSSDI)");
        with::<B, _>(|mmu| hand_on(&mut *mmu.erase().erase(), &table));
        assert_eq!(trace(), "(SSSSDI)", "the nesting is erased twice");
        // An inert section stays inert.
        interrupt(|| with::<B, _>(|mmu| hand_on(mmu, &table)));
        assert_eq!(trace(), "{[SDISDISDISDI]}");
        with::<B, _>(|_| interrupt(|| with::<B, _>(|mmu| hand_on(mmu, &table))));
        assert_eq!(trace(), "({[SDISDISDISDI]})", "an interrupt inside a section");
    }

    fn p10_what_is_done_through_it_is_done_in_the_section<B>() {
        let [one, two] = slots();
        let mut task = task::<B>();
        let mut outer = task.enter();
        outer.write(&one, KERNEL);
        let mut erased = outer.erase();
        erased.flush();
        assert!(is_settled(&one));
        let pending = erased.write_pending(&two, KERNEL, 7);
        assert_eq!(pending.get(&erased.flush()), 7);
        erased.nest().write(&one, KERNEL);
        erased.paused(|| write::<B, _>(&two, KERNEL));
        erased.write(&two, KERNEL);
        // The end of `erased` does not end the section.
        assert_eq!(bits::<B>(), Bits::ACTIVE.union(Bits::OWNED).union(Bits::PENDING));
        drop(outer);
        assert_eq!(trace(), "(SDISDI<SDI>|SDI/SDI)");
    }
}

/// The functions, with their traces outside a section and inside one.
const FUNCTIONS: [(&str, &str, &str); 8] = [
    ("unmap", "SDTdRdI", "SDTdRdI"),
    ("unmap, dropped", "SDTdRdI", "SDTdRdI"),
    ("unmap_range", "SSSSDTTTTdRdI", "SSSSDTTTTdRdI"),
    ("unmap_range_into", "SSDTTdRdI", "SSDTTdRdI"),
    ("break_before_make", "SDTdRdISDI", "SDTdRdIS"),
    ("link_table", "SSSDSDI", "SSSDS"),
    ("write_range", "SSSSDI", "SSSS"),
    ("write_range of a user's", "SSSS", "SSSS"),
];

fn function<B: Backend>(name: &str, t: &[AtomicU64; 4]) {
    match name {
        "unmap" => {
            let old = aarch64::unmap::<B>(&t[0], range(1)).invalidate_now();
            assert_eq!(old, KERNEL.0);
        }
        "unmap, dropped" => drop(aarch64::unmap::<B>(&t[0], range(1))),
        "unmap_range" => aarch64::unmap_range::<B>(t, range(4)).invalidate_now(),
        "unmap_range_into" => {
            let old = aarch64::unmap_range_into::<B, _>(&t[..2], range(2), [0; 2]);
            assert_eq!(old.invalidate_now(), [KERNEL.0; 2]);
        }
        "break_before_make" => {
            let new = |old| Leaf(old ^ 4096);
            let old = aarch64::break_before_make::<B, _>(&t[0], range(1), new);
            assert_eq!((old, t[0].get()), (KERNEL.0, KERNEL.0 ^ 4096));
        }
        "link_table" => {
            link_table::<B, _>(&t[0], LINK, &t[1..], |_| USERS);
            assert_eq!(t[0].get(), LINK.0);
        }
        "write_range" => write_range::<B, _>(t, page),
        _ => write_range::<B, _>(t, |_| USERS),
    }
}

for_both_storages! {
    fn p11_code_without_a_section_takes_away_and_links<B>() {
        for (name, outside, inside) in FUNCTIONS {
            let table = slots::<4>();
            let [of_thread] = slots();
            let run = || {
                fill(&table, KERNEL.0);
                function::<B>(name, &table);
            };
            run();
            assert_eq!(trace(), outside, "{name}, outside");
            assert_eq!(bits::<B>(), Bits::EMPTY, "{name}");

            // In a section, stores are deferred. An invalidation does what the pair does.
            let defers = inside.len() < outside.len();
            with::<B, _>(|_| {
                run();
                assert_eq!(is_pending::<B>(), defers, "{name}");
            });
            let pair = if defers { "DI" } else { "" };
            assert_eq!(trace(), format!("({inside}{pair})"), "{name}, inside");

            // A pair is pending already.
            let invalidates = inside.contains('T');
            with::<B, _>(|mmu| {
                mmu.write(&of_thread, KERNEL);
                run();
                assert_eq!(is_settled(&of_thread), invalidates, "{name}");
            });
            let pair = if defers || !invalidates { "DI" } else { "" };
            assert_eq!(trace(), format!("(S{inside}{pair})"), "{name}, after a deferred store");

            // In an interrupt, stores are immediate, and the pair of the thread stays pending.
            with::<B, _>(|mmu| {
                mmu.write(&of_thread, KERNEL);
                interrupt(run);
                assert!(is_pending::<B>(), "{name}");
            });
            assert_eq!(trace(), format!("(S{{{outside}}}DI)"), "{name}, in an interrupt");

            // While the mode is paused, stores are immediate.
            with::<B, _>(|_| paused::<B, _>(run));
            assert_eq!(trace(), format!("(|{outside}/)"), "{name}, paused");
        }
    }
}
