//! The types of translation table entries. Each type has its rule about the barrier.
//!
//! The *barrier* is `sfence.vma x0, x0` on each hart that may use the mapping. A hart may cache an
//! invalid entry, and a walk may read an entry before a store to it reaches memory (RISC-V
//! privileged specification, "Supervisor Memory-Management Fence Instruction"). The rules come from
//! the specification and from Linux's RISC-V page-table code.
//! The pages of the crate call the barrier the *barrier pair*, because it is two instructions on
//! aarch64.
//!
//! A descriptor is its 64 bits, wrapped in the type that says where in the tables it belongs. The
//! constructors check the format. `Leaf(bits)` wraps bits from elsewhere without a check.
//!
//! ```
//! use lazy_mmu::riscv64::Mode;
//! use lazy_mmu::riscv64::descriptor::{BadDescriptor, KERNEL_DATA, Leaf, Table};
//!
//! let page = Leaf::page(0x8000_0000, KERNEL_DATA);
//! let large = Leaf::new(Mode::Sv39, 1, 0x8020_0000, KERNEL_DATA)?;
//! let table = Table::at(0x8800_0000);
//!
//! // Bits from elsewhere are checked for the level at which they are found.
//! assert_eq!(Leaf::from_bits(Mode::Sv39, 1, large.0), Ok(large));
//! let error = BadDescriptor::IsTable { bits: table.0 };
//! assert_eq!(Leaf::from_bits(Mode::Sv39, 1, table.0), Err(error));
//! # assert_eq!((page.0, large.0, table.0), (0x2000_00e7, 0x2008_00e7, 0x2200_0001));
//! # Ok::<(), BadDescriptor>(())
//! ```
//!
//! # Attributes
//!
//! The sets [`KERNEL_DATA`], [`USER_TEXT`] and so on say who may read, write and execute. They have
//! [`ACCESSED`], and [`DIRTY`] if the page is writable. With Svade, an access faults if A is clear,
//! and a write faults if D is clear. With Svadu, which the firmware enables (menvcfg.ADUE), the
//! hardware sets the bits. A kernel that tracks accesses or writes clears them in the set.
//! `USER_DATA & !DIRTY` is an example. [`IO`] and [`NON_CACHEABLE`] are for harts with Svpbmt, as
//! in `KERNEL_DATA | IO`. Without it the kind of memory depends on the physical address.
//!
//! The kernel's sets have [`GLOBAL`]. Only a fence without an ASID removes global entries, and the
//! crate's fences for the kernel's ranges have none.
//!
//! # Leaves
//!
//! A leaf needs the barrier if a fault at its address cannot be handled. Linux draws the same line.
//! Its `set_pte` never fences. For a kernel's page, `flush_cache_vmap` makes the harts fence. For a
//! user's page, the handler of the page fault executes a local fence (`update_mmu_cache`), and a
//! hart that faults again executes its own (`flush_tlb_fix_spurious_fault`).
//!
//! | leaf | needs the barrier if and only if |
//! |---|---|
//! | [`Leaf`] | V is set and U is clear |
//! | [`EveryLeaf`] | V is set |
//! | [`KernelLeaf`] | always: the caller asserts a valid kernel mapping |
//!
//! A kernel with [`Leaf`] has a duty that a kernel for aarch64 does not have. A hart may keep an
//! invalid entry without a limit of time, so a user's access would fault forever. The handler of a
//! user's page fault calls [`fix_spurious_fault`](super::fix_spurious_fault) if it finds that the
//! entry permits the access. So does the handler of the kernel's own access to a user's address. A
//! kernel whose handler does not do this writes [`EveryLeaf`], and [`Table`] above it.
//!
//! # Tables
//!
//! [`Table`] is for every level above 0, also in the root table. A walker that finds a table must
//! find it filled, so the store of a valid entry executes `fence w, w` first. It also needs the
//! barrier, because a hart may have cached that the entry was invalid. [`UserTable`] is for the
//! tables of user addresses. It does not need the barrier if the fault handler fences.
//!
//! # Not here
//!
//! The types refuse the encodings of Svnapot, because an operation on a group would cost as much as
//! operations on each of its pages. They also refuse T-Head's memory types in bits 63:59, which are
//! not those of Svpbmt. `Leaf(bits)` takes them, because its rule reads only V and U.
//!
//! The G-stage tables of a hypervisor are not for these types. All their leaves have U set, and
//! their fence is `hfence.gvma`.

