//! One warning each, or a few: with the attribute there must be the same ones at the same places.
//!
//! `ui-tests/tests/forms.rs` compares them. Without the feature `warn` they are switched off.

pub mod public {
    #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
    pub fn must_use_candidate(page: u32) -> u32 {
        page + 1
    }

    #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
    pub fn missing_errors_doc(page: u32) -> Result<u32, u32> {
        if page > 1 { Err(page) } else { Ok(page) }
    }

    #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
    pub fn missing_panics_doc(page: Option<u32>) -> u32 {
        page.unwrap()
    }

    #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
    pub unsafe fn missing_safety_doc(page: u32) -> u32 {
        page
    }

    #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
    pub fn not_unsafe_ptr_arg_deref(page: *const u32) -> u32 {
        unsafe { *page }
    }

    #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
    pub fn ptr_arg(pages: &Vec<u32>) -> usize {
        pages.len()
    }

    pub struct Table(u32);

    impl Table {
        #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
        pub fn new() -> Self {
            Self(0)
        }

        #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
        pub fn add(self, other: Self) -> Self {
            Self(self.0 + other.0)
        }

        #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
        pub fn to_page(self) -> u32 {
            self.0
        }

        #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
        pub fn unused_self(&self) -> u32 {
            3
        }

        #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
        pub fn return_self_not_must_use(self) -> Self {
            self
        }

        #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
        pub fn mut_from_ref(&self) -> &mut u32 {
            Box::leak(Box::new(self.0))
        }

