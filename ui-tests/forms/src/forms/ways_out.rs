//! Every way out of a body, and results of every kind.

use std::fmt;
use std::num::ParseIntError;
use std::ops::ControlFlow;
use std::str::Utf8Error;

use super::{Form, show, store};

pub(crate) const FORMS: &[Form] = &[
    ("an early return", || show((early(true), early(false)))),
    ("only a return", || show(only_return())),
    ("a return without a value", || {
        show((return_nothing(true), return_nothing(false)))
    }),
    ("? on one error", || show((one_error("7"), one_error("x")))),
    ("? on several errors", || {
        show((
            several_errors(b"7"),
            several_errors(b"x"),
            several_errors(&[0xff]),
        ))
    }),
    ("? on a boxed error", || {
        show(boxed_error("x").map_err(|it| it.to_string()))
    }),
    ("? on an Option", || show((option(&[1, 2]), option(&[])))),
    ("? on a ControlFlow", || {
        show((control_flow(1), control_flow(9)))
    }),
    ("? in the tail", || show(in_the_tail("8"))),
    ("let else", || show((let_else(Some(1)), let_else(None)))),
    ("break out of a block", || {
        show((break_block(true), break_block(false)))
    }),
    ("break out of two loops", || show(break_two_loops(3))),
    ("continue an outer loop", || show(continue_outer(4))),
    ("break with a value", || show(break_with_value(3))),
    ("a label on the first statement", || show(first_label(3))),
    ("return out of a loop that has no end", || show(endless(5))),
    ("return out of a match", || {
        show((match_arms(0), match_arms(1), match_arms(2)))
    }),
    ("a return inside a closure", || show(closure_returns())),
    ("a panic", || {
        show(std::panic::catch_unwind(|| panics(1)).is_err())
    }),
    ("a panic in a callee", || {
        show(std::panic::catch_unwind(|| panics_below(&[])).is_err())
    }),
    ("a panic that is caught inside", || show(catches())),
    ("the value of an if", || {
        show((value_of_if(1), value_of_if(-1)))
    }),
];

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn early(out: bool) -> u32 {
    store();
    if out {
        return 1;
    }
    store();
    2
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn only_return() -> u32 {
    #[expect(clippy::needless_return, reason = "that is what is tested")]
    return 1;
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn return_nothing(out: bool) {
    if out {
        return;
    }
    store();
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn one_error(text: &str) -> Result<u32, ParseIntError> {
    store();
    let page: u32 = text.parse()?;
    store();
    Ok(page)
}

#[derive(Debug)]
#[expect(dead_code, reason = "the fields are shown")]
enum Error {
    Text(Utf8Error),
    Number(ParseIntError),
}

impl From<Utf8Error> for Error {
    #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
    fn from(error: Utf8Error) -> Self {
        store();
        Self::Text(error)
    }
}

impl From<ParseIntError> for Error {
    #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
    fn from(error: ParseIntError) -> Self {
        store();
        Self::Number(error)
    }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn several_errors(bytes: &[u8]) -> Result<u32, Error> {
    store();
    Ok(std::str::from_utf8(bytes)?.parse::<u32>()?)
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn boxed_error(text: &str) -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
    store();
    if text.is_empty() {
        return Err("empty".into());
    }
    fmt::write(&mut String::new(), format_args!("{text}"))?;
    let page: u32 = text.parse()?;
    Ok(page)
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn option(pages: &[u32]) -> Option<u32> {
    store();
    let first = pages.first()?;
    Some(first + pages.get(1)?)
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn control_flow(page: u32) -> ControlFlow<u32, ()> {
    store();
    if page > 5 {
        ControlFlow::Break(page)?;
    }
    ControlFlow::Continue(())
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn in_the_tail(text: &str) -> Option<u32> {
    store();
    Some(text.parse::<u32>().ok()? + 1)
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn let_else(page: Option<u32>) -> u32 {
    let Some(page) = page else {
        store();
        return 0;
    };
    store();
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn break_block(out: bool) -> u32 {
    let found = 'search: {
        store();
        if out {
            break 'search 1;
        }
        2
    };
    found * 10
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn break_two_loops(to: u32) -> u32 {
    let mut count = 0;
    'outer: for i in 0..to {
        for j in 0..to {
            store();
            count += 1;
            if i * j == 2 {
                break 'outer;
            }
        }
    }
    count
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn continue_outer(to: u32) -> u32 {
    let mut sum = 0;
    'outer: for i in 0..to {
        for j in 0..i {
            store();
            if j == 1 {
                continue 'outer;
            }
            sum += i;
        }
    }
    sum
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn break_with_value(mut page: u32) -> u32 {
    store();
    loop {
        page += 1;
        if page.is_multiple_of(4) {
            break page;
        }
    }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn first_label(mut page: u32) -> u32 {
    'pages: while page < 10 {
        store();
        page += 1;
        if page == 7 {
            break 'pages;
        }
    }
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn endless(mut page: u32) -> u32 {
    loop {
        store();
        page += 1;
        if page > 7 {
            return page;
        }
    }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
#[expect(clippy::needless_return, reason = "that is tested")]
fn match_arms(page: u32) -> &'static str {
    store();
    match page {
        0 => return "none",
        1 => "one",
        _ => "many",
    }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn closure_returns() -> u32 {
    store();
    let inner = |page: u32| {
        if page > 1 {
            return page * 2;
        }
        page
    };
    inner(1) + inner(2)
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn panics(page: u32) {
    store();
    assert_eq!(page, 0, "provoked");
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn panics_below(pages: &[u32]) -> u32 {
    store();
    pages[0]
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn catches() -> bool {
    store();
    let caught = std::panic::catch_unwind(|| panics(2)).is_err();
    store();
    caught
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn value_of_if(page: i32) -> i32 {
    if page > 0 {
        store();
        page
    } else {
        -page * 2
    }
}