mod attributes;
mod format;

use core::fmt;

pub use attributes::{
    ACCESSED, DIRTY, EXECUTE, GLOBAL, IO, KERNEL_DATA, KERNEL_READ_ONLY, KERNEL_TEXT,
    NON_CACHEABLE, READ, SOFTWARE, USER, USER_DATA, USER_READ_ONLY, USER_TEXT, VALID, WRITE,
};
pub use format::BadDescriptor;
pub(crate) use format::is_table;

use super::mode::Mode;
use crate::section::descriptor::Descriptor;
use format::{address, checked_leaf, checked_table, leaf, table};

/// A leaf at any level.
///
/// It needs the barrier if and only if [`VALID`] is set and [`USER`] is clear. For a user's leaf,
/// the fault handler fences instead: see [the rules](self#leaves).
///
/// ```
/// use lazy_mmu::Descriptor;
/// use lazy_mmu::riscv64::descriptor::{KERNEL_DATA, KERNEL_TEXT, Leaf, USER_DATA};
///
/// assert!(Leaf::page(0x8000_0000, KERNEL_DATA).needs_barrier());
/// assert!(Leaf::page(0x8000_0000, KERNEL_TEXT).needs_barrier());
/// assert!(!Leaf::page(0x8000_0000, USER_DATA).needs_barrier());
/// assert!(!Leaf::INVALID.needs_barrier());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Leaf(pub u64);

/// A leaf at any level, in a kernel whose handler of page faults does not fence.
///
/// It needs the barrier if and only if [`VALID`] is set. After the barrier, user mode does not
/// fault because of an entry that was invalid. Before the barrier, it may fault on another hart,
/// and the handler returns to the access. [`OnFault`](super::OnFault) relies on the handler's
/// fence, so it gains nothing from this type. If the other harts are interrupted for a barrier,
/// each user's page that is stored outside a section costs an interrupt.
///
/// ```
/// use lazy_mmu::Descriptor;
/// use lazy_mmu::riscv64::descriptor::{EveryLeaf, USER_DATA};
///
/// assert!(EveryLeaf::page(0x8000_0000, USER_DATA).needs_barrier());
/// assert!(!EveryLeaf::INVALID.needs_barrier());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EveryLeaf(pub u64);

/// A leaf that the caller asserts is a valid kernel mapping. It always needs the barrier, and the
/// rule does not read its bits.
///
/// It is for loops that map only kernel pages. An invalid leaf or a user's leaf costs a barrier
/// that it does not need, but loses nothing.
///
/// ```
/// use lazy_mmu::Descriptor;
/// use lazy_mmu::riscv64::descriptor::{KERNEL_DATA, KernelLeaf};
///
/// assert!(KernelLeaf::page(0x8000_0000, KERNEL_DATA).needs_barrier());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KernelLeaf(pub u64);

/// An entry that points to a next-level table, at any level above 0.
///
/// It needs the barrier if and only if it is [`VALID`], for user and kernel addresses alike.
///
/// ```
/// use lazy_mmu::Descriptor;
/// use lazy_mmu::riscv64::descriptor::Table;
///
/// let table = Table::at(0x8800_0000);
/// assert!(table.needs_barrier() && table.points_to_table());
/// assert!(!Table::INVALID.needs_barrier());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Table(pub u64);

/// An entry that points to a next-level table of a user's addresses.
///
/// It never needs the barrier, because the fault handler fences, as for the user's [`Leaf`]s below
/// it: see [the rules](self#leaves). Its store is ordered after the earlier ones, as that of a
/// [`Table`] is.
///
/// ```
/// use lazy_mmu::Descriptor;
/// use lazy_mmu::riscv64::descriptor::UserTable;
///
/// let table = UserTable::at(0x8800_0000);
/// assert!(!table.needs_barrier() && table.points_to_table());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UserTable(pub u64);

