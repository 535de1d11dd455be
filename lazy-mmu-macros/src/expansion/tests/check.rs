//! Checks that hold for every expansion, whatever the tokens are. The property tests and the fuzz
//! target use them.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::parse::Parser;

use crate::expansion::expand;

/// Words with a meaning for the expansion, and some without.
pub(crate) const WORDS: &str = "fn const async unsafe extern gen default safe pub crate in self \
    struct impl trait mod use static let where for macro_rules union enum type lazy_mmu naked \
    backend mmu paused f x T u32 __section return match if else loop while mut ref dyn as move \
    yield Sim";

/// The characters of punctuation.
pub(crate) const PUNCTUATION: &str = "#!;,:=<>-&*+.?|/^%@~";

/// The result of the expansion of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The item has a section.
    Section,
    /// The item was refused, with this number of errors.
    Refused(usize),
    /// The item was empty.
    Nothing,
}

/// Expands the item, and checks everything that holds for every expansion.
///
/// # Panics
///
/// If a check fails.
pub(crate) fn check(args: &TokenStream, item: &TokenStream) -> Outcome {
    let output = expand(args.clone(), item.clone());
    let again = expand(args.clone(), item.clone());
    assert_eq!(flat(&output), flat(&again), "two expansions differ");
    if item.is_empty() {
        assert!(output.is_empty() || errors(&output).0 > 0);
        return Outcome::Nothing;
    }
    let outcome = match errors(&output) {
        (0, _) => {
            check_section(args, item, &output);
            Outcome::Section
        }
        (count, rest) => {
            check_refusal(args, item, count, &rest);
            Outcome::Refused(count)
        }
    };
    check_parses(item, &output);
    outcome
}

/// Returns the tokens without the invisible delimiters, which only group, and do not have a text.
pub(crate) fn flat(tokens: &TokenStream) -> Vec<String> {
    let mut flat = Vec::new();
    for tree in tokens.clone() {
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                flat.push(open.to_owned());
                flat.extend(self::flat(&group.stream()));
                flat.push(close.to_owned());
            }
            other => flat.push(other.to_string()),
        }
    }
    flat.retain(|it| !it.is_empty());
    flat
}

/// Returns the number of `compile_error!`s at the start, and the tokens after them.
fn errors(output: &TokenStream) -> (usize, TokenStream) {
    const HEAD: [&str; 8] = [":", ":", "core", ":", ":", "compile_error", "!", "{"];
    let mut trees: Vec<TokenTree> = output.clone().into_iter().collect();
    if let [TokenTree::Group(group)] = &trees[..] {
        // With an expression, the errors are in a block together with the expression.
        if group.delimiter() == Delimiter::Brace {
            let (count, rest) = errors(&group.stream());
            if let (1.., Some(TokenTree::Group(item))) = (count, rest.into_iter().next()) {
                return (count, item.stream());
            }
        }
    }
    let mut count = 0;
    while trees.len() >= HEAD.len()
        && flat(&trees[..HEAD.len()].iter().cloned().collect()).starts_with(&HEAD.map(String::from))
    {
        // The last tree of an error is the group with the message.
        trees.drain(..HEAD.len());
        count += 1;
    }
    (count, trees.into_iter().collect())
}

/// Checks that the function only gains the statements of the section. They are after its inner
/// attributes and first items.
fn check_section(args: &TokenStream, item: &TokenStream, output: &TokenStream) {
    let (head, body) = split(item);
    let (head_after, body_after) = split(output);
    assert_eq!(texts(&head), texts(&head_after), "the head differs");

    // An empty function shows the statements of the section.
    let empty = "fn f() {}".parse().expect("a function");
    let (_, statements) = split(&expand(args.clone(), empty));
    // A section with a name is opened before the macros that may use the name.
    let lets = statements.iter().filter(|it| it.to_string() == "let");
    let before_macros = lets.count() > 1;
    let after = texts(&body_after);
    let attributes = inner_attributes(&body);
    // Invisible delimiters may contain more than an item. The section is opened before them.
    let unclear = |it: &TokenTree| match it {
        TokenTree::Group(group) => group.delimiter() == Delimiter::None,
        _ => false,
    };
    let items = if body[attributes..].iter().any(unclear) {
        0
    } else {
        leading_items(&body[attributes..], before_macros)
    };
    let found = (attributes + items..=body.len()).any(|place| {
        let expected = [&body[..place], &statements[..], &body[place..]].concat();
        texts(&expected) == after && are_items(&body[attributes..place], false, before_macros)
    });
    assert!(
        found,
        "the statements are not after the first {items} trees, or more has changed: \
         {item} => {output}"
    );
}

