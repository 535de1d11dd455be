//! The atomic updates of a whole contiguous group.

use core::sync::atomic::{AtomicU64, Ordering};

use super::super::contiguous::ContiguousGroup;
use super::super::descriptor::{ACCESSED, DBM, LeafDescriptor, READ_ONLY};
#[cfg(doc)]
use crate::aarch64::update;
use crate::protocol::backend::Backend;
use crate::section::store;

impl ContiguousGroup<'_> {
    /// [`update::get_and_clear`] of the whole group.
    #[inline]
    pub fn get_and_clear<B: Backend>(self) -> u64 {
        self.fold(super::clear::<B>)
    }

    /// [`update::set_wrprotect`] of the whole group.
    #[inline]
    pub fn set_wrprotect<B: Backend>(self, software_dirty: u64) -> u64 {
        self.fold(|slot| super::wrprotect::<B>(slot, software_dirty, |_| {}))
    }

    /// [`update::test_and_clear_young`] of the whole group.
    #[inline]
    pub fn test_and_clear_young<B: Backend>(self) -> u64 {
        self.fold(|slot| super::clear_young::<B>(slot, |_| {}))
    }

    /// [`update::set_access_flags`] of the whole group: adds to each entry what `wanted` permits.
    #[inline]
    pub fn set_access_flags<B: Backend, D: LeafDescriptor>(
        self,
        wanted: D,
        software_bits: u64,
    ) -> bool {
        let add = super::access_flags(wanted.bits(), software_bits);
        // All are asked before one is changed: a descriptor that panics leaves the group as it was.
        let mut needed = false;
        for slot in self.slots() {
            needed |= D::leaf(add(slot.load(Ordering::Relaxed))).needs_barrier();
        }
        let mut changed = false;
        for slot in self.slots() {
            let (old, new) = super::update::<B>(slot, |_| {}, &add);
            changed |= old != new;
        }
        if changed && needed {
            store::note_store::<B>();
        }
        changed
    }

    /// The first entry, with what the hardware has noted in any of them.
    fn fold(self, change: impl Fn(&AtomicU64) -> u64) -> u64 {
        self.slots()
            .iter()
            .map(change)
            .reduce(|first, other| {
                let dirty = other & (DBM | READ_ONLY) == DBM;
                let first = first | other & ACCESSED;
                if dirty { first & !READ_ONLY } else { first }
            })
            .unwrap_or(0)
    }
}