/// `type: whether its bits need the barrier, whether they point to a table`
macro_rules! rules {
    ($($kind:ident: $needs_barrier:expr, $points_to_table:expr;)*) => {$(
        impl Descriptor for $kind {
            #[inline]
            fn bits(self) -> u64 {
                self.0
            }

            #[inline]
            fn needs_barrier(self) -> bool {
                let rule: fn(u64) -> bool = $needs_barrier;
                rule(self.0)
            }

            #[inline]
            fn points_to_table(self) -> bool {
                let rule: fn(u64) -> bool = $points_to_table;
                rule(self.0)
            }
        }

        impl fmt::Debug for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($kind), "({:#x})"), self.0)
            }
        }
    )*};
}

rules! {
    Leaf: |bits| bits & (VALID | USER) == VALID, |_| false;
    EveryLeaf: |bits| bits & VALID != 0, |_| false;
    KernelLeaf: |_| true, |_| false;
    Table: |bits| bits & VALID != 0, |bits| bits & VALID != 0;
    UserTable: |_| false, |bits| bits & VALID != 0;
}

/// The functions that all descriptor types have in common, in terms of the functions of `format`.
macro_rules! constructors {
    (
        $attributes:literal, $errors:literal;
        $($kind:ident: $make:ident, $check:ident, $what:literal;)*
    ) => {$(
        impl $kind {
            /// The cleared entry.
            pub const INVALID: Self = Self(0);

            #[doc = $what]
            ///
            /// `address` is the physical address, in bytes.
            #[doc = $attributes]
            ///
            /// # Errors
            ///
            /// * [`BadDescriptor::NoSuchLevel`] if the mode has no descriptors of this type at
            ///   `level`.
            /// * [`BadDescriptor::TooLarge`] if `address` has more than 56 bits.
            #[doc = $errors]
            /// * [`BadDescriptor::Reserved`] if `attributes` contain other bits.
            pub const fn new(
                mode: Mode,
                level: u8,
                address: u64,
                attributes: u64,
            ) -> Result<Self, BadDescriptor> {
                match $make(mode, level, address, attributes) {
                    Ok(bits) => Ok(Self(bits)),
                    Err(error) => Err(error),
                }
            }

            /// Checks and wraps a descriptor from elsewhere. Every type accepts bits with V clear.
            ///
            /// # Errors
            ///
            /// [`BadDescriptor`] if the bits are not a descriptor of this type at `level`, or have
            /// a reserved encoding.
            pub const fn from_bits(
                mode: Mode,
                level: u8,
                bits: u64,
            ) -> Result<Self, BadDescriptor> {
                match $check(mode, level, bits) {
                    Ok(bits) => Ok(Self(bits)),
                    Err(error) => Err(error),
                }
            }

            /// Whether the entry is valid. A valid entry maps memory or leads to a table; an access
            /// through an invalid one faults.
            #[inline]
            pub const fn is_valid(self) -> bool {
                self.0 & VALID != 0
            }

            /// Returns the physical address in a valid descriptor, in bytes.
            #[inline]
            pub const fn address(self) -> u64 {
                address(self.0)
            }
        }
    )*};
}

/// The functions that all leaves have in common.
macro_rules! leaves {
    ($($kind:ident;)*) => {
        constructors! {
            "`attributes` are bits 1 to 9, and bits 61 and 62 with Svpbmt.",
            "* [`BadDescriptor::Unaligned`] if `address` is not a multiple of the leaf's size.\n\
             * [`BadDescriptor::IsTable`] if `attributes` permit no access.\n\
             * [`BadDescriptor::WriteOnly`] if `attributes` have W without R.";
            $($kind: leaf, checked_leaf, "Makes a valid leaf at `level`.";)*
        }
        $(
            impl $kind {
                /// Makes a valid page of 4 KiB: a leaf at level 0.
                ///
                /// `address` is the physical address, in bytes. `attributes` are as for
                /// [`new`](Self::new), for example [`KERNEL_DATA`].
                ///
                /// # Panics
                ///
                /// If `address` is not a multiple of 4096 or has more than 56 bits, or if
                /// `attributes` are not those of a leaf.
                #[inline]
                pub const fn page(address: u64, attributes: u64) -> Self {
                    match leaf(Mode::Sv39, 0, address, attributes) {
                        Ok(bits) => Self(bits),
                        Err(_) => bad_page(),
                    }
                }
            }
        )*
    };
}

