//! Functions that the compiler and Clippy warn of. With the attribute there must be the same warnings, at the same places.
//!
//! No part of any package: `ui-tests/tests/warnings.rs` compiles it, with the lines of the attribute and with these lines
//! empty, and compares.

#![warn(
    clippy::pedantic,
    clippy::undocumented_unsafe_blocks,
    future_incompatible,
    let_underscore,
    nonstandard_style,
    unused
)]

pub mod exported {
    #[lazy_mmu::lazy_mmu]
    pub fn must_use_candidate(page: u32) -> u32 {
        page + 1
    }

    #[lazy_mmu::lazy_mmu]
    pub fn missing_errors_doc(page: u32) -> Result<u32, u32> {
        if page > 1 { Err(page) } else { Ok(page) }
    }

    #[lazy_mmu::lazy_mmu]
    pub fn missing_panics_doc(page: Option<u32>) -> u32 {
        page.unwrap()
    }

    #[lazy_mmu::lazy_mmu]
    pub unsafe fn missing_safety_doc(page: u32) -> u32 {
        page
    }

    #[lazy_mmu::lazy_mmu]
    pub fn not_unsafe_ptr_arg_deref(page: *const u32) -> u32 {
        unsafe { *page }
    }

    #[lazy_mmu::lazy_mmu]
    pub fn ptr_arg(pages: &Vec<u32>) -> usize {
        pages.len()
    }

    pub struct Table(u32);

    impl Table {
        #[lazy_mmu::lazy_mmu]
        pub fn new() -> Self {
            Self(0)
        }

        #[lazy_mmu::lazy_mmu]
        pub fn add(self, other: Self) -> Self {
            Self(self.0 + other.0)
        }

        #[lazy_mmu::lazy_mmu]
        pub fn to_page(self) -> u32 {
            self.0
        }

        #[lazy_mmu::lazy_mmu]
        pub fn unused_self(&self) -> u32 {
            3
        }

        #[lazy_mmu::lazy_mmu]
        pub fn return_self_not_must_use(self) -> Self {
            self
        }

        #[lazy_mmu::lazy_mmu]
        pub fn mut_from_ref(&self) -> &mut u32 {
            Box::leak(Box::new(self.0))
        }

        #[lazy_mmu::lazy_mmu]
        pub fn unnecessary_literal_bound(&self) -> &str {
            "page"
        }
    }
}

#[lazy_mmu::lazy_mmu]
fn dead_code() {}

#[lazy_mmu::lazy_mmu]
fn unused_variable(page: u32) {
    let unused = 1;
}

#[lazy_mmu::lazy_mmu]
fn unused_mut() -> u32 {
    let mut page = 1;
    page
}

#[lazy_mmu::lazy_mmu]
fn unused_assignment() -> u32 {
    let mut page = 1;
    page = 2;
    page
}

#[lazy_mmu::lazy_mmu]
#[must_use]
fn needed() -> u32 {
    1
}

#[lazy_mmu::lazy_mmu]
fn unused_must_use() {
    needed();
    Ok::<u32, u32>(1);
}

#[lazy_mmu::lazy_mmu]
#[deprecated]
fn old() {}

#[lazy_mmu::lazy_mmu]
fn deprecated() {
    old();
}

#[lazy_mmu::lazy_mmu]
fn unreachable_code() -> u32 {
    return 1;
    println!("never");
}

#[lazy_mmu::lazy_mmu]
fn unreachable_tail() -> ! {
    panic!("out");
    loop {}
}

#[lazy_mmu::lazy_mmu]
fn unused_parens(page: u32) -> u32 {
    if (page > 1) { (page) } else { 0 }
}

#[lazy_mmu::lazy_mmu]
fn unused_braces(page: u32) -> u32 {
    let page = { page };
    page
}

#[lazy_mmu::lazy_mmu]
fn tail_in_braces(page: u32) -> u32 {
    { page }
}

#[lazy_mmu::lazy_mmu]
fn unused_import() {
    use std::fmt::Debug;
}

#[lazy_mmu::lazy_mmu]
fn unused_label() {
    'label: for _ in 0..2 {}
}

#[lazy_mmu::lazy_mmu]
fn unconditional_recursion(page: u32) -> u32 {
    unconditional_recursion(page)
}

#[lazy_mmu::lazy_mmu]
fn non_snake_case(Page: u32) -> u32 {
    let Local = Page;
    Local
}

#[lazy_mmu::lazy_mmu]
fn NonSnakeCase() {}

#[lazy_mmu::lazy_mmu]
fn path_statement(page: u32) {
    page;
}

#[lazy_mmu::lazy_mmu]
#[warn(clippy::absurd_extreme_comparisons)]
fn unused_comparison(page: u32) -> bool {
    page >= 0
}

#[lazy_mmu::lazy_mmu]
fn unused_unsafe(page: u32) -> u32 {
    unsafe { page }
}

