//! Token streams to expand: arbitrary ones, and mutations of the functions of this project.

use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};
use proptest::prelude::*;
use quote::ToTokens;
use syn::visit_mut::VisitMut;

use super::check::{PUNCTUATION, WORDS};

fn leaf() -> impl Strategy<Value = TokenTree> {
    let words: Vec<_> = WORDS.split_whitespace().collect();
    let punctuation: Vec<_> = PUNCTUATION.chars().collect();
    prop_oneof![
        6 => prop::sample::select(words)
            .prop_map(|word| TokenTree::from(Ident::new(word, Span::call_site()))),
        1 => prop::sample::select(vec!["r#fn", "r#type"]).prop_map(|word| {
            TokenTree::from(Ident::new_raw(&word[2..], Span::call_site()))
        }),
        6 => (prop::sample::select(punctuation), any::<bool>()).prop_map(|(punct, joint)| {
            let spacing = if joint { Spacing::Joint } else { Spacing::Alone };
            TokenTree::from(Punct::new(punct, spacing))
        }),
        1 => any::<u32>().prop_map(|number| TokenTree::from(Literal::u32_unsuffixed(number))),
        1 => ".{0,4}".prop_map(|text| TokenTree::from(Literal::string(&text))),
    ]
}

fn delimiter() -> impl Strategy<Value = Delimiter> {
    prop::sample::select(vec![
        Delimiter::Brace,
        Delimiter::Bracket,
        Delimiter::None,
        Delimiter::Parenthesis,
    ])
}

fn tree() -> impl Strategy<Value = TokenTree> {
    leaf().prop_recursive(4, 40, 8, |inner| {
        (delimiter(), prop::collection::vec(inner, 0..8)).prop_map(|(delimiter, trees)| {
            TokenTree::from(Group::new(delimiter, trees.into_iter().collect()))
        })
    })
}

/// Any token stream.
pub(crate) fn arbitrary_tokens() -> impl Strategy<Value = TokenStream> {
    prop::collection::vec(tree(), 0..16).prop_map(|trees| trees.into_iter().collect())
}

/// The functions of this workspace's examples and tests that can have a section.
pub(crate) fn real_functions() -> Vec<TokenStream> {
    #[derive(Default)]
    struct Functions(Vec<TokenStream>);

    impl Functions {
        /// Takes `function`, if it can have a section.
        fn take(&mut self, function: &impl ToTokens, signature: &syn::Signature, naked: bool) {
            if signature.constness.is_none() && signature.asyncness.is_none() && !naked {
                self.0.push(function.to_token_stream());
            }
        }
    }

    /// Whether the function is naked. One that is annotated already is taken without that.
    fn plain(attributes: &mut Vec<syn::Attribute>) -> bool {
        let says = |it: &syn::Attribute, word| it.to_token_stream().to_string().contains(word);
        attributes.retain(|it| !says(it, "lazy_mmu"));
        attributes.iter().any(|it| says(it, "naked"))
    }

    impl VisitMut for Functions {
        fn visit_item_fn_mut(&mut self, function: &mut syn::ItemFn) {
            let naked = plain(&mut function.attrs);
            self.take(function, &function.sig, naked);
        }
        fn visit_impl_item_fn_mut(&mut self, function: &mut syn::ImplItemFn) {
            let naked = plain(&mut function.attrs);
            self.take(function, &function.sig, naked);
        }
    }

    let mut functions = Functions::default();
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for folder in [
        "examples/src",
        "lazy-mmu/src",
        "lazy-mmu/tests/rows",
        "xtask/src",
        "ui-tests/tests/forms",
    ] {
        for file in fs::read_dir(workspace.join(folder)).expect("the folder is there") {
            let path = file.expect("it can be listed").path();
            if path.extension().is_some_and(|it| it == "rs") {
                let text = fs::read_to_string(&path).expect("it can be read");
                functions.visit_file_mut(&mut syn::parse_file(&text).expect("it can be parsed"));
            }
        }
    }
    functions.0
}

/// A change of one place in a stream.
#[derive(Clone, Debug)]
enum Mutation {
    Remove,
    Duplicate,
    Swap,
    Insert(TokenTree),
    Ungroup,
    Regroup(Delimiter),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        Just(Mutation::Remove),
        Just(Mutation::Duplicate),
        Just(Mutation::Swap),
        tree().prop_map(Mutation::Insert),
        Just(Mutation::Ungroup),
        delimiter().prop_map(Mutation::Regroup),
    ]
}

/// Real functions with a few changes, anywhere.
pub(crate) fn mutated() -> impl Strategy<Value = TokenStream> {
    let places = prop::collection::vec((any::<prop::sample::Index>(), mutation()), 0..4);
    (prop::sample::select(real_functions()), places).prop_map(|(function, places)| {
        places
            .into_iter()
            .fold(function, |tokens, (place, mutation)| {
                let at = place.index(count(&tokens).max(1));
                mutate(tokens, &mut { at }, &mutation)
            })
    })
}

/// The trees at every depth.
fn count(tokens: &TokenStream) -> usize {
    tokens
        .clone()
        .into_iter()
        .map(|tree| match tree {
            TokenTree::Group(group) => 1 + count(&group.stream()),
            _ => 1,
        })
        .sum()
}

/// Changes the tree number `at`, counted at every depth.
fn mutate(tokens: TokenStream, at: &mut usize, mutation: &Mutation) -> TokenStream {
    let mut trees: Vec<TokenTree> = Vec::new();
    let mut swap = false;
    for tree in tokens {
        let here = *at == 0;
        *at = at.wrapping_sub(1);
        let tree = match tree {
            TokenTree::Group(group) if !here => {
                let inner = mutate(group.stream(), at, mutation);
                TokenTree::from(Group::new(group.delimiter(), inner))
            }
            other => other,
        };
        if swap {
            let last = trees.len() - 1;
            trees.insert(last, tree);
            swap = false;
            continue;
        }
        match (here, mutation, tree) {
            (true, Mutation::Remove, _) => {}
            (true, Mutation::Duplicate, tree) => trees.extend([tree.clone(), tree]),
            (true, Mutation::Swap, tree) => {
                trees.push(tree);
                swap = true;
            }
            (true, Mutation::Insert(more), tree) => trees.extend([more.clone(), tree]),
            (true, Mutation::Ungroup, TokenTree::Group(group)) => trees.extend(group.stream()),
            (true, Mutation::Regroup(delimiter), TokenTree::Group(group)) => {
                trees.push(Group::new(*delimiter, group.stream()).into());
            }
            (_, _, tree) => trees.push(tree),
        }
    }
    trees.into_iter().collect()
}