#[cold]
#[inline(never)]
#[track_caller]
const fn bad_page() -> ! {
    panic!(
        "the address of a page must be a multiple of 4096 with at most 56 bits, and its attributes \
         must permit an access, not writes without reads, and be in bits 1 to 9, 61 and 62"
    )
}

leaves! {
    Leaf;
    EveryLeaf;
    KernelLeaf;
}

constructors! {
    "`attributes` are G and bits 8 and 9. G makes every mapping of the table global.",
    "* [`BadDescriptor::Unaligned`] if `address` is not a multiple of 4096.";
    Table: table, checked_table, "Makes a valid entry that points to a table.";
    UserTable: table, checked_table, "Makes a valid entry that points to a table.";
}

/// Defines the constructor that all tables have in common.
macro_rules! tables {
    ($($kind:ident)*) => {$(
        impl $kind {
            /// Makes a valid entry that points to the table at `address`.
            ///
            /// `address` is the physical address, in bytes.
            ///
            /// # Panics
            ///
            /// If `address` is not a multiple of 4096 or has more than 56 bits.
            #[inline]
            pub const fn at(address: u64) -> Self {
                match table(Mode::Sv39, 1, address, 0) {
                    Ok(bits) => Self(bits),
                    Err(_) => bad_table(),
                }
            }
        }
    )*};
}

tables! { Table UserTable }