#[lazy_mmu::lazy_mmu]
fn dropping_references(page: &u32) {
    drop(page);
}

#[lazy_mmu::lazy_mmu]
fn redundant_semicolons() {
    ;
    println!("page");;
}

#[lazy_mmu::lazy_mmu]
fn unused_doc_comment() {
    /// On nothing.
    println!("page");
}

#[lazy_mmu::lazy_mmu]
fn unused_attribute() {
    #![inline]
    #[must_use]
    let _page = 1;
}

#[lazy_mmu::lazy_mmu]
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

#[lazy_mmu::lazy_mmu]
fn private_interfaces_and_dead_items() {
    struct Dead;
    fn dead() {}
    const DEAD: u32 = 1;
}

#[lazy_mmu::lazy_mmu]
fn needless_return(page: u32) -> u32 {
    return page;
}

#[lazy_mmu::lazy_mmu]
fn let_and_return(page: u32) -> u32 {
    let result = page + 1;
    result
}

#[lazy_mmu::lazy_mmu]
fn items_after_statements(page: u32) -> u32 {
    let one = 1;
    fn inner(page: u32) -> u32 {
        page
    }
    inner(page + one)
}

#[lazy_mmu::lazy_mmu]
fn items_before_and_after_statements(page: u32) -> u32 {
    const ONE: u32 = 1;
    let two = ONE + 1;
    const THREE: u32 = 3;
    page + two + THREE
}

#[lazy_mmu::lazy_mmu]
fn too_many_arguments(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) -> u8 {
    a + b + c + d + e + f + g + h
}

#[lazy_mmu::lazy_mmu]
fn many_single_char_names(a: u8, b: u8, c: u8, d: u8) -> u8 {
    let e = a + b;
    let f = c + d;
    e + f
}

#[lazy_mmu::lazy_mmu]
fn needless_pass_by_value(pages: Vec<u32>) -> usize {
    pages.len()
}

#[lazy_mmu::lazy_mmu]
fn unnecessary_wraps(page: u32) -> Option<u32> {
    Some(page)
}

#[lazy_mmu::lazy_mmu]
fn semicolon_if_nothing_returned() {
    println!("page")
}

#[lazy_mmu::lazy_mmu]
fn redundant_else(page: u32) -> u32 {
    if page > 1 {
        return 1;
    } else {
        println!("page");
    }
    2
}

#[lazy_mmu::lazy_mmu]
fn match_same_arms(page: u32) -> u32 {
    match page {
        0 => 1,
        1 => 1,
        _ => 2,
    }
}

#[lazy_mmu::lazy_mmu]
fn single_match_else(page: Option<u32>) -> u32 {
    match page {
        Some(page) => page,
        _ => {
            println!("none");
            0
        }
    }
}

#[lazy_mmu::lazy_mmu]
fn manual_let_else(page: Option<u32>) -> u32 {
    let page = match page {
        Some(page) => page,
        None => return 0,
    };
    page + 1
}

#[lazy_mmu::lazy_mmu]
fn needless_range_loop(pages: &[u32]) -> u32 {
    let mut sum = 0;
    for page in 0..pages.len() {
        sum += pages[page];
    }
    sum
}

#[lazy_mmu::lazy_mmu]
fn used_underscore_binding(_page: u32) -> u32 {
    _page + 1
}

#[lazy_mmu::lazy_mmu]
fn no_effect_underscore_binding(page: u32) {
    let _local = page + 1;
}

#[lazy_mmu::lazy_mmu]
fn excessive_bools(a: bool, b: bool, c: bool, d: bool) -> bool {
    a && b && c && d
}

#[lazy_mmu::lazy_mmu]
#[inline(always)]
fn inline_always() -> u32 {
    1
}

#[lazy_mmu::lazy_mmu]
fn casts(page: u64) -> u32 {
    let page = page as u32;
    page as i32 as u32
}

#[lazy_mmu::lazy_mmu]
fn unused_unit() -> () {
    ()
}

#[lazy_mmu::lazy_mmu]
fn let_unit() {
    let unit = println!("page");
}

#[lazy_mmu::lazy_mmu]
fn needless_lifetimes<'a>(page: &'a str) -> &'a str {
    page
}

#[lazy_mmu::lazy_mmu]
fn extra_unused_lifetimes<'a>(page: u32) -> u32 {
    page
}

#[lazy_mmu::lazy_mmu]
fn extra_unused_type_parameters<T>(page: u32) -> u32 {
    page
}

#[lazy_mmu::lazy_mmu]
fn only_used_in_recursion(page: u32, unused: u32) -> u32 {
    if page == 0 {
        0
    } else {
        only_used_in_recursion(page - 1, unused)
    }
}

#[lazy_mmu::lazy_mmu]
fn trivially_copy(page: &u8) -> u8 {
    *page
}

#[lazy_mmu::lazy_mmu]
fn needless_pass_by_ref_mut(pages: &mut [u32]) -> usize {
    pages.len()
}

