//! Parameters that are patterns.

use super::{forms, lazy_mmu, store};

forms![
    tuple((1, 2)),
    structure(Point { x: 1, y: 2 }),
    tuple_structure(Pair(1, (2, 3))),
    reference(&(1, 2)),
    slice([1, 2, 3]),
    mutable(1, vec![2]),
    by_ref(String::from("x")),
    ignored(1, 2),
    bound([1, 2]),
    with_attributes(1),
    nested(&[(1, Point { x: 2, y: 3 })]),
    shadowed(1),
    moved(vec![1, 2])(),
    many(1, 2, 3, 4),
];

struct Point {
    x: u32,
    y: u32,
}

struct Pair(u32, (u32, u32));

#[lazy_mmu]
fn tuple((left, right): (u32, u32)) -> u32 {
    store();
    left + right
}

#[lazy_mmu]
fn structure(Point { x, y: other }: Point) -> u32 {
    store();
    x * other
}

#[lazy_mmu]
fn tuple_structure(Pair(first, (_, last)): Pair) -> u32 {
    store();
    first + last
}

#[lazy_mmu]
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the test needs the warning"
)]
fn reference(&(left, right): &(u32, u32)) -> u32 {
    store();
    left - right.min(left)
}

#[lazy_mmu]
fn slice([first, .., last]: [u32; 3]) -> u32 {
    store();
    first + last
}

#[lazy_mmu]
fn mutable(mut page: u32, mut pages: Vec<u32>) -> Vec<u32> {
    store();
    page += 1;
    pages.push(page);
    pages
}

#[lazy_mmu]
#[expect(
    clippy::toplevel_ref_arg,
    clippy::needless_pass_by_value,
    reason = "the test needs the warning"
)]
fn by_ref(ref text: String) -> usize {
    store();
    text.len()
}

#[lazy_mmu]
fn ignored(_: u32, _page: u32) -> u32 {
    store();
    3
}

#[lazy_mmu]
fn bound(all @ [first, _]: [u32; 2]) -> (u32, usize) {
    store();
    (first, all.len())
}

#[lazy_mmu]
fn with_attributes(
    #[cfg(unix)] page: u32,
    #[cfg(any())] _never: u32,
    #[allow(unused_variables)]
    #[cfg(any())]
    unused: u32,
) -> u32 {
    store();
    page
}

#[lazy_mmu]
fn nested(&[(first, Point { x, .. })]: &[(u32, Point); 1]) -> u32 {
    store();
    first + x
}

#[lazy_mmu]
fn shadowed(page: u32) -> String {
    let page = page + 1;
    store();
    let page = page.to_string();
    page + "!"
}

#[lazy_mmu]
fn moved(pages: Vec<u32>) -> impl FnOnce() -> u32 {
    store();
    move || pages.into_iter().sum()
}

#[lazy_mmu]
fn many(first: u8, second: u8, third: u8, fourth: u8) -> u8 {
    store();
    first + second + third + fourth
}
