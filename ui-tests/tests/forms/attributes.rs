//! Other attributes, above and below `#[lazy_mmu]`.

#![expect(deprecated, reason = "the attribute keeps `deprecated`")]

use std::panic::Location;

use super::{caught, forms, lazy_mmu, store};

forms![
    inlined(1),
    not_inlined(1),
    cold(1),
    tracked(),
    caught(|| tracked_panic(0)),
    must_use(1),
    must_use_below(1),
    deprecated(1),
    // SAFETY: every CPU of the two targets has the feature.
    unsafe { with_feature(1) },
    documented(1),
    documented_inside(1),
    inner_attributes(1),
    levels(1),
    expected(1),
    configured(1),
    configured_statement(1),
    alternatives(1),
    arguments(1),
    named(1),
    paused(1),
];

#[inline(always)]
#[lazy_mmu]
#[expect(clippy::inline_always, reason = "the test needs the warning")]
fn inlined(page: u32) -> u32 {
    store();
    page
}

#[lazy_mmu]
#[inline(never)]
fn not_inlined(page: u32) -> u32 {
    store();
    page
}

#[lazy_mmu]
#[cold]
fn cold(page: u32) -> u32 {
    store();
    page
}

#[lazy_mmu]
#[track_caller]
fn tracked() -> &'static Location<'static> {
    store();
    Location::caller()
}

#[track_caller]
#[lazy_mmu]
fn tracked_panic(page: u32) -> u32 {
    store();
    10_u32.checked_div(page).expect("provoked")
}

#[must_use]
#[lazy_mmu]
fn must_use(page: u32) -> u32 {
    store();
    page
}

#[lazy_mmu]
#[must_use = "for a reason"]
fn must_use_below(page: u32) -> u32 {
    store();
    page
}

#[lazy_mmu]
#[deprecated(since = "0.1.0", note = "for a reason")]
fn deprecated(page: u32) -> u32 {
    store();
    page
}

/// # Safety
///
/// The CPU has the feature.
#[lazy_mmu]
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "sse2"))]
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
unsafe fn with_feature(page: u32) -> u32 {
    store();
    page
}

/// Documentation above the attribute.
#[lazy_mmu]
/// Documentation below the attribute.
#[doc = "Documentation in the form of an attribute."]
fn documented(page: u32) -> u32 {
    store();
    page
}

#[lazy_mmu]
fn documented_inside(page: u32) -> u32 {
    //! Documentation in the body.
    /*! Twice. */
    store();
    page
}

#[lazy_mmu]
fn inner_attributes(page: u32) -> u32 {
    #![expect(unused_variables, reason = "the test needs the warning")]
    #![inline]
    let unused = 1;
    store();
    page
}

#[lazy_mmu]
#[deny(unused_variables)]
fn levels(page: u32) -> u32 {
    #![allow(unused_variables)]
    let unused = 1;
    store();
    page
}

#[lazy_mmu]
#[expect(unused_variables, unused_mut, reason = "the test needs the warning")]
fn expected(page: u32) -> u32 {
    let mut unused = 1;
    store();
    page
}

#[cfg(unix)]
#[lazy_mmu]
#[cfg(not(any()))]
fn configured(page: u32) -> u32 {
    store();
    page
}

#[lazy_mmu]
fn configured_statement(page: u32) -> u32 {
    #[cfg(any())]
    let page = page + 1;
    #[cfg(unix)]
    let page = page + 2;
    store();
    page
}

#[cfg_attr(debug_assertions, lazy_mmu)]
#[cfg_attr(not(debug_assertions), lazy_mmu(mmu = _mmu))]
fn alternatives(page: u32) -> u32 {
    store();
    page
}

#[lazy_mmu(crate = ::lazy_mmu, mmu = _mmu, backend = ::lazy_mmu::sim::Sim,)]
fn arguments(page: u32) -> u32 {
    store();
    page
}

#[lazy_mmu(mmu)]
fn named(page: u32) -> u32 {
    plain_or_section!({} { mmu.note_store() });
    store();
    page
}

#[lazy_mmu]
fn paused(page: u32) -> u32 {
    #[lazy_mmu(paused)]
    fn inner(page: u32) -> u32 {
        store();
        page
    }
    inner(page)
}
