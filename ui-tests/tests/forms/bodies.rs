//! Bodies: their first and last tokens, and bodies from macros.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::{changed, forms, lazy_mmu, store};

forms![
    only_a_tail(2),
    only_a_macro(2),
    macro_tail(2),
    items_first(2),
    one_item(2),
    macro_first(2),
    macro_with_a_name(2),
    semicolons_first(2),
    items_from_a_macro(2),
    unsafe_first(&2),
    const_first(),
    block_first(2),
    attribute_first(2),
    nested_static(2),
    captures(),
    closure_from_a_block(2),
    future_inside(),
    from_block(2),
    from_tokens(2),
    from_expression(2),
    mixed_names(2),
    mixed_labels(2),
    from_item(2),
    whole::from_macro(2),
    from_macro_in_macro(2),
    structure(2).0,
    match_tail(Some(2)),
    loop_tail(2),
    if_let(Some(2)),
    changed(1, assignment),
    comparison(1, 2),
    text(),
    nested_blocks(2),
];

macro_rules! double {
    ($page:expr) => {{
        store();
        $page * 2
    }};
}

#[lazy_mmu]
fn only_a_tail(page: u32) -> u32 {
    page
}

#[lazy_mmu]
fn only_a_macro(page: u32) -> String {
    format!("{page:02}")
}

#[lazy_mmu]
fn macro_tail(page: u32) -> u32 {
    double!(page)
}

#[lazy_mmu]
fn items_first(page: u32) -> u32 {
    use std::cmp::max;
    const LEAST: u32 = [1 + 2, 4][0];
    static MOST: u32 = 9;
    struct Pages<const N: usize>([u32; N])
    where
        [u32; N]: Sized;
    enum Kind {
        Page(u32),
    }
    type Word = u32;
    trait Value {
        fn value(&self) -> Word;
    }
    impl<const N: usize> Value for Pages<N> {
        fn value(&self) -> Word {
            self.0.iter().sum()
        }
    }
    fn braces<const N: usize>() -> Pages<{ 1 + 1 }> {
        Pages([u32::try_from(N).unwrap_or_default(), LEAST])
    }
    unsafe fn raw(page: *const Word) -> Word {
        // SAFETY: the only caller passes a reference.
        unsafe { *page }
    }
    store();
    let Kind::Page(kind) = Kind::Page(page);
    // SAFETY: the pointer comes from a reference.
    max(kind, braces::<{ 1 + 2 }>().value()) + unsafe { raw(&raw const MOST) }
}

#[lazy_mmu]
fn one_item(page: u32) -> u32 {
    /// A type with documentation.
    #[derive(Debug, Default)]
    #[allow(dead_code)]
    struct Local {
        page: u32,
    }
    store();
    page + Local::default().page
}

#[lazy_mmu]
fn macro_first(page: u32) -> u32 {
    macro_rules! triple {
        ($page:expr) => {
            $page * 3
        };
    }
    store();
    triple!(page)
}

#[lazy_mmu]
fn macro_with_a_name(page: u32) -> u32 {
    macro_rules! add {
        ($other:expr) => {
            page + $other
        };
    }
    const ONE: u32 = 1;
    let page = page + ONE;
    store();
    // The `page` in the macro is the parameter.
    add!(page)
}

#[lazy_mmu]
#[rustfmt::skip]
#[expect(redundant_semicolons, reason = "the test needs the warning")]
fn semicolons_first(page: u32) -> u32 {
    ;
    const ONE: u32 = 1;
    ;
    fn one() -> u32 { ONE }
    store();
    page + one()
}

macro_rules! items {
    ($name:ident) => {
        const $name: u32 = 4;
    };
}

#[lazy_mmu]
fn items_from_a_macro(page: u32) -> u32 {
    items!(LOCAL);
    store();
    page + LOCAL
}

#[lazy_mmu]
fn unsafe_first(page: &u32) -> u32 {
    // SAFETY: the pointer comes from a reference.
    unsafe { std::ptr::from_ref(page).read() }
}

#[lazy_mmu]
fn const_first() -> u32 {
    const { 1 + 1 }
}

#[lazy_mmu]
fn block_first(page: u32) -> u32 {
    {
        store();
    }
    page
}

#[lazy_mmu]
fn attribute_first(page: u32) -> u32 {
    #[allow(unused_variables)]
    let unused = page;
    store();
    page
}

#[lazy_mmu]
fn nested_static(page: u32) -> &'static str {
    static NAMES: [&str; 3] = ["none", "one", "two"];
    store();
    NAMES[page as usize]
}

