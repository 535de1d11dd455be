//! Functions for which the compiler and Clippy have warnings. The attribute must not change them or
//! their places.
//!
//! This file is not a part of any package. `ui-tests/tests/warnings.rs` puts the attribute on each
//! of its functions, and compares.

#![warn(
    clippy::correctness,
    clippy::pedantic,
    clippy::undocumented_unsafe_blocks,
    future_incompatible,
    let_underscore,
    nonstandard_style,
    unused
)]

pub mod exported {
    pub fn must_use_candidate(page: u32) -> u32 {
        page + 1
    }

    pub fn missing_errors_doc(page: u32) -> Result<u32, u32> {
        if page > 1 { Err(page) } else { Ok(page) }
    }

    pub fn missing_panics_doc(page: Option<u32>) -> u32 {
        page.unwrap()
    }

    pub unsafe fn missing_safety_doc(page: u32) -> u32 {
        page
    }

    pub fn not_unsafe_ptr_arg_deref(page: *const u32) -> u32 {
        unsafe { *page }
    }

    pub fn ptr_arg(pages: &Vec<u32>) -> usize {
        pages.len()
    }

    pub struct Table(u32);

    impl Table {
        pub fn new() -> Self {
            Self(0)
        }

        pub fn add(self, other: Self) -> Self {
            Self(self.0 + other.0)
        }

        pub fn to_page(self) -> u32 {
            self.0
        }

        pub fn unused_self(&self) -> u32 {
            3
        }

        pub fn return_self_not_must_use(self) -> Self {
            self
        }

        pub fn mut_from_ref(&self) -> &mut u32 {
            Box::leak(Box::new(self.0))
        }

        pub fn unnecessary_literal_bound(&self) -> &str {
            "page"
        }
    }
}

fn dead_code() {}

fn unused_variable(page: u32) {
    let unused = 1;
}

fn unused_mut() -> u32 {
    let mut page = 1;
    page
}

fn unused_assignment() -> u32 {
    let mut page = 1;
    page = 2;
    page
}

#[must_use]
fn needed() -> u32 {
    1
}

fn unused_must_use() {
    needed();
    Ok::<u32, u32>(1);
}

#[deprecated]
fn old() {}

fn deprecated() {
    old();
}

fn unreachable_code() -> u32 {
    return 1;
    println!("never");
}

fn unreachable_tail() -> ! {
    panic!("out");
    loop {}
}

fn unused_parens(page: u32) -> u32 {
    if (page > 1) { (page) } else { 0 }
}

fn unused_braces(page: u32) -> u32 {
    let page = { page };
    page
}

fn tail_in_braces(page: u32) -> u32 {
    { page }
}

fn unused_import() {
    use std::fmt::Debug;
}

fn unused_label() {
    'label: for _ in 0..2 {}
}

fn unconditional_recursion(page: u32) -> u32 {
    unconditional_recursion(page)
}

fn non_snake_case(Page: u32) -> u32 {
    let Local = Page;
    Local
}

fn NonSnakeCase() {}

fn path_statement(page: u32) {
    page;
}

#[warn(clippy::absurd_extreme_comparisons)]
fn unused_comparison(page: u32) -> bool {
    page >= 0
}

fn unused_unsafe(page: u32) -> u32 {
    unsafe { page }
}

fn dropping_references(page: &u32) {
    drop(page);
}

fn redundant_semicolons() {
    ;
    println!("page");;
}

fn unused_doc_comment() {
    /// Documentation of a statement.
    println!("page");
}

fn unused_attribute() {
    #![inline]
    #[must_use]
    let _page = 1;
}

#[warn(bindings_with_variant_name)]
fn bindings_with_variant_name(page: Kind) -> u32 {
    match page {
        Page => 1,
    }
}

enum Kind {
    Page,
    Table,
}

fn private_interfaces_and_dead_items() {
    struct Dead;
    fn dead() {}
    const DEAD: u32 = 1;
}

fn needless_return(page: u32) -> u32 {
    return page;
}

fn let_and_return(page: u32) -> u32 {
    let result = page + 1;
    result
}

fn items_after_statements(page: u32) -> u32 {
    let one = 1;
    fn inner(page: u32) -> u32 {
        page
    }
    inner(page + one)
}

fn items_before_and_after_statements(page: u32) -> u32 {
    const ONE: u32 = 1;
    let two = ONE + 1;
    const THREE: u32 = 3;
    page + two + THREE
}

fn too_many_arguments(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) -> u8 {
    a + b + c + d + e + f + g + h
}

fn many_single_char_names(a: u8, b: u8, c: u8, d: u8) -> u8 {
    let e = a + b;
    let f = c + d;
    e + f
}

fn needless_pass_by_value(pages: Vec<u32>) -> usize {
    pages.len()
}

fn unnecessary_wraps(page: u32) -> Option<u32> {
    Some(page)
}

fn semicolon_if_nothing_returned() {
    println!("page")
}

fn redundant_else(page: u32) -> u32 {
    if page > 1 {
        return 1;
    } else {
        println!("page");
    }
    2
}

fn match_same_arms(page: u32) -> u32 {
    match page {
        0 => 1,
        1 => 1,
        _ => 2,
    }
}

fn single_match_else(page: Option<u32>) -> u32 {
    match page {
        Some(page) => page,
        _ => {
            println!("none");
            0
        }
    }
}