/// Returns the number of trees in the `#![..]` at the start.
fn inner_attributes(body: &[TokenTree]) -> usize {
    let mut end = 0;
    while let [
        TokenTree::Punct(pound),
        TokenTree::Punct(bang),
        TokenTree::Group(group),
        ..,
    ] = &body[end..]
    {
        if (pound.as_char(), bang.as_char(), group.delimiter()) != ('#', '!', Delimiter::Bracket) {
            break;
        }
        end += 3;
    }
    end
}

/// Returns the number of trees in the items at the start. They are the longest prefix that the
/// parser accepts as items and semicolons.
fn leading_items(body: &[TokenTree], before_macros: bool) -> usize {
    (0..=body.len())
        .rev()
        .find(|&end| are_items(&body[..end], true, before_macros))
        .unwrap_or(0)
}

/// Returns whether the parser accepts `trees` as items and semicolons. With `strictly`, it must
/// also accept everything inside them.
fn are_items(trees: &[TokenTree], strictly: bool, before_macros: bool) -> bool {
    let mut all = false;
    let parser = |input: syn::parse::ParseStream<'_>| {
        while input.parse::<Option<syn::Token![;]>>()?.is_some() {}
        while !input.is_empty() {
            match input.parse()? {
                syn::Item::Macro(call)
                    if before_macros || !call.mac.path.is_ident("macro_rules") =>
                {
                    return Err(input.error("a macro"));
                }
                _ => while input.parse::<Option<syn::Token![;]>>()?.is_some() {},
            }
        }
        all = true;
        Ok(())
    };
    let result = parser.parse2(trees.iter().cloned().collect());
    if strictly { result.is_ok() } else { all }
}

/// Returns the trees before the body, and those inside its braces.
fn split(function: &TokenStream) -> (Vec<TokenTree>, Vec<TokenTree>) {
    let mut head: Vec<TokenTree> = function.clone().into_iter().collect();
    let Some(TokenTree::Group(mut body)) = head.pop() else {
        panic!("a function must end with its body: {function}");
    };
    while body.delimiter() == Delimiter::None {
        let Some(TokenTree::Group(inner)) = body.stream().into_iter().next() else {
            panic!("a body must be a group: {function}");
        };
        body = inner;
    }
    (head, body.stream().into_iter().collect())
}

fn texts(trees: &[TokenTree]) -> Vec<String> {
    flat(&trees.iter().cloned().collect())
}

/// Checks that a refused item is emitted unchanged, and gives the same number of errors again.
fn check_refusal(args: &TokenStream, item: &TokenStream, count: usize, rest: &TokenStream) {
    assert_eq!(flat(item), flat(rest), "the item has changed");
    let again = expand(args.clone(), rest.clone());
    assert_eq!(errors(&again).0, count, "the number of errors has changed");
}

/// Checks that the output can be parsed in each place where the item can be parsed.
fn check_parses(item: &TokenStream, output: &TokenStream) {
    fn parses<T: syn::parse::Parse>(tokens: &TokenStream) -> bool {
        syn::parse2::<T>(tokens.clone()).is_ok()
    }
    fn all<T: syn::parse::Parse>(tokens: &TokenStream) -> bool {
        let parser = |input: syn::parse::ParseStream<'_>| {
            while !input.is_empty() {
                input.parse::<T>()?;
            }
            Ok(())
        };
        parser.parse2(tokens.clone()).is_ok()
    }
    if has_empty_fragment(item) {
        // The parser accepts an empty fragment only where a macro puts it: before a function, or in
        // its signature.
        return;
    }
    if parses::<syn::Item>(item) {
        assert!(all::<syn::Item>(output), "not items: {output}");
    }
    if parses::<syn::ImplItem>(item) {
        assert!(all::<syn::ImplItem>(output), "not for an impl: {output}");
    }
    if parses::<syn::TraitItem>(item) {
        assert!(all::<syn::TraitItem>(output), "not for a trait: {output}");
    }
    if parses::<syn::ForeignItem>(item) {
        assert!(
            all::<syn::ForeignItem>(output),
            "not for an extern block: {output}"
        );
    }
    if parses::<syn::Expr>(item) && !parses::<syn::Item>(item) {
        assert!(parses::<syn::Expr>(output), "not an expression: {output}");
    }
    let is_text = |tokens: &TokenStream| tokens.to_string().parse::<TokenStream>().is_ok();
    if is_text(item) {
        assert!(is_text(output), "not tokens: {output}");
    }
}

/// Returns whether there are invisible delimiters without content.
fn has_empty_fragment(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|tree| match tree {
        TokenTree::Group(group) => {
            (group.delimiter() == Delimiter::None && group.stream().is_empty())
                || has_empty_fragment(&group.stream())
        }
        _ => false,
    })
}
