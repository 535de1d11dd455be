//! Each way out of a body, and each kind of result.

use std::fmt;
use std::num::ParseIntError;
use std::ops::ControlFlow;
use std::str::Utf8Error;

use super::{caught, forms, lazy_mmu, store};

forms![
    early(true),
    early(false),
    only_return(),
    return_nothing(true),
    return_nothing(false),
    one_error("7"),
    one_error("x"),
    several_errors(b"7"),
    several_errors(b"x"),
    several_errors(&[0xff]),
    boxed_error("x").map_err(|it| it.to_string()),
    option(&[1, 2]),
    option(&[]),
    control_flow(1),
    control_flow(9),
    in_the_tail("8"),
    let_else(Some(1)),
    let_else(None),
    break_block(true),
    break_block(false),
    break_two_loops(3),
    continue_outer(4),
    break_with_value(3),
    first_label(3),
    endless(5),
    match_arms(0),
    match_arms(1),
    match_arms(2),
    closure_returns(),
    caught(|| panics(1)),
    caught(|| panics_below(&[])),
    catches(),
    value_of_if(1),
    value_of_if(-1),
];

#[lazy_mmu]
fn early(out: bool) -> u32 {
    store();
    if out {
        return 1;
    }
    store();
    2
}

#[lazy_mmu]
fn only_return() -> u32 {
    #[expect(clippy::needless_return, reason = "the test needs the warning")]
    return 1;
}

#[lazy_mmu]
fn return_nothing(out: bool) {
    if out {
        return;
    }
    store();
}

#[lazy_mmu]
fn one_error(text: &str) -> Result<u32, ParseIntError> {
    store();
    let page: u32 = text.parse()?;
    store();
    Ok(page)
}

#[derive(Debug)]
#[expect(dead_code, reason = "only `Debug` reads the fields")]
enum Error {
    Text(Utf8Error),
    Number(ParseIntError),
}

impl From<Utf8Error> for Error {
    #[lazy_mmu]
    fn from(error: Utf8Error) -> Self {
        store();
        Self::Text(error)
    }
}

impl From<ParseIntError> for Error {
    #[lazy_mmu]
    fn from(error: ParseIntError) -> Self {
        store();
        Self::Number(error)
    }
}

#[lazy_mmu]
fn several_errors(bytes: &[u8]) -> Result<u32, Error> {
    store();
    Ok(std::str::from_utf8(bytes)?.parse::<u32>()?)
}

#[lazy_mmu]
fn boxed_error(text: &str) -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
    store();
    if text.is_empty() {
        return Err("empty".into());
    }
    fmt::write(&mut String::new(), format_args!("{text}"))?;
    let page: u32 = text.parse()?;
    Ok(page)
}

#[lazy_mmu]
fn option(pages: &[u32]) -> Option<u32> {
    store();
    let first = pages.first()?;
    Some(first + pages.get(1)?)
}

#[lazy_mmu]
fn control_flow(page: u32) -> ControlFlow<u32, ()> {
    store();
    if page > 5 {
        ControlFlow::Break(page)?;
    }
    ControlFlow::Continue(())
}

#[lazy_mmu]
fn in_the_tail(text: &str) -> Option<u32> {
    store();
    Some(text.parse::<u32>().ok()? + 1)
}

#[lazy_mmu]
fn let_else(page: Option<u32>) -> u32 {
    let Some(page) = page else {
        store();
        return 0;
    };
    store();
    page
}

#[lazy_mmu]
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

#[lazy_mmu]
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

#[lazy_mmu]
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

#[lazy_mmu]
fn break_with_value(mut page: u32) -> u32 {
    store();
    loop {
        page += 1;
        if page.is_multiple_of(4) {
            break page;
        }
    }
}

#[lazy_mmu]
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

#[lazy_mmu]
fn endless(mut page: u32) -> u32 {
    loop {
        store();
        page += 1;
        if page > 7 {
            return page;
        }
    }
}

#[lazy_mmu]
#[expect(clippy::needless_return, reason = "the test needs the warning")]
fn match_arms(page: u32) -> &'static str {
    store();
    match page {
        0 => return "none",
        1 => "one",
        _ => "many",
    }
}

#[lazy_mmu]
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

#[lazy_mmu]
fn panics(page: u32) {
    store();
    assert_eq!(page, 0, "provoked");
}

#[lazy_mmu]
fn panics_below(pages: &[u32]) -> u32 {
    store();
    pages[0]
}

#[lazy_mmu]
fn catches() -> bool {
    store();
    let caught = std::panic::catch_unwind(|| panics(2)).is_err();
    store();
    caught
}

#[lazy_mmu]
fn value_of_if(page: i32) -> i32 {
    if page > 0 {
        store();
        page
    } else {
        -page * 2
    }
}
