//! The attributed item, parsed only as far as the attribute needs.
//!
//! The rest stays tokens. The attribute therefore cannot change it, and a body that is only half
//! typed gets the error of the compiler, at the place in the user's code.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Ident, Item, Meta, Token, Visibility};

use super::errors::Errors;

/// A function with a body.
pub(crate) struct Function {
    /// The tokens before the body.
    head: Vec<TokenTree>,
    /// The body with its braces. If a macro received the body as a fragment, invisible delimiters
    /// enclose it.
    body: Group,
}

impl Function {
    /// Splits `item`. The reasons why it cannot have a section go to `errors`.
    pub(crate) fn parse(item: &TokenStream, errors: &mut Errors) -> Option<Self> {
        let mut head: Vec<TokenTree> = item.clone().into_iter().collect();
        // The body is the last token tree. It may be long, so it is not parsed here.
        let last = head.pop()?;
        let end = last.span();
        let body = braces(last);
        let parser = |input: ParseStream<'_>| {
            if let Err(error) = check_head(input, body.is_some(), end, item, errors) {
                errors.push(error);
            }
            // The parser fails if it does not read all tokens.
            input.parse::<TokenStream>()
        };
        // The tokens before the function's name are enough for the check.
        let is_fn = |it: &TokenTree| matches!(it, TokenTree::Ident(word) if word == "fn");
        let end_of_prefix = head.iter().position(is_fn).map_or(head.len(), |at| at + 1);
        let prefix = head[..end_of_prefix].iter().cloned();
        let _: syn::Result<TokenStream> = parser.parse2(prefix.collect());
        Some(Self { head, body: body? })
    }

    /// Returns the function with `first` as the first statements of its body.
    ///
    /// They stand behind the inner attributes and the items with which the body begins. If `first`
    /// binds a name (`binds`), a macro that the body defines must be able to use it, and therefore
    /// stays behind `first`.
    pub(crate) fn with_first_statement(self, first: TokenStream, binds: bool) -> TokenStream {
        let mut statements: Vec<TokenTree> = self.body.stream().into_iter().collect();
        let attributes = inner_attributes(&statements);
        let items = leading_items(&statements[attributes..], binds);
        let rest = statements.split_off(attributes + items);
        let mut stream: TokenStream = statements.into_iter().collect();
        stream.extend(first);
        stream.extend(rest);
        // The span is that of the user's braces, because the edition of that span decides when the
        // temporaries of the body's last expression are dropped.
        let mut body = Group::new(Delimiter::Brace, stream);
        body.set_span(self.body.span());

        let mut tokens: TokenStream = self.head.into_iter().collect();
        body.to_tokens(&mut tokens);
        tokens
    }
}

/// Parses the head of a function up to its name. The reasons against a section go to `errors`.
///
/// Returns an error if the item is not a function. `end` is the last token of `item`: the body, or
/// the semicolon in its place.
fn check_head(
    input: ParseStream<'_>,
    has_body: bool,
    end: Span,
    item: &TokenStream,
    errors: &mut Errors,
) -> syn::Result<()> {
    for attribute in input.call(Attribute::parse_outer)? {
        if let Some((span, why)) = refused_attribute(&attribute) {
            errors.push(syn::Error::new(span, why));
        }
    }
    input.parse::<Visibility>()?;
    let first = if input.is_empty() { end } else { input.span() };
    let mut qualifiers = Vec::new();
    while let Some(qualifier) = qualifier(input) {
        qualifiers.push(qualifier);
    }
    if input.parse::<Option<Token![fn]>>()?.is_none() {
        return Err(not_a_function(first, item));
    }
    for qualifier in qualifiers {
        if let Some(why) = refused_qualifier(&qualifier) {
            errors.push(syn::Error::new(qualifier.span(), why));
        }
    }
    if !has_body {
        errors.push(syn::Error::new(
            end,
            "`#[lazy_mmu]` needs a function with a body: put it on the implementation, \
             or on the function that calls this one",
        ));
    }
    Ok(())
}

/// Returns the reason why a function with this attribute cannot have a section, and its place.
fn refused_attribute(attribute: &Attribute) -> Option<(Span, &'static str)> {
    let path = attribute.path();
    if path.segments.last()?.ident == "lazy_mmu" {
        return Some((
            path.segments.last()?.ident.span(),
            "this function has `#[lazy_mmu]` twice: remove one of them",
        ));
    }
    let naked = match &attribute.meta {
        Meta::Path(path) => path.get_ident().cloned(),
        Meta::List(list) if path.is_ident("unsafe") => list.parse_args::<Ident>().ok(),
        _ => None,
    };
    let naked = naked.filter(|it| it == "naked")?;
    Some((
        naked.span(),
        "a naked function cannot open a section: put `#[lazy_mmu]` on the function that its \
         assembly calls",
    ))
}

/// Parses a qualifier of a function, if one comes next.
fn qualifier(input: ParseStream<'_>) -> Option<Ident> {
    let ahead = input.fork();
    let word = ahead.call(Ident::parse_any).ok()?;
    match word.to_string().as_str() {
        // `default` belongs to specialization, and `safe` to functions in an `extern` block.
        "const" | "async" | "unsafe" | "extern" | "gen" | "default" | "safe" => {
            input.call(Ident::parse_any).ok()?;
        }
        _ => return None,
    }
    if word == "extern" {
        let _abi: Option<syn::LitStr> = input.parse().ok()?;
    }
    Some(word)
}

