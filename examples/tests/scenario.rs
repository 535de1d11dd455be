//! Tests of the scenario on the hosted machine: its counts, and the behaviours that it shows.

use lazy_mmu::raw::Kind;
use lazy_mmu::sim::{Event, Sim, SimOwnByte};
use lazy_mmu_examples::host::{Operation, run_scenario};
use lazy_mmu_examples::populate::RESERVE;
use lazy_mmu_examples::scenario::{OPERATIONS, WAYS};
use lazy_mmu_examples::zap::BATCH;

const PER_STORE: usize = 0;
const TOLERANT: usize = 1;
const NESTED: usize = 2;

fn run(way: usize, pages: usize, debug_pagealloc: bool) -> Vec<Operation> {
    run_scenario::<Sim>(way, pages, debug_pagealloc).expect("the memory suffices")
}

fn pairs(operations: &[Operation], name: &str) -> usize {
    operation(operations, name).counts().pairs
}

fn operation<'a>(operations: &'a [Operation], name: &str) -> &'a Operation {
    operations
        .iter()
        .find(|it| it.name == name)
        .expect("an operation's name")
}

#[test]
fn b03_one_pair_for_512_stores_in_a_plain_vmalloc_section() {
    for debug_pagealloc in [false, true] {
        let nested = run(NESTED, 512, debug_pagealloc);
        let vmap = operation(&nested, "vmap_pages_range").counts();
        assert_eq!((vmap.stores, vmap.pairs), (512, 1));
    }
}

#[test]
fn populate_needs_a_pair_per_allocation_and_tolerant_nesting_one_per_entry_too() {
    for pages in [1_usize, 7, 8, 9, 64, 512, 600] {
        let allocations = pages.div_ceil(RESERVE);
        // One more pair is for the entries after the last allocation.
        assert_eq!(
            pairs(&run(NESTED, pages, true), "populate_range"),
            allocations + 1
        );
        // The first allocation ends the mode before the first entry is stored.
        assert_eq!(
            pairs(&run(TOLERANT, pages, true), "populate_range"),
            allocations + pages
        );
        let per_frame_and_entry = 2 * pages;
        assert_eq!(
            pairs(&run(PER_STORE, pages, true), "populate_range"),
            per_frame_and_entry
        );
        // Without DEBUG_PAGEALLOC, the allocator does not open sections.
        assert_eq!(pairs(&run(NESTED, pages, false), "populate_range"), 1);
        assert_eq!(pairs(&run(TOLERANT, pages, false), "populate_range"), 1);
    }
}

#[test]
fn zap_needs_no_pair_and_one_invalidation_a_batch() {
    for pages in [1, BATCH, BATCH + 1, 512] {
        for way in 0..WAYS.len() {
            // Without DEBUG_PAGEALLOC, the freed frames do not need an invalidation.
            let counts = operation(&run(way, pages, false), "zap_range").counts();
            assert_eq!((counts.stores, counts.pairs), (pages, 0));
            assert_eq!(counts.dsb_ishst, pages.div_ceil(BATCH));
            let debug = operation(&run(way, pages, true), "zap_range").counts();
            assert_eq!((debug.stores, debug.pairs), (2 * pages, 0));
            assert_eq!(debug.dsb_ishst, pages.div_ceil(BATCH) + pages);
        }
    }
}

#[test]
fn the_three_ways_store_the_same() {
    for debug_pagealloc in [false, true] {
        let ways = [PER_STORE, TOLERANT, NESTED].map(|way| run(way, 100, debug_pagealloc));
        for name in OPERATIONS {
            let values = |way: usize| {
                operation(&ways[way], name)
                    .events
                    .iter()
                    .filter_map(|event| match event {
                        Event::Store { value, .. } => Some(*value),
                        _ => None,
                    })
                    .collect::<Vec<_>>()
            };
            assert_eq!(values(PER_STORE), values(NESTED), "{name}");
            assert_eq!(values(TOLERANT), values(NESTED), "{name}");
        }
    }
}

#[test]
fn k02_the_own_byte_gives_the_same_trace() {
    for way in 0..WAYS.len() {
        let word = run(way, 100, true);
        let byte = run_scenario::<SimOwnByte>(way, 100, true).expect("the memory suffices");
        for (word, byte) in word.iter().zip(&byte) {
            assert_eq!(word.steps, byte.steps, "{}", word.name);
        }
    }
}

#[test]
fn b19_each_allocation_inside_a_walk_is_a_nested_section_that_flushes() {
    let nested = run(NESTED, 512, true);
    for (name, allocations) in [
        ("populate_range", 512 / RESERVE),
        // Two ranges share a table of level 2, and the user's range has another one.
        // There are four tables at level 3.
        ("build_tables", 8),
    ] {
        let events = &operation(&nested, name).events;
        let flushed_nested_leaves = events
            .windows(3)
            .filter(|it| {
                matches!(
                    it,
                    [Event::DsbIshst, Event::Isb, Event::Leave(Kind::Nested)]
                )
            })
            .count();
        assert_eq!(flushed_nested_leaves, allocations, "{name}");
        assert!(matches!(events[0], Event::Enter(Kind::Outermost)), "{name}");
    }
}

#[test]
fn b24_b20_b29_only_invalidations_and_links_have_barriers_that_are_no_pair() {
    for way in 0..WAYS.len() {
        for operation in run(way, 100, true) {
            let followed_by = |next: fn(&Event) -> bool| {
                let is_it = |it: &&[Event]| it[0] == Event::DsbIshst && next(&it[1]);
                operation.events.windows(2).filter(is_it).count()
            };
            let invalidations = followed_by(|it| matches!(it, Event::Tlbi(_)));
            let links = followed_by(|it| matches!(it, Event::Store { .. }));
            let counts = operation.counts();
            assert_eq!(counts.dsb_ishst, counts.pairs + invalidations + links);
            assert_eq!(counts.isb, counts.pairs + invalidations);
        }
    }
}