#[cold]
#[inline(never)]
#[track_caller]
const fn bad_table() -> ! {
    panic!("the address of a table must be a multiple of 4096 with at most 56 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SV57: Mode = Mode::Sv57;

    #[test]
    fn r07_a_leaf_needs_the_barrier_iff_its_fault_cannot_be_handled() {
        let valid = Leaf::page(0x8000_0000, KERNEL_DATA).0;
        let user = Leaf::page(0x8000_0000, USER_DATA).0;
        let needs = |bits| {
            [
                Leaf(bits).needs_barrier(),
                EveryLeaf(bits).needs_barrier(),
                KernelLeaf(bits).needs_barrier(),
            ]
        };
        assert_eq!(needs(valid), [true, true, true]);
        assert_eq!(needs(user), [false, true, true]);
        assert_eq!(needs(valid & !VALID), [false, false, true]);
        // No other bit counts.
        for bit in (0..64).map(|bit| 1 << bit) {
            for bits in [valid, user, 0] {
                let changed = bits ^ bit;
                let expected = changed & VALID != 0 && changed & USER == 0;
                assert_eq!(Leaf(changed).needs_barrier(), expected, "{changed:#x}");
                assert!(!Leaf(changed).points_to_table());
            }
        }
    }

    #[test]
    fn r07_a_valid_entry_that_points_to_a_table_needs_both_barriers() {
        let table = Table::at(0x8800_0000);
        assert!(table.needs_barrier() && table.points_to_table());
        assert!(!Table::INVALID.needs_barrier() && !Table::INVALID.points_to_table());
        assert!(is_table(table.0));
        for kind in [READ, EXECUTE, READ | WRITE] {
            assert!(!is_table(table.0 | kind));
        }
        assert!(!is_table(0));
    }

    #[test]
    fn r07_a_table_of_user_addresses_needs_only_the_barrier_before_its_link() {
        let table = UserTable::at(0x8800_0000);
        assert_eq!(table.0, Table::at(0x8800_0000).0);
        assert!(!table.needs_barrier() && table.points_to_table());
        assert!(!UserTable::INVALID.points_to_table());
    }

    #[test]
    fn r08_the_bits_are_those_of_the_architecture() {
        let page = Leaf::page(0x0080_0000_0000_1000, KERNEL_DATA | IO | SOFTWARE);
        // PBMT 2; PPN 0x80_0000_0001; RSW, D, A, G, W, R, V.
        assert_eq!(page.0, 0x4020_0000_0000_07e7);
        assert_eq!(page.address(), 0x0080_0000_0000_1000);
        let highest = Table::at(0x00ff_ffff_ffff_f000);
        assert_eq!(highest.0, 0x003f_ffff_ffff_fc01);
        assert_eq!(highest.address(), 0x00ff_ffff_ffff_f000);
        for level in 0..=4 {
            let size = SV57.entry_size(level).unwrap();
            let leaf = Leaf::new(SV57, level, size, USER_TEXT);
            assert_eq!(leaf.map(Leaf::address), Ok(size), "level {level}");
            assert_eq!(Leaf::from_bits(SV57, level, leaf.unwrap().0), leaf);
        }
    }

    #[test]
    fn r08_the_sets_of_attributes_permit_what_their_names_say() {
        // D, A, G, U, X, W, R and V from bit 7 down.
        for (set, bits) in [
            (KERNEL_DATA, 0b1110_0110),
            (KERNEL_READ_ONLY, 0b0110_0010),
            (KERNEL_TEXT, 0b0110_1010),
            (USER_DATA, 0b1101_0110),
            (USER_READ_ONLY, 0b0101_0010),
            (USER_TEXT, 0b0101_1010),
        ] {
            assert_eq!(set, bits, "{set:#b}");
        }
        let bits = [VALID, SOFTWARE, NON_CACHEABLE, IO];
        assert_eq!(
            bits,
            [1, 0x300, 0x2000_0000_0000_0000, 0x4000_0000_0000_0000]
        );
        for attribute in [
            READ | WRITE,
            EXECUTE | USER | GLOBAL | ACCESSED | DIRTY,
            READ | SOFTWARE,
        ] {
            for memory in [0, NON_CACHEABLE, IO] {
                assert!(Leaf::new(SV57, 0, 0, attribute | memory).is_ok());
            }
        }
    }

    #[test]
    fn errors_say_what_is_wrong() {
        extern crate std;
        use std::string::ToString as _;

        let text = |leaf: Result<Leaf, BadDescriptor>| leaf.unwrap_err().to_string();
        let leaf = |level, address, attributes| text(Leaf::new(SV57, level, address, attributes));
        for (found, expected) in [
            (
                leaf(1, 0x1000, READ),
                "the physical address 0x1000 is not a multiple of 0x200000",
            ),
            (
                leaf(0, 1 << 56, READ),
                "the physical address 0x100000000000000 has more than 56 bits",
            ),
            (
                leaf(5, 0, READ),
                "the mode has no descriptors of this type at level 5",
            ),
            (
                leaf(0, 0, USER),
                "0x10 permits no access: it is an entry that points to a table, not a leaf",
            ),
            (
                leaf(0, 0, WRITE),
                "the attributes 0x4 permit writes without reads",
            ),
            (
                leaf(0, 0, READ | 1 << 63),
                "the bits 0x8000000000000000 are reserved in this descriptor",
            ),
        ] {
            assert_eq!(found, expected);
        }
        let error = Table::from_bits(SV57, 1, READ | VALID).unwrap_err();
        let expected = "0x3 is a leaf, not an entry that points to a table";
        assert_eq!(error.to_string(), expected);
        let debug = std::format!("{error:?} {:?}", Table::at(0x1000));
        assert_eq!(
            debug,
            std::format!("BadDescriptor({expected}) Table(0x401)")
        );
    }

    #[test]
    fn r08_reserved_encodings_and_misaligned_leaves_are_refused() {
        let leaf = |level, address, attributes| Leaf::new(Mode::Sv39, level, address, attributes);
        let (address, align) = (0x1000, 0x20_0000);
        let unaligned = Err(BadDescriptor::Unaligned { address, align });
        assert_eq!(leaf(1, 0x1000, KERNEL_DATA), unaligned);
        let bits = WRITE | EXECUTE;
        let write_only = Err(BadDescriptor::WriteOnly { bits });
        assert_eq!(leaf(0, 0x1000, bits), write_only);
        let bits = USER | ACCESSED;
        assert_eq!(leaf(0, 0, bits), Err(BadDescriptor::IsTable { bits }));
        let level = 3;
        assert_eq!(leaf(3, 0, READ), Err(BadDescriptor::NoSuchLevel { level }));
        let address = 1 << 56;
        assert_eq!(
            leaf(0, address, READ),
            Err(BadDescriptor::TooLarge { address })
        );
        // V, the address, bits 60:54 and the bit of Svnapot are no attributes. PBMT 3 is reserved.
        for bits in [
            VALID,
            1 << 10,
            1 << 53,
            1 << 54,
            1 << 59,
            1 << 60,
            1 << 63,
            NON_CACHEABLE | IO,
        ] {
            let reserved = Err(BadDescriptor::Reserved { bits });
            assert_eq!(leaf(0, 0, READ | bits), reserved, "{bits:#x}");
            if bits & VALID == 0 && bits.trailing_zeros() > 53 {
                let found = Leaf::from_bits(Mode::Sv39, 0, READ | VALID | bits);
                assert_eq!(found, reserved, "{bits:#x}");
            }
        }
        let found = Leaf::from_bits(Mode::Sv39, 0, VALID | WRITE);
        let bits = VALID | WRITE;
        assert_eq!(found, Err(BadDescriptor::WriteOnly { bits }));
        // A misaligned leaf from elsewhere.
        let page = Leaf::page(0x1000, READ).0;
        assert_eq!(Leaf::from_bits(Mode::Sv39, 1, page), unaligned);
        // An invalid entry belongs to software.
        assert_eq!(Leaf::from_bits(Mode::Sv39, 2, !VALID), Ok(Leaf(!VALID)));
    }

    #[test]
    fn r08_an_entry_that_points_to_a_table_has_no_permission_and_no_access_bits() {
        let table = |level, attributes| Table::new(Mode::Sv39, level, 0x8800_0000, attributes);
        assert_eq!(
            table(1, GLOBAL | SOFTWARE).map(Table::address),
            Ok(0x8800_0000)
        );
        for level in [0, 3] {
            let error = Err(BadDescriptor::NoSuchLevel { level });
            assert_eq!(table(level, 0), error);
            // An invalid entry has a level too.
            assert_eq!(Table::from_bits(Mode::Sv39, level, 0), error);
        }
        for bits in [READ, EXECUTE, USER, ACCESSED, DIRTY, IO, 1 << 63] {
            assert_eq!(table(1, bits), Err(BadDescriptor::Reserved { bits }));
        }
        let page = Leaf::page(0x8000_0000, KERNEL_DATA).0;
        let bits = page;
        let found = Table::from_bits(Mode::Sv39, 1, page);
        assert_eq!(found, Err(BadDescriptor::IsLeaf { bits }));
        let (found, bits) = (Table::at(0x8800_0000).0, ACCESSED);
        let checked = Table::from_bits(Mode::Sv39, 1, found | bits);
        assert_eq!(checked, Err(BadDescriptor::Reserved { bits }));
        assert_eq!(Table::from_bits(Mode::Sv39, 2, found), Ok(Table(found)));
        // The other bits of an invalid entry are the kernel's.
        assert_eq!(Table::from_bits(Mode::Sv39, 2, !VALID), Ok(Table(!VALID)));
    }

    #[test]
    #[should_panic(expected = "the address of a page must be a multiple of 4096")]
    fn a_page_that_cannot_be_is_refused() {
        let _ = Leaf::page(0x8000_0800, KERNEL_DATA);
    }

    #[test]
    #[should_panic(expected = "the address of a table must be a multiple of 4096")]
    fn a_table_that_cannot_be_is_refused() {
        let _ = Table::at(0x8000_0800);
    }
}
