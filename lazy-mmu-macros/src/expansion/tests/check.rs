//! What holds of every expansion, whatever the tokens. Shared by the property tests and the fuzz
//! target.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::parse::Parser;

use crate::expansion::expand;

/// Words that mean something to the expansion, and some that do not.
pub(crate) const WORDS: &str = "fn const async unsafe extern gen default safe pub crate in self \
    struct impl trait mod use static let where for macro_rules union enum type lazy_mmu naked \
    backend mmu paused f x T u32 __section return match if else loop while mut ref dyn as move \
    yield Sim";

/// The characters of punctuation.
pub(crate) const PUNCTUATION: &str = "#!;,:=<>-&*+.?|/^%@~";

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It has a section.
    Section,
    /// It was refused, with so many errors.
    Refused(usize),
    /// There was nothing.
    Nothing,
}

/// Expands, and checks everything that holds of every expansion.
///
/// # Panics
///
/// If something does not hold.
pub(crate) fn check(args: &TokenStream, item: &TokenStream) -> Outcome {
    let output = expand(args.clone(), item.clone());
    let again = expand(args.clone(), item.clone());
    assert_eq!(flat(&output), flat(&again), "the same twice");
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

/// The tokens, without the invisible delimiters: they group, and a text has none.
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

/// The number of `compile_error!`s at the start, and what stands behind them.
fn errors(output: &TokenStream) -> (usize, TokenStream) {
    const HEAD: [&str; 8] = [":", ":", "core", ":", ":", "compile_error", "!", "{"];
    let mut trees: Vec<TokenTree> = output.clone().into_iter().collect();
    if let [TokenTree::Group(group)] = &trees[..] {
        // For an expression they stand in a block with it.
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
        // The last of them is the group with the message.
        trees.drain(..HEAD.len());
        count += 1;
    }
    (count, trees.into_iter().collect())
}

/// The function is what it was, but for the section's statements behind its inner attributes and
/// first items.
fn check_section(args: &TokenStream, item: &TokenStream, output: &TokenStream) {
    let (head, body) = split(item);
    let (head_after, body_after) = split(output);
    assert_eq!(texts(&head), texts(&head_after), "the head");

    // What the section's statements are is seen on an empty function.
    let empty = "fn f() {}".parse().expect("a function");
    let (_, statements) = split(&expand(args.clone(), empty));
    // A section that has a name stands before the macros that may use it.
    let lets = statements.iter().filter(|it| it.to_string() == "let");
    let before_macros = lets.count() > 1;
    let after = texts(&body_after);
    let attributes = inner_attributes(&body);
    // Invisible delimiters may hold an item and more. The section is opened before them.
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
        "behind the first {items} trees, and nothing else has changed: {item} => {output}"
    );
}

/// How many trees the `#![..]` at the start take.
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

/// How many trees the items at the start take: the longest prefix that the parser takes for items
/// and semicolons.
fn leading_items(body: &[TokenTree], before_macros: bool) -> usize {
    (0..=body.len())
        .rev()
        .find(|&end| are_items(&body[..end], true, before_macros))
        .unwrap_or(0)
}

/// Whether the parser takes `trees` for items and semicolons; strictly, if it must like everything
/// inside them too.
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

/// The trees before the body, and those in its braces.
fn split(function: &TokenStream) -> (Vec<TokenTree>, Vec<TokenTree>) {
    let mut head: Vec<TokenTree> = function.clone().into_iter().collect();
    let Some(TokenTree::Group(mut body)) = head.pop() else {
        panic!("a function ends with its body: {function}");
    };
    while body.delimiter() == Delimiter::None {
        let Some(TokenTree::Group(inner)) = body.stream().into_iter().next() else {
            panic!("a body is a group: {function}");
        };
        body = inner;
    }
    (head, body.stream().into_iter().collect())
}

fn texts(trees: &[TokenTree]) -> Vec<String> {
    flat(&trees.iter().cloned().collect())
}

/// The item is there as it came, and gives the same errors again.
fn check_refusal(args: &TokenStream, item: &TokenStream, count: usize, rest: &TokenStream) {
    assert_eq!(flat(item), flat(rest), "the item is emitted as it came");
    let again = expand(args.clone(), rest.clone());
    assert_eq!(errors(&again).0, count, "as many errors as before");
}

/// What could be parsed can be parsed still, in the same place.
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
        // The parser knows them where a macro puts them, before a function or in its signature, and
        // nowhere else.
        return;
    }
    if parses::<syn::Item>(item) {
        assert!(all::<syn::Item>(output), "items: {output}");
    }
    if parses::<syn::ImplItem>(item) {
        assert!(all::<syn::ImplItem>(output), "items of an impl: {output}");
    }
    if parses::<syn::TraitItem>(item) {
        assert!(all::<syn::TraitItem>(output), "items of a trait: {output}");
    }
    if parses::<syn::ForeignItem>(item) {
        assert!(
            all::<syn::ForeignItem>(output),
            "items of an extern block: {output}"
        );
    }
    if parses::<syn::Expr>(item) && !parses::<syn::Item>(item) {
        assert!(parses::<syn::Expr>(output), "an expression: {output}");
    }
    let is_text = |tokens: &TokenStream| tokens.to_string().parse::<TokenStream>().is_ok();
    if is_text(item) {
        assert!(is_text(output), "tokens at least: {output}");
    }
}

/// Whether there are invisible delimiters around nothing.
fn has_empty_fragment(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|tree| match tree {
        TokenTree::Group(group) => {
            (group.delimiter() == Delimiter::None && group.stream().is_empty())
                || has_empty_fragment(&group.stream())
        }
        _ => false,
    })
}