fn manual_let_else(page: Option<u32>) -> u32 {
    let page = match page {
        Some(page) => page,
        None => return 0,
    };
    page + 1
}

fn needless_range_loop(pages: &[u32]) -> u32 {
    let mut sum = 0;
    for page in 0..pages.len() {
        sum += pages[page];
    }
    sum
}

fn used_underscore_binding(_page: u32) -> u32 {
    _page + 1
}

fn no_effect_underscore_binding(page: u32) {
    let _local = page + 1;
}

fn excessive_bools(a: bool, b: bool, c: bool, d: bool) -> bool {
    a && b && c && d
}

#[inline(always)]
fn inline_always() -> u32 {
    1
}

fn casts(page: u64) -> u32 {
    let page = page as u32;
    page as i32 as u32
}

fn unused_unit() -> () {
    ()
}

fn let_unit() {
    let unit = println!("page");
}

fn needless_lifetimes<'a>(page: &'a str) -> &'a str {
    page
}

fn extra_unused_lifetimes<'a>(page: u32) -> u32 {
    page
}

fn extra_unused_type_parameters<T>(page: u32) -> u32 {
    page
}

fn only_used_in_recursion(page: u32, unused: u32) -> u32 {
    if page == 0 {
        0
    } else {
        only_used_in_recursion(page - 1, unused)
    }
}

fn trivially_copy(page: &u8) -> u8 {
    *page
}

fn needless_pass_by_ref_mut(pages: &mut [u32]) -> usize {
    pages.len()
}

fn implicit_hasher(pages: &std::collections::HashMap<u32, u32>) -> usize {
    pages.len()
}

fn boxed(page: Box<u32>) -> u32 {
    *page
}

fn boxed_result(page: u32) -> Box<u32> {
    Box::new(page)
}

fn redundant_clone(page: &String) -> String {
    page.clone().to_string()
}

// `ui-tests/tests/warnings.rs` sets the limit of nine lines.
fn too_many_lines(mut page: u32) -> u32 {
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page
}

fn just_not_too_many_lines(mut page: u32) -> u32 {
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page
}

fn empty_loop() -> ! {
    loop {}
}

#[warn(clippy::never_loop)]
fn never_loop() -> u32 {
    loop {
        return 1;
    }
}

fn uninlined_format_args(page: u32) -> String {
    format!("{}", page)
}

fn if_not_else(page: u32) -> u32 {
    if page != 1 { 1 } else { 2 }
}

fn tail_is_a_let_else(page: Option<u32>) {
    let Some(page) = page else { return };
}

fn closure_calls(page: u32) -> u32 {
    (|| page)()
}

fn missing_transmute() -> u32 {
    #[allow(unused_variables)]
    let unused = 1;
    let unused_too = 2;
    3
}

trait Default2 {
    fn default_method_with_unused(&self, page: u32) {
        let unused = 1;
    }
}

struct Counter(u32);

impl Iterator for Counter {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let unused = 1;
        Some(self.0)
    }
}

impl PartialEq for Counter {
    fn eq(&self, other: &Self) -> bool {
        self == other
    }
}

fn outer() {
    fn inner(page: u32) {
        let unused = 1;
    }
}

fn manual_async_fn() -> impl std::future::Future<Output = u32> {
    async { 1 }
}

struct Derivable(u32);

impl Default for Derivable {
    fn default() -> Self {
        Self(0)
    }
}

#[derive(Copy)]
struct NotCanonical(u32);

impl Clone for NotCanonical {
    fn clone(&self) -> Self {
        Self(self.0)
    }
}

#[derive(Copy)]
struct CanonicalClone(u32);

impl Clone for CanonicalClone {
    fn clone(&self) -> Self {
        *self
    }
}

#[derive(PartialEq, Eq)]
struct CanonicalOrder(u32);

impl PartialOrd for CanonicalOrder {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for CanonicalOrder {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.0.cmp(&self.0)
    }
}

pub struct Getters {
    first: u32,
    second: u32,
}

impl Getters {
    pub fn first(&self) -> &u32 {
        &self.second
    }
}

#[deny(unused_variables)]
fn mixed_attributes_style() {
    #![allow(unused_variables)]
    let unused = 1;
}

fn semicolons_before_items() {
    ;
    fn after() {}
    ;
    const NUMBER: u32 = 2;
}

#[inline(always)]
fn empty_inline_always() {}

fn items_with_attributes_first() -> u32 {
    #[used]
    static USED: u32 = 1;
    #[diagnostic::on_unimplemented(message = "no page")]
    trait Page {}
    #[automatically_derived]
    impl Page for u32 {}
    USED
}

macro_rules! item {
    () => {
        const MADE: u32 = 1;
    };
}

fn items_behind_a_macro_that_makes_one() -> u32 {
    item!();
    const NUMBER: u32 = 2;
    MADE + NUMBER
}

macro_rules! nothing {
    () => {};
}

fn items_behind_a_macro_that_makes_nothing() -> u32 {
    nothing!();
    const BEHIND_NOTHING: u32 = 1;
    BEHIND_NOTHING
}

struct EmptyDrop;

#[warn(clippy::empty_drop)]
impl Drop for EmptyDrop {
    fn drop(&mut self) {}
}
