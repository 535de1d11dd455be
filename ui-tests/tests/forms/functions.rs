//! Free functions: their places, their qualifiers, and the ways to call them.

use super::{caught, forms, lazy_mmu, store};

forms![
    free(3),
    without_result(),
    (empty(), nested_call(1)),
    nested_call(2),
    factorial(5),
    is_even(7),
    is_odd(7),
    outer(4),
    (free as fn(u32) -> u32)(1),
    [1, 2, 3].into_iter().map(free).collect::<Vec<_>>(),
    caught(|| never()),
    c_abi(5),
    default_abi(5),
    // SAFETY: the pointer is a reference, or the function does not have duties.
    unsafe { dangerous(&5) },
    // SAFETY: the pointer is a reference, or the function does not have duties.
    unsafe { dangerous_c(6) },
    ui_tests_forms_unmangled(7),
    exported(8),
    in_a_linker_section(9),
    inner::public(10),
    inner::restricted(11),
    long_head(1, 2, 3, 4, 5, 6, 7),
];

#[lazy_mmu]
fn free(value: u32) -> u32 {
    store();
    value + 1
}

#[lazy_mmu]
fn without_result() {
    store();
}

#[lazy_mmu]
fn empty() {}

#[lazy_mmu]
fn nested_call(value: u32) -> u32 {
    store();
    free(free(value))
}

#[lazy_mmu]
fn factorial(of: u64) -> u64 {
    store();
    if of == 0 { 1 } else { of * factorial(of - 1) }
}

#[lazy_mmu]
fn is_even(number: u32) -> bool {
    store();
    number == 0 || is_odd(number - 1)
}

#[lazy_mmu]
fn is_odd(number: u32) -> bool {
    store();
    number != 0 && is_even(number - 1)
}

fn outer(value: u32) -> u32 {
    #[lazy_mmu]
    fn inner(value: u32) -> u32 {
        store();
        value * 2
    }
    inner(value)
}

#[lazy_mmu]
fn never() -> ! {
    store();
    std::panic::panic_any("it never returns")
}

#[lazy_mmu]
extern "C" fn c_abi(value: u32) -> u32 {
    store();
    value
}

// rustfmt would add the ABI.
#[rustfmt::skip]
#[allow(missing_abi)]
#[lazy_mmu]
extern fn default_abi(value: u32) -> u32 {
    store();
    value
}

/// # Safety
///
/// The pointer is valid for reads.
#[lazy_mmu]
unsafe fn dangerous(value: *const u32) -> u32 {
    store();
    // SAFETY: the caller keeps the duty.
    unsafe { *value }
}

/// # Safety
///
/// This function does not have duties.
#[lazy_mmu]
unsafe extern "C" fn dangerous_c(value: u32) -> u32 {
    store();
    value
}

// SAFETY: only this program uses the symbol, and only here.
#[lazy_mmu]
#[unsafe(no_mangle)]
extern "C" fn ui_tests_forms_unmangled(value: u32) -> u32 {
    store();
    value
}

// SAFETY: only this program uses the symbol, and only here.
#[unsafe(export_name = concat!(module_path!(), "::symbol"))]
#[lazy_mmu]
fn exported(value: u32) -> u32 {
    store();
    value
}

// SAFETY: the linker section is for code.
#[lazy_mmu]
#[unsafe(link_section = ".text.forms")]
fn in_a_linker_section(value: u32) -> u32 {
    store();
    value
}

mod inner {
    use super::{lazy_mmu, store};

    #[lazy_mmu]
    pub(crate) fn public(value: u32) -> u32 {
        store();
        value
    }

    #[lazy_mmu]
    pub(in super::super) fn restricted(value: u32) -> u32 {
        store();
        value
    }
}

#[lazy_mmu]
#[rustfmt::skip]
fn long_head(
    first: u8, second: u8, third: u8, fourth: u8,
    fifth: u8, sixth: u8, seventh: u8,
) -> [u8; 7]
where
    u8: Copy,
    [u8; 7]: Sized,
{
    store();
    [first, second, third, fourth, fifth, sixth, seventh]
}