        #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
        pub fn unnecessary_literal_bound(&self) -> &str {
            "page"
        }
    }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn dead_code() {}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn unused_variable(page: u32) {
    let unused = 1;
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn unused_mut() -> u32 {
    let mut page = 1;
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn unused_assignment() -> u32 {
    let mut page = 1;
    page = 2;
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
#[must_use]
fn needed() -> u32 {
    1
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn unused_must_use() {
    needed();
    Ok::<u32, u32>(1);
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
#[deprecated]
fn old() {}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn deprecated() {
    old();
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn unreachable_code() -> u32 {
    return 1;
    println!("never");
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn unreachable_tail() -> ! {
    panic!("out");
    loop {}
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn unused_parens(page: u32) -> u32 {
    if (page > 1) { (page) } else { 0 }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn unused_braces(page: u32) -> u32 {
    let page = { page };
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn tail_in_braces(page: u32) -> u32 {
    { page }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn unused_import() {
    use std::fmt::Debug;
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn unused_label() {
    'label: for _ in 0..2 {}
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn unconditional_recursion(page: u32) -> u32 {
    unconditional_recursion(page)
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn non_snake_case(Page: u32) -> u32 {
    let Local = Page;
    Local
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn NonSnakeCase() {}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn path_statement(page: u32) {
    page;
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
#[warn(clippy::absurd_extreme_comparisons)]
fn unused_comparison(page: u32) -> bool {
    page >= 0
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn unused_unsafe(page: u32) -> u32 {
    unsafe { page }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn dropping_references(page: &u32) {
    drop(page);
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn redundant_semicolons() {
    ;
    println!("page");;
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn unused_doc_comment() {
    /// On nothing.
    println!("page");
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn unused_attribute() {
    #![inline]
    #[must_use]
    let _page = 1;
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
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

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn private_interfaces_and_dead_items() {
    struct Dead;
    fn dead() {}
    const DEAD: u32 = 1;
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn needless_return(page: u32) -> u32 {
    return page;
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn let_and_return(page: u32) -> u32 {
    let result = page + 1;
    result
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn items_after_statements(page: u32) -> u32 {
    let one = 1;
    fn inner(page: u32) -> u32 {
        page
    }
    inner(page + one)
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn items_before_and_after_statements(page: u32) -> u32 {
    const ONE: u32 = 1;
    let two = ONE + 1;
    const THREE: u32 = 3;
    page + two + THREE
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn too_many_arguments(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) -> u8 {
    a + b + c + d + e + f + g + h
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn many_single_char_names(a: u8, b: u8, c: u8, d: u8) -> u8 {
    let e = a + b;
    let f = c + d;
    e + f
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn needless_pass_by_value(pages: Vec<u32>) -> usize {
    pages.len()
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn unnecessary_wraps(page: u32) -> Option<u32> {
    Some(page)
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn semicolon_if_nothing_returned() {
    println!("page")
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn redundant_else(page: u32) -> u32 {
    if page > 1 {
        return 1;
    } else {
        println!("page");
    }
    2
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn match_same_arms(page: u32) -> u32 {
    match page {
        0 => 1,
        1 => 1,
        _ => 2,
    }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn single_match_else(page: Option<u32>) -> u32 {
    match page {
        Some(page) => page,
        _ => {
            println!("none");
            0
        }
    }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn manual_let_else(page: Option<u32>) -> u32 {
    let page = match page {
        Some(page) => page,
        None => return 0,
    };
    page + 1
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn needless_range_loop(pages: &[u32]) -> u32 {
    let mut sum = 0;
    for page in 0..pages.len() {
        sum += pages[page];
    }
    sum
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn used_underscore_binding(_page: u32) -> u32 {
    _page + 1
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn no_effect_underscore_binding(page: u32) {
    let _local = page + 1;
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn excessive_bools(a: bool, b: bool, c: bool, d: bool) -> bool {
    a && b && c && d
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
#[inline(always)]
fn inline_always() -> u32 {
    1
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn casts(page: u64) -> u32 {
    let page = page as u32;
    page as i32 as u32
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn unused_unit() -> () {
    ()
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn let_unit() {
    let unit = println!("page");
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn needless_lifetimes<'a>(page: &'a str) -> &'a str {
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn extra_unused_lifetimes<'a>(page: u32) -> u32 {
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn extra_unused_type_parameters<T>(page: u32) -> u32 {
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn only_used_in_recursion(page: u32, unused: u32) -> u32 {
    if page == 0 {
        0
    } else {
        only_used_in_recursion(page - 1, unused)
    }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn trivially_copy(page: &u8) -> u8 {
    *page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn needless_pass_by_ref_mut(pages: &mut [u32]) -> usize {
    pages.len()
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn implicit_hasher(pages: &std::collections::HashMap<u32, u32>) -> usize {
    pages.len()
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn boxed(page: Box<u32>) -> u32 {
    *page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn boxed_result(page: u32) -> Box<u32> {
    Box::new(page)
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn redundant_clone(page: &String) -> String {
    page.clone().to_string()
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
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

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
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

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn empty_loop() -> ! {
    loop {}
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
#[warn(clippy::never_loop)]
fn never_loop() -> u32 {
    loop {
        return 1;
    }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn uninlined_format_args(page: u32) -> String {
    format!("{}", page)
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn if_not_else(page: u32) -> u32 {
    if page != 1 { 1 } else { 2 }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn tail_is_a_let_else(page: Option<u32>) {
    let Some(page) = page else { return };
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn closure_calls(page: u32) -> u32 {
    (|| page)()
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn missing_transmute() -> u32 {
    #[allow(unused_variables)]
    let unused = 1;
    let unused_too = 2;
    3
}

trait Default2 {
    #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
    fn default_method_with_unused(&self, page: u32) {
        let unused = 1;
    }
}

struct Counter(u32);

impl Iterator for Counter {
    type Item = u32;

    #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
    fn next(&mut self) -> Option<u32> {
        let unused = 1;
        Some(self.0)
    }
}

impl PartialEq for Counter {
    #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
    fn eq(&self, other: &Self) -> bool {
        self == other
    }
}

fn outer() {
    #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
    fn inner(page: u32) {
        let unused = 1;
    }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn manual_async_fn() -> impl std::future::Future<Output = u32> {
    async { 1 }
}

struct Derivable(u32);

impl Default for Derivable {
    #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
    fn default() -> Self {
        Self(0)
    }
}

#[derive(Copy)]
struct Canonical(u32);

impl Clone for Canonical {
    #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
    fn clone(&self) -> Self {
        Self(self.0)
    }
}

#[derive(PartialEq, Eq)]
struct Ordered(u32);

impl PartialOrd for Ordered {
    #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        self.0.partial_cmp(&other.0)
    }
}

impl Ord for Ordered {
    #[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
#[inline(always)]
fn empty_inline_always() {}
