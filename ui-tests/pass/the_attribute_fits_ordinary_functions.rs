// A function that does not compile any more, or warns, with the attribute would be left without a section.
// One statement is put into the function's own braces; nothing else changes.
#![deny(warnings)]

use core::sync::atomic::AtomicU64;

use lazy_mmu::descriptor::Leaf;
use lazy_mmu::sim::Sim;
use lazy_mmu::{Backend, lazy_mmu};

struct Tables<'a, B> {
    slots: &'a [AtomicU64],
    backend: core::marker::PhantomData<B>,
}

trait Map {
    #[lazy_mmu(backend = Sim)]
    fn map_default(&self) -> usize {
        1
    }

    fn map(&mut self) -> &mut Self;
}

impl<B: Backend> Map for Tables<'_, B> {
    #[lazy_mmu(backend = B, mmu = section)]
    fn map(&mut self) -> &mut Self {
        for slot in self.slots {
            section.write(slot, Leaf::INVALID);
        }
        self
    }
}

#[lazy_mmu(backend = Sim)]
pub(crate) unsafe extern "C" fn callback(value: u32) -> u32 {
    value + 1
}

#[lazy_mmu(backend = Sim)]
fn longest<'a>(left: &'a mut str, right: &'a mut str) -> &'a mut str {
    if left.len() > right.len() {
        return left;
    }
    right
}

#[lazy_mmu(backend = Sim)]
fn iterate<const N: usize>(values: [u32; N]) -> impl Iterator<Item = u32>
where
    [u32; N]: Sized,
{
    values.into_iter().map(|it| it * 2)
}

#[lazy_mmu(backend = Sim)]
fn never(stop: bool) -> ! {
    assert!(!stop, "stop");
    std::process::exit(0)
}

fn main() {
    let slots = [const { AtomicU64::new(1) }; 2];
    let mut tables = Tables::<Sim> {
        slots: &slots,
        backend: core::marker::PhantomData,
    };
    assert_eq!(tables.map().map_default(), 1);
    // SAFETY: it does nothing unsafe.
    assert_eq!(unsafe { callback(1) }, 2);
    assert_eq!(longest(&mut String::from("ab"), &mut String::from("c")), "ab");
    assert_eq!(iterate([1, 2]).sum::<u32>(), 6);
    assert!(!lazy_mmu::is_active::<Sim>());
    never(false);
}