/// Returns the reason why a function with this qualifier cannot have a section.
fn refused_qualifier(qualifier: &Ident) -> Option<&'static str> {
    match qualifier.to_string().as_str() {
        "const" => Some(
            "a `const fn` cannot open a section, because there is no thread at compile time: \
             remove `const`",
        ),
        "async" => {
            Some("a section cannot be held across `.await`: use `lazy_mmu::with` in the body")
        }
        "gen" => Some("a section cannot be held across `yield`: use `lazy_mmu::with` in the body"),
        _ => None,
    }
}

/// Returns the error for an item that is not a function, with the alternative.
fn not_a_function(span: Span, item: &TokenStream) -> syn::Error {
    let instead = match syn::parse2(item.clone()) {
        Ok(Item::Impl(_) | Item::Trait(_) | Item::Mod(_) | Item::ForeignMod(_)) => {
            ": put it on each function in this block that changes mappings"
        }
        Ok(_) => "",
        Err(_) => ": use `lazy_mmu::with` for a part of a function",
    };
    syn::Error::new(
        span,
        format_args!("`#[lazy_mmu]` can only be applied to a function{instead}"),
    )
}

/// Returns the brace group `tree`. Invisible delimiters of a macro's fragment can enclose it.
fn braces(tree: TokenTree) -> Option<Group> {
    match tree {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group),
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            let mut inner = group.stream().into_iter();
            let only = inner.next()?;
            inner.next().is_none().then(|| braces(only))?
        }
        _ => None,
    }
}

/// Returns whether `tree` is this punctuation character.
fn is_punct(tree: Option<&TokenTree>, character: char) -> bool {
    matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == character)
}

/// Returns the number of token trees in the inner attributes (`#![..]`) at the start of a body.
fn inner_attributes(body: &[TokenTree]) -> usize {
    let is_attribute = |three: &&[TokenTree]| {
        is_punct(three.first(), '#')
            && is_punct(three.get(1), '!')
            && matches!(three.get(2), Some(TokenTree::Group(group))
                if group.delimiter() == Delimiter::Bracket)
    };
    3 * body.chunks(3).take_while(is_attribute).count()
}

/// Returns the number of token trees in the items at the start of a body.
///
/// The section is opened behind these items, because `clippy::items_after_statements` reports items
/// behind a statement. An attribute macro can turn an item into statements. The barriers of their
/// stores are not lost, because the section of the body is not open yet.
fn leading_items(body: &[TokenTree], before_macros: bool) -> usize {
    if !may_begin_an_item(body) {
        return 0;
    }
    let mut rest = body.len();
    let parser = |input: ParseStream<'_>| {
        skip_items(input, before_macros);
        rest = input.parse::<TokenStream>()?.into_iter().count();
        Ok(())
    };
    // An error of the parser does not matter, because the rest may not be valid Rust yet.
    let _: syn::Result<()> = parser.parse2(body.iter().cloned().collect());
    let items = body.len().saturating_sub(rest);

    // Invisible delimiters of a macro's fragment can enclose the end of an item and more. Such a
    // group cannot be split.
    let mut are_all = false;
    let parser = |input: ParseStream<'_>| {
        skip_items(input, before_macros);
        are_all = input.is_empty();
        input.parse::<TokenStream>()
    };
    let _: syn::Result<TokenStream> = parser.parse2(body[..items].iter().cloned().collect());
    if are_all { items } else { 0 }
}

/// Parses the items that come next, and the semicolons around them.
///
/// If `before_macros` is set, it stops at the first `macro_rules!`.
fn skip_items(input: ParseStream<'_>, before_macros: bool) {
    let semicolons = || while let Ok(Some(_)) = input.parse::<Option<Token![;]>>() {};
    semicolons();
    while starts_with_item(input, before_macros) {
        // `starts_with_item` has parsed the same tokens.
        let _: Option<Item> = input.parse().ok();
        semicolons();
    }
}

/// Returns whether an item comes next. A macro call does not count, because it can expand to
/// statements.
fn starts_with_item(input: ParseStream<'_>, before_macros: bool) -> bool {
    match input.fork().parse() {
        Ok(Item::Macro(item)) => !before_macros && item.mac.path.is_ident("macro_rules"),
        Ok(_) => true,
        Err(_) => false,
    }
}

/// Returns whether a body can begin with an item, by its first tokens. Most bodies cannot, and then
/// need no parser.
fn may_begin_an_item(body: &[TokenTree]) -> bool {
    match body {
        [TokenTree::Ident(word), next, ..] => match word.to_string().as_str() {
            // `unsafe { .. }` and similar blocks are expressions.
            "async" | "const" | "unsafe" => !matches!(next, TokenTree::Group(_)),
            "auto" | "enum" | "extern" | "fn" | "gen" | "impl" | "macro" | "macro_rules"
            | "mod" | "pub" | "safe" | "static" | "struct" | "trait" | "type" | "union" | "use" => {
                true
            }
            _ => false,
        },
        [TokenTree::Punct(punct), ..] => matches!(punct.as_char(), '#' | ';'),
        [TokenTree::Group(group), ..] => group.delimiter() == Delimiter::None,
        _ => false,
    }
}
