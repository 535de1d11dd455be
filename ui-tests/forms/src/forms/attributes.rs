//! Other attributes beside this one, above and below it.

use std::panic::Location;

use super::{Form, show, store};

pub(crate) const FORMS: &[Form] = &[
    ("inline(always)", || show(inlined(1))),
    ("inline(never)", || show(not_inlined(1))),
    ("cold", || show(cold(1))),
    ("track_caller", || {
        let here = Location::caller();
        let there = tracked();
        show((here.file() == there.file(), there.line(), there.column()))
    }),
    ("track_caller on a panic", || {
        let line = line!() + 1;
        let result = std::panic::catch_unwind(|| tracked_panic(0));
        show((result.is_err(), super::panicked_at().checked_sub(line)))
    }),
    ("must_use", || show(must_use(1))),
    ("must_use with a reason, beneath", || {
        show(must_use_below(1))
    }),
    ("deprecated", || {
        #[expect(deprecated, reason = "that it is still deprecated is tested")]
        let result = deprecated(1);
        show(result)
    }),
    ("target_feature", || {
        // SAFETY: every CPU of these targets has the feature.
        show(unsafe { with_feature(1) })
    }),
    ("documented above and beneath", || show(documented(1))),
    ("documented from inside", || show(documented_inside(1))),
    ("inner attributes", || show(inner_attributes(1))),
    ("lint levels outside and inside", || show(levels(1))),
    ("expect on the function", || show(expected(1))),
    ("cfg on the function", || show(configured(1))),
    ("cfg on a statement", || show(configured_statement(1))),
    ("two alternatives by cfg_attr", || show(alternatives(1))),
    ("arguments in any order", || show(arguments(1))),
    ("a name for the section", || show(named(1))),
    ("a pause", || show(paused(1))),
];

#[inline(always)]
#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
#[expect(clippy::inline_always, reason = "that is tested")]
fn inlined(page: u32) -> u32 {
    store();
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
#[inline(never)]
fn not_inlined(page: u32) -> u32 {
    store();
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
#[cold]
fn cold(page: u32) -> u32 {
    store();
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
#[track_caller]
fn tracked() -> &'static Location<'static> {
    store();
    Location::caller()
}

#[track_caller]
#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn tracked_panic(page: u32) -> u32 {
    store();
    10_u32.checked_div(page).expect("provoked")
}

#[must_use]
#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn must_use(page: u32) -> u32 {
    store();
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
#[must_use = "for a reason"]
fn must_use_below(page: u32) -> u32 {
    store();
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
#[deprecated(since = "0.1.0", note = "for a reason")]
fn deprecated(page: u32) -> u32 {
    store();
    page
}

/// # Safety
///
/// The CPU has the feature.
#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "sse2"))]
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
unsafe fn with_feature(page: u32) -> u32 {
    store();
    page
}

/// Above.
#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
/// Beneath.
#[doc = "In the other form."]
fn documented(page: u32) -> u32 {
    store();
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn documented_inside(page: u32) -> u32 {
    //! From inside.
    /*! Twice. */
    store();
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn inner_attributes(page: u32) -> u32 {
    #![expect(unused_variables, reason = "that is what is tested")]
    #![inline]
    let unused = 1;
    store();
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
#[deny(unused_variables)]
fn levels(page: u32) -> u32 {
    #![allow(unused_variables)]
    let unused = 1;
    store();
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
#[expect(unused_variables, unused_mut, reason = "that is what is tested")]
fn expected(page: u32) -> u32 {
    let mut unused = 1;
    store();
    page
}

#[cfg(unix)]
#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
#[cfg(not(any()))]
fn configured(page: u32) -> u32 {
    store();
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn configured_statement(page: u32) -> u32 {
    #[cfg(any())]
    let page = page + 1;
    #[cfg(unix)]
    let page = page + 2;
    store();
    page
}

#[cfg_attr(all(feature = "section", debug_assertions), lazy_mmu::lazy_mmu)]
#[cfg_attr(all(feature = "section", not(debug_assertions)), lazy_mmu::lazy_mmu(mmu = _mmu))]
fn alternatives(page: u32) -> u32 {
    store();
    page
}

#[cfg_attr(
    feature = "section",
    lazy_mmu::lazy_mmu(crate = ::lazy_mmu, mmu = _mmu, backend = ::lazy_mmu::sim::Sim,)
)]
fn arguments(page: u32) -> u32 {
    store();
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu(mmu))]
fn named(page: u32) -> u32 {
    #[cfg(feature = "section")]
    mmu.note_store();
    store();
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn paused(page: u32) -> u32 {
    #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu(paused))]
    fn inner(page: u32) -> u32 {
        store();
        page
    }
    inner(page)
}
