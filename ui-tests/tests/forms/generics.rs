//! Type, lifetime and constant parameters, and types without a name.

use std::borrow::Cow;
use std::fmt::{Debug, Display};

use super::{changed, forms, lazy_mmu, store};

forms![
    bounded(3, 4),
    constrained(&["a", "b"]),
    unsized_length("abc"),
    constant::<4>(),
    braces_in_the_head([1, 2]),
    associated([1_u8, 2].iter()),
    changed(vec![1, 2, 3], |pages| *reborrow(pages, 1) += 10),
    changed([1, 2, 3], |pages| *through(pages) = 9),
    conditional(&mut vec![0, 5]),
    conditional(&mut Vec::new()),
    out_of_a_match(&mut Some(4)),
    two_lifetimes("left", "right"),
    elided(&[1, 2]).collect::<Vec<_>>(),
    borrowed_or_owned(""),
    borrowed_or_owned("x"),
    higher_ranked(|text| &text[1..]),
    higher_ranked_where(&|text| text.len()),
    implementor([1, 2, 3]),
    iterator(3).collect::<Vec<_>>(),
    borrowing_iterator(&[1, 2]).collect::<Vec<_>>(),
    closure(3)(4),
    captures("dropped", 2).to_string(),
    dynamic(&mut |page| page + 1),
    boxed(3)(1),
    boxed_borrow(&[1, 2]).count(),
    array([0; 3]),
    to_array(&[1, 2, 3]),
    pointer(&5).is_null(),
    function_pointer(u32::count_ones)(7),
    split(&mut [1, 2, 3]),
    Lend::lend(&mut Lender(4)),
    infallible(3),
];

#[lazy_mmu]
fn bounded<T: Copy + std::ops::Add<Output = T> + Debug>(left: T, right: T) -> T {
    store();
    left + right
}

#[lazy_mmu]
fn constrained<'a, T>(all: &'a [T]) -> Vec<String>
where
    T: Display + 'a,
    &'a T: Sized,
{
    store();
    all.iter().map(ToString::to_string).collect()
}

#[lazy_mmu]
fn unsized_length<T: AsRef<str> + ?Sized>(text: &T) -> usize {
    store();
    text.as_ref().len()
}

#[lazy_mmu]
fn constant<const PAGES: usize>() -> [usize; PAGES] {
    store();
    std::array::from_fn(|page| page * PAGES)
}

struct Pages<const PAGES: usize>([u8; PAGES]);

#[lazy_mmu]
fn braces_in_the_head(pages: [u8; 2]) -> <Pages<{ 1 + 1 }> as IntoIterator>::Item
where
    Pages<{ 3 - 1 }>: Sized,
{
    store();
    Pages(pages).into_iter().next().unwrap_or_default()
}

impl<const PAGES: usize> IntoIterator for Pages<PAGES> {
    type Item = u8;
    type IntoIter = std::array::IntoIter<u8, PAGES>;

    #[lazy_mmu]
    fn into_iter(self) -> Self::IntoIter {
        store();
        self.0.into_iter()
    }
}

#[lazy_mmu]
fn associated<I: Iterator>(mut all: I) -> Option<I::Item> {
    store();
    all.next()
}

#[lazy_mmu]
fn reborrow(pages: &mut [u32], at: usize) -> &mut u32 {
    store();
    &mut pages[at]
}

#[lazy_mmu]
fn through(pages: &mut [u32]) -> &mut u32 {
    store();
    let page = reborrow(pages, 0);
    *page += 1;
    page
}

#[lazy_mmu]
fn conditional(pages: &mut Vec<u32>) -> Option<&mut u32> {
    store();
    if pages.is_empty() {
        pages.clear();
        return None;
    }
    pages.push(1);
    pages.last_mut()
}

#[lazy_mmu]
fn out_of_a_match(page: &mut Option<u32>) -> &mut u32 {
    store();
    match page {
        Some(page) => page,
        None => unreachable!("the caller passes a value"),
    }
}

#[lazy_mmu]
fn two_lifetimes<'left, 'right: 'left>(left: &'left str, right: &'right str) -> &'left str {
    store();
    if left.len() > right.len() {
        left
    } else {
        right
    }
}

#[lazy_mmu]
fn elided(pages: &[u32]) -> std::slice::Iter<'_, u32> {
    store();
    pages.iter()
}

#[lazy_mmu]
fn borrowed_or_owned(text: &str) -> Cow<'_, str> {
    store();
    if text.is_empty() {
        return Cow::Owned("nothing".to_owned());
    }
    Cow::Borrowed(text)
}

#[lazy_mmu]
fn higher_ranked<F: for<'a> Fn(&'a str) -> &'a str>(f: F) -> String {
    store();
    f("abc").to_owned()
}

#[lazy_mmu]
fn higher_ranked_where<F>(f: &F) -> usize
where
    for<'a> F: Fn(&'a str) -> usize,
{
    store();
    f("abc")
}

#[lazy_mmu]
fn implementor(all: impl IntoIterator<Item = u32>) -> u32 {
    store();
    all.into_iter().sum()
}

#[lazy_mmu]
fn iterator(to: u32) -> impl Iterator<Item = u32> + Clone {
    store();
    (0..to).map(|page| page * 2)
}

#[lazy_mmu]
fn borrowing_iterator(pages: &[u32]) -> impl DoubleEndedIterator<Item = u32> + '_ {
    store();
    pages.iter().map(|page| page + 1)
}

#[lazy_mmu]
fn closure(by: u32) -> impl Fn(u32) -> u32 {
    store();
    move |page| page * by
}

#[lazy_mmu]
fn captures<T: Display + 'static>(_dropped: &str, shown: T) -> impl Display + use<T> {
    store();
    shown
}

#[lazy_mmu]
fn dynamic(f: &mut dyn FnMut(u32) -> u32) -> u32 {
    store();
    let page = f(1);
    f(page)
}

#[lazy_mmu]
fn boxed(by: u32) -> Box<dyn Fn(u32) -> u32> {
    store();
    Box::new(move |page| page + by)
}

#[lazy_mmu]
fn boxed_borrow<'a>(pages: &'a [u32]) -> Box<dyn Iterator<Item = &'a u32> + 'a> {
    store();
    Box::new(pages.iter())
}

#[lazy_mmu]
fn array<const N: usize>(mut pages: [u32; N]) -> [u32; N] {
    store();
    pages.fill(7);
    pages
}

#[lazy_mmu]
fn to_array<const N: usize>(pages: &[u32; N]) -> Result<[u32; 3], std::array::TryFromSliceError> {
    store();
    pages.as_slice().try_into()
}

#[lazy_mmu]
fn pointer(page: &u32) -> *const u32 {
    store();
    page
}

#[lazy_mmu]
fn function_pointer(f: fn(u32) -> u32) -> fn(u32) -> u32 {
    store();
    f
}

#[lazy_mmu]
fn split(pages: &mut [u32]) -> Option<(&mut u32, &mut [u32])> {
    store();
    pages.split_first_mut()
}

trait Lend {
    type Lent<'a>
    where
        Self: 'a;

    fn lend(&mut self) -> Self::Lent<'_>;
}

struct Lender(u32);

impl Lend for Lender {
    type Lent<'a> = &'a mut u32;

    #[lazy_mmu]
    fn lend(&mut self) -> Self::Lent<'_> {
        store();
        &mut self.0
    }
}

#[lazy_mmu]
fn infallible(page: u32) -> Result<u32, std::convert::Infallible> {
    store();
    std::convert::identity(Ok(page))
}