#[lazy_mmu]
fn captures() -> (u32, String) {
    let mut count = 0;
    let text = String::from("pages");
    let mut add = |by| count += by;
    store();
    add(1);
    add(2);
    let owner = move || text;
    (count, owner())
}

#[lazy_mmu]
fn closure_from_a_block(page: u32) -> u32 {
    let f = {
        let by = page + 1;
        store();
        move |page: u32| page * by
    };
    f(page)
}

#[lazy_mmu]
fn future_inside() -> Poll<u32> {
    let future = pin!(async {
        store();
        std::future::ready(1).await + 1
    });
    future.poll(&mut Context::from_waker(Waker::noop()))
}

macro_rules! with_block {
    ($(#[$attribute:meta])* fn $name:ident($page:ident) $body:block) => {
        $(#[$attribute])*
        #[lazy_mmu]
        fn $name($page: u32) -> u32 $body
    };
}

with_block! {
    /// A function from a macro's block.
    fn from_block(page) {
        store();
        page + 1
    }
}

macro_rules! with_tokens {
    ($visibility:vis $name:ident { $($body:tt)* }) => {
        #[lazy_mmu]
        $visibility fn $name(page: u32) -> u32 {
            store();
            let own = page;
            $($body)*(own)
        }
    };
}

with_tokens!(from_tokens { std::convert::identity });

macro_rules! with_expression {
    ($name:ident, $parameter:pat, $type:ty, $value:expr, $function:path) => {
        #[lazy_mmu]
        fn $name($parameter: $type) -> $type {
            $function();
            $value
        }
    };
}

with_expression!(from_expression, page, u32, page + 5, store);

macro_rules! with_names_of_both {
    ($name:ident, $page:ident, $value:expr) => {
        #[lazy_mmu]
        fn $name($page: u32) -> (u32, u32) {
            // The macro's `page` is another variable than the caller's `page`.
            let page = 100;
            store();
            (page, $value)
        }
    };
}

with_names_of_both!(mixed_names, page, page + 6);

macro_rules! with_label {
    ($name:ident, $label:lifetime, $page:ident, $step:stmt) => {
        #[lazy_mmu]
        fn $name(mut $page: u32) -> u32 {
            $label: loop {
                store();
                $step
                if $page > 5 {
                    break $label $page;
                }
            }
        }
    };
}

with_label!(mixed_labels, 'pages, page, page += 2);

macro_rules! annotate {
    ($item:item) => {
        #[lazy_mmu]
        $item
    };
}

annotate! {
    fn from_item(page: u32) -> u32 {
        store();
        page + 7
    }
}

mod whole {
    use super::lazy_mmu;

    macro_rules! whole {
        () => {
            #[lazy_mmu]
            pub(super) fn from_macro(page: u32) -> u32 {
                super::store();
                page + 8
            }
        };
    }
    whole!();
}

macro_rules! outer {
    ($name:ident) => {
        macro_rules! inner {
            ($body:block) => {
                #[lazy_mmu]
                fn $name(page: u32) -> u32 {
                    store();
                    page + $body
                }
            };
        }
        inner!({ 9 });
    };
}

outer!(from_macro_in_macro);

struct Pages(u32);

#[lazy_mmu]
#[expect(clippy::init_numbered_fields, reason = "the test needs the warning")]
fn structure(page: u32) -> Pages {
    store();
    Pages { 0: page }
}

#[lazy_mmu]
fn match_tail(page: Option<u32>) -> u32 {
    match page {
        Some(page) if page > 1 => double!(page),
        Some(page) => page,
        None => 0,
    }
}

#[lazy_mmu]
fn loop_tail(page: u32) {
    for _ in 0..page {
        store();
    }
}

#[lazy_mmu]
fn if_let(page: Option<u32>) -> u32 {
    if let Some(page) = page {
        store();
        page
    } else {
        0
    }
}

#[lazy_mmu]
fn assignment(page: &mut u32) {
    store();
    *page = 5;
}

#[lazy_mmu]
fn comparison(left: u32, right: u32) -> (bool, bool) {
    store();
    (left < right, right > (left))
}

#[lazy_mmu]
fn text() -> (&'static str, &'static [u8], char, &'static str) {
    store();
    ("}{\"#![x]", br#"raw "bytes" }"#, '{', "// no comment")
}

#[lazy_mmu]
fn nested_blocks(page: u32) -> u32 {
    let page = {
        let page = {
            store();
            page + 1
        };
        page * 2
    };
    page + 1
}