#[lazy_mmu::lazy_mmu]
fn implicit_hasher(pages: &std::collections::HashMap<u32, u32>) -> usize {
    pages.len()
}

#[lazy_mmu::lazy_mmu]
fn boxed(page: Box<u32>) -> u32 {
    *page
}

#[lazy_mmu::lazy_mmu]
fn boxed_result(page: u32) -> Box<u32> {
    Box::new(page)
}

#[lazy_mmu::lazy_mmu]
fn redundant_clone(page: &String) -> String {
    page.clone().to_string()
}

#[lazy_mmu::lazy_mmu]
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
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
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

#[lazy_mmu::lazy_mmu]
fn just_not_too_many_lines(mut page: u32) -> u32 {
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
    page += 1;
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

#[lazy_mmu::lazy_mmu]
fn empty_loop() -> ! {
    loop {}
}

#[lazy_mmu::lazy_mmu]
#[warn(clippy::never_loop)]
fn never_loop() -> u32 {
    loop {
        return 1;
    }
}

#[lazy_mmu::lazy_mmu]
fn uninlined_format_args(page: u32) -> String {
    format!("{}", page)
}

#[lazy_mmu::lazy_mmu]
fn if_not_else(page: u32) -> u32 {
    if page != 1 { 1 } else { 2 }
}

#[lazy_mmu::lazy_mmu]
fn tail_is_a_let_else(page: Option<u32>) {
    let Some(page) = page else { return };
}

#[lazy_mmu::lazy_mmu]
fn closure_calls(page: u32) -> u32 {
    (|| page)()
}

#[lazy_mmu::lazy_mmu]
fn missing_transmute() -> u32 {
    #[allow(unused_variables)]
    let unused = 1;
    let unused_too = 2;
    3
}

trait Default2 {
    #[lazy_mmu::lazy_mmu]
    fn default_method_with_unused(&self, page: u32) {
        let unused = 1;
    }
}

struct Counter(u32);

impl Iterator for Counter {
    type Item = u32;

    #[lazy_mmu::lazy_mmu]
    fn next(&mut self) -> Option<u32> {
        let unused = 1;
        Some(self.0)
    }
}

impl PartialEq for Counter {
    #[lazy_mmu::lazy_mmu]
    fn eq(&self, other: &Self) -> bool {
        self == other
    }
}

fn outer() {
    #[lazy_mmu::lazy_mmu]
    fn inner(page: u32) {
        let unused = 1;
    }
}

#[lazy_mmu::lazy_mmu]
fn manual_async_fn() -> impl std::future::Future<Output = u32> {
    async { 1 }
}

struct Derivable(u32);

impl Default for Derivable {
    #[lazy_mmu::lazy_mmu]
    fn default() -> Self {
        Self(0)
    }
}

#[derive(Copy)]
struct NotCanonical(u32);

impl Clone for NotCanonical {
    #[lazy_mmu::lazy_mmu]
    fn clone(&self) -> Self {
        Self(self.0)
    }
}

#[derive(Copy)]
struct CanonicalClone(u32);

impl Clone for CanonicalClone {
    #[lazy_mmu::lazy_mmu]
    fn clone(&self) -> Self {
        *self
    }
}

#[derive(PartialEq, Eq)]
struct CanonicalOrder(u32);

impl PartialOrd for CanonicalOrder {
    #[lazy_mmu::lazy_mmu]
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for CanonicalOrder {
    #[lazy_mmu::lazy_mmu]
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.0.cmp(&self.0)
    }
}

pub struct Getters {
    first: u32,
    second: u32,
}

impl Getters {
    #[lazy_mmu::lazy_mmu]
    pub fn first(&self) -> &u32 {
        &self.second
    }
}

#[lazy_mmu::lazy_mmu]
#[deny(unused_variables)]
fn mixed_attributes_style() {
    #![allow(unused_variables)]
    let unused = 1;
}

#[lazy_mmu::lazy_mmu]
fn semicolons_before_items() {
    ;
    fn after() {}
    ;
    const NUMBER: u32 = 2;
}

#[lazy_mmu::lazy_mmu]
#[inline(always)]
fn empty_inline_always() {}

#[lazy_mmu::lazy_mmu]
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

#[lazy_mmu::lazy_mmu]
fn items_behind_a_macro_that_makes_one() -> u32 {
    item!();
    const NUMBER: u32 = 2;
    MADE + NUMBER
}

macro_rules! nothing {
    () => {};
}

#[lazy_mmu::lazy_mmu]
fn items_behind_a_macro_that_makes_nothing() -> u32 {
    nothing!();
    const BEHIND_NOTHING: u32 = 1;
    BEHIND_NOTHING
}

struct EmptyDrop;

#[warn(clippy::empty_drop)]
impl Drop for EmptyDrop {
    #[lazy_mmu::lazy_mmu]
    fn drop(&mut self) {}
}
