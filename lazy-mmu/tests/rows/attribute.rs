//! Rows P and S22, as far as the attribute is concerned: the section is left on every way out.

use lazy_mmu_testing::prelude::*;

fn store() {
    write::<Sim, _>(&slots::<1>()[0], KERNEL);
}

#[lazy_mmu(backend = Sim)]
fn early_return(early: bool) -> u32 {
    store();
    if early {
        return 1;
    }
    store();
    2
}

#[lazy_mmu(backend = Sim)]
fn question_mark(text: &str) -> Result<i32, std::num::ParseIntError> {
    store();
    let number: i32 = text.parse()?;
    store();
    Ok(number)
}

#[lazy_mmu(backend = Sim)]
fn let_else(value: Option<u32>) -> u32 {
    store();
    let Some(value) = value else {
        return 0;
    };
    store();
    value
}

#[lazy_mmu(backend = Sim)]
fn break_out(early: bool) -> u32 {
    let found = 'search: {
        store();
        if early {
            break 'search 1;
        }
        store();
        2
    };
    found + 10
}

#[test]
fn p01_the_section_is_left_on_every_way_out() {
    let ways: [(&dyn Fn() -> bool, &str); 8] = [
        (&|| early_return(true) == 1, "(SDI)"),
        (&|| early_return(false) == 2, "(SSDI)"),
        (&|| question_mark("x").is_err(), "(SDI)"),
        (&|| question_mark("7") == Ok(7), "(SSDI)"),
        (&|| let_else(None) == 0, "(SDI)"),
        (&|| let_else(Some(3)) == 3, "(SSDI)"),
        (&|| break_out(true) == 11, "(SDI)"),
        (&|| break_out(false) == 12, "(SSDI)"),
    ];
    for (number, (way, expected)) in ways.into_iter().enumerate() {
        assert!(way(), "way {number}");
        assert_eq!(trace(), expected, "way {number}");
        assert_eq!(bits::<Sim>(), Bits::EMPTY);
    }
}

#[test]
fn p01_a_panic_leaves_it_too() {
    #[lazy_mmu(backend = Sim)]
    fn panics() {
        store();
        panic!("provoked");
    }
    assert!(unwinds(panics));
    assert_eq!(trace(), "(SDI)");
}

/// Walks `slots` in a section of its own; the callback knows nothing of sections.
#[lazy_mmu(backend = Sim, mmu)]
fn apply(slots: &[AtomicU64], mut callback: impl FnMut()) {
    for slot in slots {
        mmu.write(slot, KERNEL);
        callback();
    }
}

#[test]
fn p04_a_callback_that_allocates_nests() {
    /// An allocator that maps what it hands out, and needs it mapped.
    #[lazy_mmu(backend = Sim)]
    fn allocate() {
        store();
    }
    apply(&slots::<3>(), || {
        allocate();
        assert!(is_active::<Sim>(), "the walk's section is still open");
        // And what was mapped is visible.
        assert_eq!(bits::<Sim>(), Bits::ACTIVE);
    });
    assert_eq!(trace(), "(S<SDI>S<SDI>S<SDI>)");
}

#[test]
fn p07_the_section_is_handed_down() {
    fn deeper(mmu: &mut LazyMmu<'_, Dynamic, Sim>, slots: &[AtomicU64]) {
        if let [first, rest @ ..] = slots {
            mmu.write(first, KERNEL);
            deeper(mmu, rest);
        }
    }
    #[lazy_mmu(mmu = section, backend = Sim)]
    fn top(slots: &[AtomicU64], callback: &mut dyn FnMut(&mut LazyMmu<'_, Dynamic, Sim>)) {
        deeper(section, slots);
        callback(section);
    }
    let table = slots::<4>();
    top(&table, &mut |section| section.write(&table[0], KERNEL));
    assert_eq!(trace(), "(SSSSSDI)", "deferred into the one section");
}

#[test]
fn the_attribute_takes_another_path_to_the_crate() {
    mod reexport {
        pub(super) use ::lazy_mmu as renamed;
    }
    #[lazy_mmu(crate = reexport::renamed, backend = reexport::renamed::sim::Sim)]
    fn other_path() {
        store();
    }
    other_path();
    assert_eq!(trace(), "(SDI)");
}

#[test]
fn the_attribute_keeps_inner_attributes_and_bodies_from_macros() {
    macro_rules! make {
        ($visibility:vis $name:ident $body:block) => {
            #[lazy_mmu(backend = Sim)]
            $visibility fn $name() -> u32 $body
        };
    }
    make!(pub(crate) from_macro { store(); 5 });

    #[lazy_mmu(backend = Sim)]
    fn with_inner_attribute() -> u32 {
        #![expect(unused_variables, reason = "that is what is tested")]
        //! Documentation from inside.
        let unused = 1;
        store();
        6
    }
    assert_eq!(from_macro() + with_inner_attribute(), 11);
    assert_eq!(trace(), "(SDI)(SDI)");
}

#[test]
fn a_lock_in_the_body_is_released_before_the_pair_and_one_passed_in_after_it() {
    struct Lock(&'static str);
    impl Drop for Lock {
        fn drop(&mut self) {
            execute(Event::Tlbi(self.0.len() as u64));
        }
    }
    #[lazy_mmu(backend = Sim)]
    fn body(_passed_in: Lock) {
        let _inside = Lock("inside");
        store();
    }
    body(Lock("passed in"));
    let mut order = take_trace();
    order.retain(|it| matches!(it, Event::Tlbi(_) | Event::DsbIshst));
    let [inside, passed_in] = ["inside", "passed in"].map(|it| Event::Tlbi(it.len() as u64));
    assert_eq!(order, [inside, Event::DsbIshst, passed_in]);
}

#[test]
fn a_macro_at_the_start_of_the_body_knows_the_sections_name() {
    #[lazy_mmu(backend = Sim, mmu)]
    fn body(slots: &[AtomicU64]) {
        const FIRST: usize = 0;
        macro_rules! store {
            ($slot:expr) => {
                mmu.write(&slots[$slot], KERNEL)
            };
        }
        store!(FIRST);
        store!(FIRST + 1);
    }
    body(&slots::<2>());
    assert_eq!(trace(), "(SSDI)");
}
