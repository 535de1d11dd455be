//! The expansion as a function over token streams: on arbitrary tokens, and on mutations of real functions.

#[path = "../../src/args.rs"]
mod args;
mod check;
#[path = "../../src/expand.rs"]
mod expand;
#[path = "../../src/item.rs"]
mod item;
mod tokens;

use check::{Outcome, check, flat};
use proc_macro2::TokenStream;
use proptest::prelude::*;
use quote::quote;

use tokens::{arbitrary_tokens, mutated, real_functions};

/// Arguments of which each is right by itself.
const ARGUMENTS: [&str; 10] = [
    "",
    "mmu",
    "mmu = section",
    "backend = Sim",
    "backend = a::B<C, D>, mmu",
    "mmu, backend = Sim,",
    "paused",
    "paused, backend = Sim",
    "crate = renamed",
    "crate = ::a::b, mmu = r#fn, backend = Sim",
];

fn parsed(text: &str) -> TokenStream {
    text.parse().expect("these are tokens")
}

#[test]
fn every_argument_opens_one_section_in_every_real_function() {
    let mut sections = 0;
    for args in ARGUMENTS.map(parsed) {
        for function in real_functions() {
            assert_eq!(check(&args, &function), Outcome::Section, "{function}");
            sections += 1;
        }
    }
    assert!(sections >= 400, "{sections} expansions");
}

#[test]
fn the_expansion_is_what_the_documentation_shows() {
    let function = quote!(
        fn map(pages: &[Page]) -> Result<(), Error> {
            body
        }
    );
    let expansions = [
        (
            quote!(backend = Mmu),
            quote! {
                fn map(pages: &[Page]) -> Result<(), Error> {
                    let __section = ::lazy_mmu::__private::section::<Mmu>();
                    body
                }
            },
        ),
        (
            quote!(mmu),
            quote! {
                fn map(pages: &[Page]) -> Result<(), Error> {
                    let mut __section = ::lazy_mmu::__private::section::<::lazy_mmu::Global>();
                    let mut __view = ::lazy_mmu::__private::view(&mut __section);
                    let mmu = __view.section();
                    body
                }
            },
        ),
        (
            quote!(paused, crate = renamed),
            quote! {
                fn map(pages: &[Page]) -> Result<(), Error> {
                    let __pause = renamed::__private::pause::<renamed::Global>();
                    body
                }
            },
        ),
    ];
    for (args, expected) in expansions {
        let output = expand::expand(args, function.clone());
        assert_eq!(flat(&output), flat(&expected));
    }
}

#[test]
fn what_is_refused_has_as_many_errors_as_mistakes() {
    let cases = [
        ("", "const fn f() {}", 1),
        ("", "async fn f() {}", 1),
        ("", "gen fn f() {}", 1),
        ("", "const async unsafe extern \"C\" fn f();", 3),
        ("", "#[naked] extern \"C\" fn f() {}", 1),
        ("", "#[unsafe(naked)] extern \"C\" fn f() {}", 1),
        ("", "#[lazy_mmu] #[lazy_mmu::lazy_mmu(mmu)] fn f() {}", 2),
        ("", "struct S { f: u32 }", 1),
        ("", "struct S;", 1),
        ("", "impl S {}", 1),
        ("", "const S: u32 = { 1 };", 1),
        ("", "let s = 1;", 1),
        ("", "{ s }", 1),
        ("", "s", 1),
        ("mmu, mmu", "fn f() {}", 1),
        ("mmu, paused", "fn f() {}", 1),
        ("a, b = 1, c(2)", "fn f() {}", 3),
        ("a<b, c>, mmu", "fn f() {}", 1),
        ("backend = &A<fn() -> u8, X>, mmu", "fn f() {}", 1),
        ("paused(true)", "fn f() {}", 1),
        ("mmu: x", "fn f() {}", 1),
        ("backend", "async fn f();", 3),
        ("backend = 1, crate = 2, mmu = 3", "fn f() {}", 3),
    ];
    for (args, item, expected) in cases {
        let outcome = check(&parsed(args), &parsed(item));
        assert_eq!(outcome, Outcome::Refused(expected), "({args}) {item}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn arbitrary_tokens_hold(args in arbitrary_tokens(), item in arbitrary_tokens()) {
        check(&args, &item);
    }

    #[test]
    fn arbitrary_arguments_on_a_function_hold(args in arbitrary_tokens()) {
        check(&args, &quote!(fn f() {}));
    }

    #[test]
    fn mutations_of_real_functions_hold(
        args in prop::sample::select(ARGUMENTS.to_vec()),
        item in mutated(),
    ) {
        check(&parsed(args), &item);
    }
}
