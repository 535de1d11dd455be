//! Free functions: where they stand, how they are qualified, how they are called.

use super::{Form, show, store};

pub(crate) const FORMS: &[Form] = &[
    ("a free function", || show(free(3))),
    ("a function without a result", || show(without_result())),
    ("an empty function that its caller stores for", || {
        empty();
        show(nested_call(1))
    }),
    ("a function that calls another one with a section", || {
        show(nested_call(2))
    }),
    ("a recursive function", || show(factorial(5))),
    ("mutually recursive functions", || {
        show((is_even(7), is_odd(7)))
    }),
    ("a function inside a function", || show(outer(4))),
    ("a function as a pointer", || {
        show((free as fn(u32) -> u32)(1))
    }),
    ("a function as an iterator's callback", || {
        show([1, 2, 3].into_iter().map(free).collect::<Vec<_>>())
    }),
    ("a function that never returns", || {
        show(std::panic::catch_unwind(|| never()).map_err(|it| it.downcast_ref::<&str>().copied()))
    }),
    ("an extern \"C\" function", || show(c_abi(5))),
    ("an extern function without an ABI", || show(default_abi(5))),
    // SAFETY: it asks for nothing.
    ("an unsafe function", || show(unsafe { dangerous(&5) })),
    // SAFETY: it asks for nothing.
    ("an unsafe extern \"C\" function", || {
        show(
            // SAFETY: it asks for nothing.
            unsafe { dangerous_c(6) },
        )
    }),
    ("an unmangled function", || {
        show(ui_tests_forms_unmangled(7))
    }),
    ("a function under another symbol", || show(exported(8))),
    ("a function in a section of its own", || {
        show(in_a_linker_section(9))
    }),
    ("a public function of a private module", || {
        show(inner::public(10))
    }),
    ("a function visible in a path", || {
        show(inner::restricted(11))
    }),
    ("a function with very long head", || {
        show(long_head(1, 2, 3, 4, 5, 6, 7))
    }),
];

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn free(value: u32) -> u32 {
    store();
    value + 1
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn without_result() {
    store();
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn empty() {}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn nested_call(value: u32) -> u32 {
    store();
    free(free(value))
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn factorial(of: u64) -> u64 {
    store();
    if of == 0 { 1 } else { of * factorial(of - 1) }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn is_even(number: u32) -> bool {
    store();
    number == 0 || is_odd(number - 1)
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn is_odd(number: u32) -> bool {
    store();
    number != 0 && is_even(number - 1)
}

fn outer(value: u32) -> u32 {
    #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
    fn inner(value: u32) -> u32 {
        store();
        value * 2
    }
    inner(value)
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn never() -> ! {
    store();
    std::panic::panic_any("it never returns")
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
extern "C" fn c_abi(value: u32) -> u32 {
    store();
    value
}

// The formatter would write the ABI.
#[rustfmt::skip]
#[allow(missing_abi)]
#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
extern fn default_abi(value: u32) -> u32 {
    store();
    value
}

/// # Safety
///
/// None.
#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
unsafe fn dangerous(value: *const u32) -> u32 {
    store();
    // SAFETY: the only caller gives a reference.
    unsafe { *value }
}

/// # Safety
///
/// None.
#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
unsafe extern "C" fn dangerous_c(value: u32) -> u32 {
    store();
    value
}

// SAFETY: the name is this program's own.
#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
#[unsafe(no_mangle)]
extern "C" fn ui_tests_forms_unmangled(value: u32) -> u32 {
    store();
    value
}

// SAFETY: the name is this program's own.
#[unsafe(export_name = "ui_tests_forms_exported")]
#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn exported(value: u32) -> u32 {
    store();
    value
}

// SAFETY: it is a section of code.
#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
#[unsafe(link_section = ".text.forms")]
fn in_a_linker_section(value: u32) -> u32 {
    store();
    value
}

mod inner {
    use super::store;

    #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
    pub(crate) fn public(value: u32) -> u32 {
        store();
        value
    }

    #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
    pub(in crate::forms) fn restricted(value: u32) -> u32 {
        store();
        value
    }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
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
