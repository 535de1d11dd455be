//! Tests the expansion as a function of token streams: arbitrary ones, and mutations of real
//! functions.

mod check;
mod tokens;

use super::expand;
use check::{Outcome, check, flat};
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use proptest::prelude::*;
use quote::quote;

use tokens::{arbitrary_tokens, mutated, real_functions};

/// Lists of arguments, which are all correct.
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
    text.parse().expect("the text must be tokens")
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
    let function = |statements| {
        parsed(&format!(
            "fn map(pages: &[Page]) -> Result<(), Error> {{ {statements} body }}"
        ))
    };
    for (args, statements) in [
        (
            "backend = Mmu",
            "let __section = ::lazy_mmu::__private::section::<Mmu>();",
        ),
        (
            "mmu",
            "let mut __section = ::lazy_mmu::__private::section::<::lazy_mmu::Global>();
            let mut __view = ::lazy_mmu::__private::view(&mut __section);
            let mmu = __view.section();",
        ),
        (
            "paused, crate = renamed",
            "let __pause = renamed::__private::pause::<renamed::Global>();",
        ),
    ] {
        let output = expand(parsed(args), function(""));
        assert_eq!(flat(&output), flat(&function(statements)));
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
        ("a<b>, c", "fn f() {}", 2),
        ("a<b + c, d>, mmu", "fn f() {}", 1),
        ("", "fn f({})", 1),
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

/// Returns the texts of the errors.
fn messages(args: &str, item: &str) -> Vec<String> {
    fn literals(tokens: TokenStream, found: &mut Vec<String>) {
        for tree in tokens {
            match tree {
                TokenTree::Group(group) => literals(group.stream(), found),
                TokenTree::Literal(literal) => found.push(literal.to_string()),
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    literals(expand(parsed(args), parsed(item)), &mut found);
    found
}

#[test]
fn a_wrong_argument_is_told_what_is_wrong_with_it() {
    let cases = [
        ("paused(true)", "`paused` does not take a value"),
        ("paused = true", "`paused` does not take a value"),
        ("paused x", "expected `,` after this argument"),
        ("join = A", "`join` does not take a value"),
        ("join(A)", "`join` does not take a value"),
        ("backend = A = B", "expected the path of the backend"),
        (
            "backend = \"Sim\"",
            "expected the path of the backend, not a string: remove the quotes",
        ),
        ("mmu = x = y", "expected a name for the section"),
        ("mmu = x y", "expected `,` after this argument"),
        ("mmu = x.y", "expected a name for the section"),
        ("mmu: x", "expected `mmu = ..`"),
        ("backend = A + B", "expected the path of the backend"),
        ("backend = A B", "expected `,` after this argument"),
        ("crate = 1", "expected the path of the crate `lazy_mmu`"),
    ];
    for (args, expected) in cases {
        assert_eq!(
            messages(args, "fn f() {}"),
            [format!("{expected:?}")],
            "{args}"
        );
    }
}

#[test]
fn an_error_stands_in_a_block_with_an_expression_only() {
    for (item, is_expression) in [
        ("1 + 2", true),
        ("{ s }", true),
        ("let s = 1;", false),
        ("struct S;", false),
        ("1 +", false),
    ] {
        let output = flat(&expand(TokenStream::new(), parsed(item)));
        assert_eq!(output[0] == "{", is_expression, "{item}: {output:?}");
    }
}

#[test]
fn attributes_of_others_that_say_naked_do_not_refuse() {
    for attribute in ["#[allow(naked)]", "#[doc(naked)]", "#[a::naked]"] {
        let item = parsed(&format!("{attribute} fn f() {{}}"));
        assert_eq!(check(&TokenStream::new(), &item), Outcome::Section);
    }
}

/// Returns whether the section is opened after the `item` at the start of the body.
fn item_stands_first(args: &str, body: &str) -> bool {
    let output = expand(parsed(args), parsed(&format!("fn f() {{ {body} rest }}")));
    let tokens = flat(&output);
    let place = |word| tokens.iter().position(|it| it == word);
    place("item").expect("the item is missing") < place("__section").expect("a missing section")
}

#[test]
fn an_item_stands_before_the_section_whatever_its_attributes() {
    for attributes in [
        "",
        "#[inline(always)]",
        "#[doc = \"text\"]",
        "#[rustfmt::skip]",
        "#[lazy_mmu::lazy_mmu(mmu)]",
        "#[cfg_attr(test, other)]",
        "#[other(inline)]",
        "#[other::inline] #[cold]",
    ] {
        let body = format!("{attributes} fn item() {{}}");
        assert!(item_stands_first("", &body), "{attributes}");
        assert!(item_stands_first("mmu", &body), "{attributes}, and a name");
    }
}

#[test]
fn what_may_be_no_item_stands_behind_the_section() {
    for (body, args, first) in [
        ("macro_rules! item { () => {} }", "", true),
        ("macro_rules! item { () => {} }", "mmu", false),
        ("item! {}", "", false),
        ("#[other] item! {}", "", false),
        ("#[other] let item = 1;", "", false),
        ("unsafe { item }", "", false),
        ("unsafe fn item() {}", "", true),
        ("const { item }", "", false),
        ("const item: u8 = 0;", "", true),
        ("async { item }", "", false),
        ("async fn item() {}", "", true),
        ("async move { item }", "", false),
        ("; ; use item;", "", true),
        ("use a; use item;", "", true),
        ("use a; ; use item;", "", true),
        ("let item = 1;", "", false),
        ("item;", "", false),
        ("(item)", "", false),
    ] {
        assert_eq!(item_stands_first(args, body), first, "{body}");
    }
}

/// A macro that received an item as a fragment puts it in invisible delimiters.
#[test]
fn an_item_in_invisible_delimiters_stands_before_the_section() {
    let item = |tokens| TokenTree::from(Group::new(Delimiter::None, tokens));
    let section = |body: TokenStream| {
        let output = expand(TokenStream::new(), quote!(fn f() { #body }));
        flat(&output).iter().position(|it| it == "__section")
    };
    let fragment = item(parsed("fn item() {}"));
    let plain = section(quote!(fn item() {}, rest));
    assert_eq!(section(quote!(#fragment rest)), plain);
    // Delimiters with more than an item stay whole, after the section.
    let more = item(quote!(fn item() {}, more));
    assert_eq!(section(quote!(#more rest)), section(quote!(rest)));
}

/// A macro that received the body as a fragment puts it in invisible delimiters.
#[test]
fn a_body_in_invisible_delimiters_is_a_body() {
    let invisible = |tokens| TokenTree::from(Group::new(Delimiter::None, tokens));
    let body = invisible(quote!({ body }));
    let twice = invisible(body.clone().into());
    for body in [body, twice] {
        let item = quote!(fn f() #body);
        assert_eq!(check(&TokenStream::new(), &item), Outcome::Section);
    }
    let two = invisible(quote!({ one } { two }));
    let item = quote!(fn f() #two);
    assert_eq!(check(&TokenStream::new(), &item), Outcome::Refused(1));
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
