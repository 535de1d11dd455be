//! The annotated item, taken apart only as far as the attribute must know it.
//!
//! Everything stays tokens: what the attribute need not understand it cannot change, and a
//! half-typed body gives the compiler's own error at the user's place.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Ident, Item, Meta, Token, Visibility};

use super::errors::Errors;

/// A function with a body.
pub(crate) struct Function {
    /// Everything before the body.
    head: Vec<TokenTree>,
    /// The braces around the body. A macro that was given the body as a fragment puts it into
    /// invisible delimiters.
    body: Group,
}

impl Function {
    /// Takes `item` apart. Why it cannot have a section goes to `errors`.
    pub(crate) fn parse(item: &TokenStream, errors: &mut Errors) -> Option<Self> {
        let mut head: Vec<TokenTree> = item.clone().into_iter().collect();
        // The body is the last token tree, and is not looked into here: it may be long.
        let last = head.pop()?;
        let end = last.span();
        let body = braces(last);
        let parser = |input: ParseStream<'_>| {
            if let Err(error) = check_head(input, body.is_some(), end, item, errors) {
                errors.push(error);
            }
            // The parser wants everything to be read.
            input.parse::<TokenStream>()
        };
        // What tells is all before the function's name.
        let is_fn = |it: &TokenTree| matches!(it, TokenTree::Ident(word) if word == "fn");
        let end_of_prefix = head.iter().position(is_fn).map_or(head.len(), |at| at + 1);
        let prefix = head[..end_of_prefix].iter().cloned();
        let _: syn::Result<TokenStream> = parser.parse2(prefix.collect());
        Some(Self { head, body: body? })
    }

    /// The function with `first` as the first statement inside its own braces: behind inner
    /// attributes, and behind the items with which the body begins. If `first` binds a name, macros
    /// that are defined there must know it, and stay behind it.
    pub(crate) fn with_first_statement(self, first: TokenStream, binds: bool) -> TokenStream {
        let mut statements: Vec<TokenTree> = self.body.stream().into_iter().collect();
        let attributes = inner_attributes(&statements);
        let items = leading_items(&statements[attributes..], binds);
        let rest = statements.split_off(attributes + items);
        let mut stream: TokenStream = statements.into_iter().collect();
        stream.extend(first);
        stream.extend(rest);
        // The user's own braces: whether temporaries of the tail expression live to the end of the
        // statement or of the body is decided by the edition of the brace's span.
        let mut body = Group::new(Delimiter::Brace, stream);
        body.set_span(self.body.span());

        let mut tokens: TokenStream = self.head.into_iter().collect();
        body.to_tokens(&mut tokens);
        tokens
    }
}

/// Reads the head of a function up to its name, and notes what forbids a section. An error if it is
/// no function.
///
/// `end` is the last token of `item`, which stands behind the head: the body, or a semicolon in its
/// place.
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
            "`#[lazy_mmu]` needs a function with a body: put it on the implementation, or on the function that calls \
             this one",
        ));
    }
    Ok(())
}

/// Why a function with this attribute cannot have a section, and where that is written.
fn refused_attribute(attribute: &Attribute) -> Option<(Span, &'static str)> {
    let path = attribute.path();
    if path.segments.last()?.ident == "lazy_mmu" {
        return Some((
            path.segments.last()?.ident.span(),
            "a second `#[lazy_mmu]` on this function: one section is enough, remove one of them",
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
        "a naked function is its assembly and nothing else: put `#[lazy_mmu]` on the function that the assembly calls",
    ))
}

/// Reads a qualifier of a function, if one comes next.
fn qualifier(input: ParseStream<'_>) -> Option<Ident> {
    let ahead = input.fork();
    let word = ahead.call(Ident::parse_any).ok()?;
    match word.to_string().as_str() {
        // The last two: specialization, and functions in an `extern` block.
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

/// Why a function with this qualifier cannot have a section.
fn refused_qualifier(qualifier: &Ident) -> Option<&'static str> {
    match qualifier.to_string().as_str() {
        "const" => Some(
            "a `const fn` cannot open a section: at compile time there is no thread; remove `const`",
        ),
        "async" => {
            Some("a section cannot be held across `.await`: open it inside, with `lazy_mmu::with`")
        }
        "gen" => {
            Some("a section cannot be held across `yield`: open it inside, with `lazy_mmu::with`")
        }
        _ => None,
    }
}

/// The error for what is no function, with what to do instead.
fn not_a_function(span: Span, item: &TokenStream) -> syn::Error {
    let instead = match syn::parse2(item.clone()) {
        Ok(Item::Impl(_) | Item::Trait(_) | Item::Mod(_) | Item::ForeignMod(_)) => {
            "; put it on each function in here that changes mappings"
        }
        Ok(_) => "",
        Err(_) => "; for a part of a function there is `lazy_mmu::with`",
    };
    syn::Error::new(
        span,
        format_args!("`#[lazy_mmu]` goes on a function: its body becomes the section{instead}"),
    )
}

/// The brace group that `tree` is, perhaps inside the invisible delimiters of a macro's fragment.
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

/// Whether `tree` is this punctuation character.
fn is_punct(tree: Option<&TokenTree>, character: char) -> bool {
    matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == character)
}

/// How many token trees the `#![..]` take that a body begins with.
fn inner_attributes(body: &[TokenTree]) -> usize {
    let is_attribute = |three: &&[TokenTree]| {
        is_punct(three.first(), '#')
            && is_punct(three.get(1), '!')
            && matches!(three.get(2), Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket)
    };
    3 * body.chunks(3).take_while(is_attribute).count()
}

/// How many token trees the items take that a body begins with.
///
/// They stand before the section is opened, because `clippy::items_after_statements` reports items
/// behind a statement. An attribute macro may make statements of an item. Their stores are not
/// lost, because the body's section is not open yet.
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
    // What the parser says of the rest is no matter: it may not be Rust yet.
    let _: syn::Result<()> = parser.parse2(body.iter().cloned().collect());
    let items = body.len().saturating_sub(rest);

    // A macro's fragment in invisible delimiters may hold the end of an item and more: that cannot
    // be split.
    let mut are_all = false;
    let parser = |input: ParseStream<'_>| {
        skip_items(input, before_macros);
        are_all = input.is_empty();
        input.parse::<TokenStream>()
    };
    let _: syn::Result<TokenStream> = parser.parse2(body[..items].iter().cloned().collect());
    if are_all { items } else { 0 }
}

/// Reads the items that come next, and the semicolons around them.
///
/// If `before_macros` is set, it stops at the first `macro_rules!`.
fn skip_items(input: ParseStream<'_>, before_macros: bool) {
    let semicolons = || while let Ok(Some(_)) = input.parse::<Option<Token![;]>>() {};
    semicolons();
    while starts_with_item(input, before_macros) {
        // It parsed when it was looked at.
        let _: Option<Item> = input.parse().ok();
        semicolons();
    }
}

/// Whether an item comes next. A macro call is not taken for one, because it may make statements.
fn starts_with_item(input: ParseStream<'_>, before_macros: bool) -> bool {
    match input.fork().parse() {
        Ok(Item::Macro(item)) => !before_macros && item.mac.path.is_ident("macro_rules"),
        Ok(_) => true,
        Err(_) => false,
    }
}

/// Whether a body can begin with an item, told by its first words: most do not, and need no parser.
fn may_begin_an_item(body: &[TokenTree]) -> bool {
    match body {
        [TokenTree::Ident(word), next, ..] => match word.to_string().as_str() {
            // Not `unsafe { .. }` and its like, which are expressions.
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
