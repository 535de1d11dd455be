//! Type, lifetime and constant parameters, and types that are not named.

use std::borrow::Cow;
use std::fmt::{Debug, Display};

use super::{Form, show, store};

pub(crate) const FORMS: &[Form] = &[
    ("a type parameter with bounds", || show(bounded(3, 4))),
    ("a where clause", || show(constrained(&["a", "b"]))),
    ("a parameter that is not sized", || {
        show(unsized_length("abc"))
    }),
    ("a constant parameter", || show(constant::<4>())),
    ("a constant in braces in the head", || {
        show(braces_in_the_head([1, 2]))
    }),
    ("an associated type", || show(associated([1_u8, 2].iter()))),
    ("&mut to &mut", || {
        let mut pages = vec![1, 2, 3];
        *reborrow(&mut pages, 1) += 10;
        show(pages)
    }),
    ("&mut to a part of it, through another call", || {
        let mut pages = [1, 2, 3];
        *through(&mut pages) = 9;
        show(pages)
    }),
    ("a borrow that is returned under a condition", || {
        let mut pages = vec![0, 5];
        show((
            conditional(&mut pages).copied(),
            conditional(&mut Vec::new()).copied(),
        ))
    }),
    ("a borrow out of a match", || {
        show(out_of_a_match(&mut Some(4)))
    }),
    ("two lifetimes", || show(two_lifetimes("left", "right"))),
    ("a lifetime that is left out", || {
        show(elided(&[1, 2]).collect::<Vec<_>>())
    }),
    ("a borrowed or owned result", || {
        show((borrowed_or_owned(""), borrowed_or_owned("x")))
    }),
    ("a higher-ranked bound", || {
        show(higher_ranked(|text| &text[1..]))
    }),
    ("a higher-ranked where clause", || {
        show(higher_ranked_where(&|text| text.len()))
    }),
    ("impl Trait as a parameter", || show(implementor([1, 2, 3]))),
    ("impl Trait as the result: an iterator", || {
        show(iterator(3).collect::<Vec<_>>())
    }),
    ("impl Trait as the result: it borrows", || {
        show(borrowing_iterator(&[1, 2]).collect::<Vec<_>>())
    }),
    ("impl Trait as the result: a closure", || {
        show(closure(3)(4))
    }),
    ("impl Trait as the result: what it captures is said", || {
        show(captures("dropped", 2).to_string())
    }),
    ("dyn as a parameter", || show(dynamic(&mut |page| page + 1))),
    ("dyn as the result", || show(boxed(3)(1))),
    ("dyn with a lifetime", || {
        show(boxed_borrow(&[1, 2]).count())
    }),
    ("an array of a constant length", || show(array([0; 3]))),
    ("a slice to an array", || show(to_array(&[1, 2, 3]))),
    ("a pointer", || show(pointer(&5).is_null())),
    ("a function pointer", || {
        show(function_pointer(u32::count_ones)(7))
    }),
    ("a tuple of references", || show(split(&mut [1, 2, 3]))),
    ("a generic associated type", || {
        show(Lend::lend(&mut Lender(4)))
    }),
    ("a never type inside another", || show(infallible(3))),
];

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn bounded<T: Copy + std::ops::Add<Output = T> + Debug>(left: T, right: T) -> T {
    store();
    left + right
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn constrained<'a, T>(all: &'a [T]) -> Vec<String>
where
    T: Display + 'a,
    &'a T: Sized,
{
    store();
    all.iter().map(ToString::to_string).collect()
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn unsized_length<T: AsRef<str> + ?Sized>(text: &T) -> usize {
    store();
    text.as_ref().len()
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn constant<const PAGES: usize>() -> [usize; PAGES] {
    store();
    std::array::from_fn(|page| page * PAGES)
}

struct Pages<const PAGES: usize>([u8; PAGES]);

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
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

    #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
    fn into_iter(self) -> Self::IntoIter {
        store();
        self.0.into_iter()
    }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn associated<I: Iterator>(mut all: I) -> Option<I::Item> {
    store();
    all.next()
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn reborrow(pages: &mut [u32], at: usize) -> &mut u32 {
    store();
    &mut pages[at]
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn through(pages: &mut [u32]) -> &mut u32 {
    store();
    let page = reborrow(pages, 0);
    *page += 1;
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn conditional(pages: &mut Vec<u32>) -> Option<&mut u32> {
    store();
    if pages.is_empty() {
        pages.clear();
        return None;
    }
    pages.push(1);
    pages.last_mut()
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn out_of_a_match(page: &mut Option<u32>) -> &mut u32 {
    store();
    match page {
        Some(page) => page,
        None => unreachable!("the caller gives one"),
    }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn two_lifetimes<'left, 'right: 'left>(left: &'left str, right: &'right str) -> &'left str {
    store();
    if left.len() > right.len() {
        left
    } else {
        right
    }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn elided(pages: &[u32]) -> std::slice::Iter<'_, u32> {
    store();
    pages.iter()
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn borrowed_or_owned(text: &str) -> Cow<'_, str> {
    store();
    if text.is_empty() {
        return Cow::Owned("nothing".to_owned());
    }
    Cow::Borrowed(text)
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn higher_ranked<F: for<'a> Fn(&'a str) -> &'a str>(f: F) -> String {
    store();
    f("abc").to_owned()
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn higher_ranked_where<F>(f: &F) -> usize
where
    for<'a> F: Fn(&'a str) -> usize,
{
    store();
    f("abc")
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn implementor(all: impl IntoIterator<Item = u32>) -> u32 {
    store();
    all.into_iter().sum()
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn iterator(to: u32) -> impl Iterator<Item = u32> + Clone {
    store();
    (0..to).map(|page| page * 2)
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn borrowing_iterator(pages: &[u32]) -> impl DoubleEndedIterator<Item = u32> + '_ {
    store();
    pages.iter().map(|page| page + 1)
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn closure(by: u32) -> impl Fn(u32) -> u32 {
    store();
    move |page| page * by
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn captures<T: Display + 'static>(_dropped: &str, shown: T) -> impl Display + use<T> {
    store();
    shown
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn dynamic(f: &mut dyn FnMut(u32) -> u32) -> u32 {
    store();
    let page = f(1);
    f(page)
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn boxed(by: u32) -> Box<dyn Fn(u32) -> u32> {
    store();
    Box::new(move |page| page + by)
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn boxed_borrow<'a>(pages: &'a [u32]) -> Box<dyn Iterator<Item = &'a u32> + 'a> {
    store();
    Box::new(pages.iter())
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn array<const N: usize>(mut pages: [u32; N]) -> [u32; N] {
    store();
    pages.fill(7);
    pages
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn to_array<const N: usize>(pages: &[u32; N]) -> Result<[u32; 3], std::array::TryFromSliceError> {
    store();
    pages.as_slice().try_into()
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn pointer(page: &u32) -> *const u32 {
    store();
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn function_pointer(f: fn(u32) -> u32) -> fn(u32) -> u32 {
    store();
    f
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
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

    #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
    fn lend(&mut self) -> Self::Lent<'_> {
        store();
        &mut self.0
    }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn infallible(page: u32) -> Result<u32, std::convert::Infallible> {
    store();
    std::convert::identity(Ok(page))
}
