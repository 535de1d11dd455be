//! Bodies: what they begin with, what they end with, and who wrote them.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::{Form, show, store};

pub(crate) const FORMS: &[Form] = &[
    ("only a tail", || show(only_a_tail(2))),
    ("only a macro", || only_a_macro(2)),
    ("a macro that stores and ends the body", || {
        show(macro_tail(2))
    }),
    ("nested items, first", || show(items_first(2))),
    ("one nested item, and attributes on it", || {
        show(one_item(2))
    }),
    ("a macro defined first", || show(macro_first(2))),
    ("a macro defined first, of a name of the body's", || {
        show(macro_with_a_name(2))
    }),
    ("semicolons and items first", || show(semicolons_first(2))),
    ("a macro that makes items, first", || {
        show(items_from_a_macro(2))
    }),
    ("an unsafe block first", || show(unsafe_first(&2))),
    ("a const block first", || show(const_first())),
    ("a block first", || show(block_first(2))),
    ("an attribute on the first statement", || {
        show(attribute_first(2))
    }),
    ("a reference to a static", || show(nested_static(2))),
    ("a closure that captures by reference and by value", || {
        show(captures())
    }),
    ("a closure that is returned from a block", || {
        show(closure_from_a_block(2))
    }),
    ("a future inside", || show(future_inside())),
    ("a body from a macro: as a block", || show(from_block(2))),
    ("a body from a macro: as tokens", || show(from_tokens(2))),
    ("a body from a macro: as an expression", || {
        show(from_expression(2))
    }),
    ("a body from a macro: with names of both", || {
        show(mixed_names(2))
    }),
    ("a body from a macro: with a label of its own", || {
        show(mixed_labels(2))
    }),
    ("an item from a macro", || show(from_item(2))),
    ("a whole function from a macro", || {
        show(whole::from_macro(2))
    }),
    ("a macro from a macro", || show(from_macro_in_macro(2))),
    ("a literal of a structure as the tail", || {
        show(structure(2).0)
    }),
    ("a match as the tail", || show(match_tail(Some(2)))),
    ("a loop as the tail", || show(loop_tail(2))),
    ("a condition with let", || show(if_let(Some(2)))),
    ("an assignment as the tail", || {
        let mut page = 1;
        assignment(&mut page);
        show(page)
    }),
    ("a comparison that looks like generics", || {
        show(comparison(1, 2))
    }),
    ("a string of everything", || show(text())),
    ("nested blocks", || show(nested_blocks(2))),
];

macro_rules! double {
    ($page:expr) => {{
        store();
        $page * 2
    }};
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn only_a_tail(page: u32) -> u32 {
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn only_a_macro(page: u32) -> String {
    format!("{page:02}")
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn macro_tail(page: u32) -> u32 {
    double!(page)
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
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
        // SAFETY: the only caller gives a reference.
        unsafe { *page }
    }
    store();
    let Kind::Page(kind) = Kind::Page(page);
    // SAFETY: that is a reference.
    max(kind, braces::<{ 1 + 2 }>().value()) + unsafe { raw(&raw const MOST) }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn one_item(page: u32) -> u32 {
    /// Documented.
    #[derive(Debug, Default)]
    #[allow(dead_code)]
    struct Local {
        page: u32,
    }
    store();
    page + Local::default().page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn macro_first(page: u32) -> u32 {
    macro_rules! triple {
        ($page:expr) => {
            $page * 3
        };
    }
    store();
    triple!(page)
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn macro_with_a_name(page: u32) -> u32 {
    macro_rules! add {
        ($other:expr) => {
            page + $other
        };
    }
    const ONE: u32 = 1;
    let page = page + ONE;
    store();
    // The macro's `page` is the parameter.
    add!(page)
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
#[rustfmt::skip]
#[expect(redundant_semicolons, reason = "that is tested")]
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

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn items_from_a_macro(page: u32) -> u32 {
    items!(LOCAL);
    store();
    page + LOCAL
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn unsafe_first(page: &u32) -> u32 {
    // SAFETY: that is a reference.
    unsafe { std::ptr::from_ref(page).read() }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn const_first() -> u32 {
    const { 1 + 1 }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn block_first(page: u32) -> u32 {
    {
        store();
    }
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn attribute_first(page: u32) -> u32 {
    #[allow(unused_variables)]
    let unused = page;
    store();
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn nested_static(page: u32) -> &'static str {
    static NAMES: [&str; 3] = ["none", "one", "two"];
    store();
    NAMES[page as usize]
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
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

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn closure_from_a_block(page: u32) -> u32 {
    let f = {
        let by = page + 1;
        store();
        move |page: u32| page * by
    };
    f(page)
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
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
        #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
        fn $name($page: u32) -> u32 $body
    };
}

with_block! {
    /// From a block.
    fn from_block(page) {
        store();
        page + 1
    }
}

macro_rules! with_tokens {
    ($visibility:vis $name:ident { $($body:tt)* }) => {
        #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
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
        #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
        fn $name($parameter: $type) -> $type {
            $function();
            $value
        }
    };
}

with_expression!(from_expression, page, u32, page + 5, store);

macro_rules! with_names_of_both {
    ($name:ident, $page:ident, $value:expr) => {
        #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
        fn $name($page: u32) -> (u32, u32) {
            // This `page` is the macro's, and another than the caller's.
            let page = 100;
            store();
            (page, $value)
        }
    };
}

with_names_of_both!(mixed_names, page, page + 6);

macro_rules! with_label {
    ($name:ident, $label:lifetime, $page:ident, $step:stmt) => {
        #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
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
        #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
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
    macro_rules! whole {
        () => {
            #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
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
                #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
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

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
#[expect(clippy::init_numbered_fields, reason = "that is tested")]
fn structure(page: u32) -> Pages {
    store();
    Pages { 0: page }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn match_tail(page: Option<u32>) -> u32 {
    match page {
        Some(page) if page > 1 => double!(page),
        Some(page) => page,
        None => 0,
    }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn loop_tail(page: u32) {
    for _ in 0..page {
        store();
    }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn if_let(page: Option<u32>) -> u32 {
    if let Some(page) = page {
        store();
        page
    } else {
        0
    }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn assignment(page: &mut u32) {
    store();
    *page = 5;
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn comparison(left: u32, right: u32) -> (bool, bool) {
    store();
    (left < right, right > (left))
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn text() -> (&'static str, &'static [u8], char, &'static str) {
    store();
    ("}{\"#![x]", br#"raw "bytes" }"#, '{', "// no comment")
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
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
