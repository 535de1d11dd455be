//! The fences of an invalidation, and their operands.
//!
//! An invalidation on one hart is a sequence of `sfence.vma` instructions. Each orders the earlier
//! stores of the hart before later table walks, and removes what the hart has cached. The sequence
//! needs no other barrier. With Svinval, the sequence is `sfence.w.inval`, a `sinval.vma` for each
//! leaf, and `sfence.inval.ir`.
//!
//! The operands follow the RISC-V privileged specification, "Supervisor Memory-Management Fence
//! Instruction":
//!
//! | what changed | rs1 | rs2 |
//! |---|---|---|
//! | a leaf of the kernel, or of all address spaces | an address in the leaf | x0 |
//! | a leaf of one address space that is not global | an address in the leaf | the ASID |
//! | an entry that points to a table | x0 | x0, or the ASID |
//! | more than [`max_ops`](Tlbs::max_ops) leaves | x0 | x0, or the ASID |
//!
//! A fence with an address covers leaves only, at any level. A fence with an ASID leaves global
//! entries alone. The register x0 therefore stands for "every address" and "every address space".
//! A register that holds 0 does not: it names the address 0 or the address space 0.

use core::fmt;

use super::barriers::instruction;
use super::mode::PAGE_SHIFT;
use crate::protocol::range::{Invalidation, VirtualRange};

/// The operands of `sfence.vma` and `sinval.vma`. `None` is the register x0.
///
/// ```
/// use lazy_mmu::riscv64::{Fence, Mode, Operands, Tlbs};
/// use lazy_mmu::{Invalidation, Scope};
///
/// let range = Mode::Sv39.range(0xffff_ffc0_0000_0000, 1)?;
/// let kernel = [Invalidation { range, scope: Scope::PAGES }];
/// // `sfence.vma a0, x0`, and never `sfence.vma a0, a1` with 0 in `a1`.
/// let operands = Operands { address: Some(0xffff_ffc0_0000_0000), asid: None };
/// assert!(Tlbs::ANY.fences(&kernel).eq([Fence::SfenceVma(operands)]));
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Operands {
    /// rs1: a virtual address, in bytes. `None` means every address, and entries of every level.
    pub address: Option<u64>,
    /// rs2: the ASID, which keeps global entries. `None` means every address space, and global
    /// entries too.
    pub asid: Option<u16>,
}

impl Operands {
    /// Every address of every address space: `x0, x0`.
    pub const ALL: Self = Self {
        address: None,
        asid: None,
    };
}

/// Prints the operands as an assembler has them, with values in the places of registers.
impl fmt::Debug for Operands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => write!(f, "{address:#x}, ")?,
            None => f.write_str("x0, ")?,
        }
        match self.asid {
            Some(asid) => write!(f, "{asid}"),
            None => f.write_str("x0"),
        }
    }
}

/// A fence of an invalidation, with its operands.
///
/// [`Tlbs::fences`] makes the fences, and [`execute`](Self::execute) executes one on this hart.
///
/// ```
/// use lazy_mmu::riscv64::{Fence, Mode, Operands, Tlbs};
/// use lazy_mmu::{Invalidation, Scope};
///
/// let range = Mode::Sv39.range(0x4000_0000, 2)?.of_asid(7);
/// let pages = [Invalidation { range, scope: Scope::PAGES }];
/// let with_svinval = Tlbs { has_svinval: true, ..Tlbs::ANY };
/// let [one, two] = [0x4000_0000, 0x4000_1000]
///     .map(|page| Fence::SinvalVma(Operands { address: Some(page), asid: Some(7) }));
/// assert!(with_svinval
///     .fences(&pages)
///     .eq([Fence::SfenceWInval, one, two, Fence::SfenceInvalIr]));
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fence {
    /// `sfence.vma`: orders the stores before it, and removes the entries that the operands name.
    SfenceVma(Operands),
    /// `sfence.w.inval`, with Svinval: orders the stores before it.
    SfenceWInval,
    /// `sinval.vma`, with Svinval: removes the entries that the operands name. It orders nothing,
    /// so it stands between the other two.
    SinvalVma(Operands),
    /// `sfence.inval.ir`, with Svinval: orders the removals before later table walks.
    SfenceInvalIr,
}

/// Executes an instruction with two operands, of which each may be x0.
macro_rules! with_operands {
    ($operands:expr, $all:tt, $one_asid:tt, $one_address:tt, $both:tt) => {{
        let Operands { address, asid } = $operands;
        // An operand is in a register other than x0 even if its value is 0, because `in(reg)` does
        // not choose x0.
        match (address, asid.map(u64::from)) {
            (None, None) => with_operands!(@ $all),
            (None, Some(asid)) => with_operands!(@ $one_asid, asid),
            (Some(address), None) => with_operands!(@ $one_address, address),
            (Some(address), Some(asid)) => with_operands!(@ $both, address, asid),
        }
    }};
    (@ ($($instruction:tt)*) $(, $operand:expr)*) => {
        instruction!($($instruction)* $(, $operand)*)
    };
}

impl Fence {
    /// Executes the fence on this hart.
    ///
    /// The instructions of Svinval are a sequence: see the [example](Fence). On a hart without
    /// Svinval they are illegal.
    ///
    /// # Panics
    ///
    /// On an architecture other than RISC-V.
    #[inline]
    pub fn execute(self) {
        match self {
            Self::SfenceVma(operands) => with_operands!(
                operands,
                ("sfence.vma x0, x0"),
                ("sfence.vma x0, {}"),
                ("sfence.vma {}, x0"),
                ("sfence.vma {}, {}")
            ),
            Self::SfenceWInval => instruction!(extension "svinval", "sfence.w.inval"),
            Self::SinvalVma(operands) => with_operands!(
                operands,
                (extension "svinval", "sinval.vma x0, x0"),
                (extension "svinval", "sinval.vma x0, {}"),
                (extension "svinval", "sinval.vma {}, x0"),
                (extension "svinval", "sinval.vma {}, {}")
            ),
            Self::SfenceInvalIr => instruction!(extension "svinval", "sfence.inval.ir"),
        }
    }
}

/// Describes the TLBs of a kernel's harts, and plans and executes invalidations for them.
///
/// [`Riscv64::TLBS`](super::Riscv64::TLBS) describes the harts by a kernel's constants. A kernel
/// whose harts send each other an interrupt executes [`invalidate_here`](Self::invalidate_here) in
/// its handler:
///
/// ```no_run
/// use lazy_mmu::Invalidation;
/// use lazy_mmu::riscv64::{Harts, Tlbs, local_fence};
/// # mod ipi { pub fn on_all_harts(_: impl Fn()) {} }
///
/// /// Harts that run a closure on request.
/// struct Interrupts;
///
/// // SAFETY: `on_all_harts` disables preemption, and runs its argument on all harts. It orders
/// // the earlier stores before the interrupts, and acquires each hart's acknowledgement. While it
/// // waits, it answers other harts. A hart that comes online fences after it is one of them.
/// unsafe impl Harts for Interrupts {
///     fn fence() {
///         ipi::on_all_harts(local_fence);
///     }
///     fn invalidate(invalidations: &[Invalidation]) {
///         ipi::on_all_harts(|| Tlbs::ANY.invalidate_here(invalidations));
///     }
///     fn invalidate_all() {
///         ipi::on_all_harts(local_fence);
///     }
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tlbs {
    /// Whether every hart has Svinval.
    pub has_svinval: bool,
    /// The most leaves that one invalidation names: see
    /// [`Kernel::MAX_OPS`](super::Kernel::MAX_OPS).
    pub max_ops: u64,
}

/// The default for the most leaves that one invalidation names: see
/// [`Kernel::MAX_OPS`](super::Kernel::MAX_OPS).
///
/// Linux has the same limit (`tlb_flush_all_threshold`).
pub const MAX_OPS: u64 = 64;

impl Tlbs {
    /// The values that are right on every hart without an erratum
    /// ([`Kernel::MAX_OPS`](super::Kernel::MAX_OPS)).
    pub const ANY: Self = Self {
        has_svinval: false,
        max_ops: MAX_OPS,
    };

    /// Removes translations from the TLB of this hart.
    ///
    /// The [fences](Self::fences) order this hart's earlier stores before its later table walks,
    /// for the addresses that they name.
    ///
    /// # Panics
    ///
    /// On an architecture other than RISC-V, if there is a fence.
    #[inline]
    pub fn invalidate_here(self, invalidations: &[Invalidation]) {
        self.fences(invalidations).for_each(Fence::execute);
    }

    /// Returns the fences for `invalidations` on one hart. The page of [`Fence`] has an example.
    ///
    /// One fence removes one leaf, whatever its size. With Svinval, several leaves are one
    /// sequence. If an invalidation has [all levels](crate::Scope::ALL_LEVELS), or if the leaves
    /// are together more than `max_ops`, the result is one fence without an address. It names the
    /// ASID if all ranges have the same one. A range with pages of another size than 4 KiB, which
    /// RISC-V does not have, has the same result.
    pub fn fences(self, invalidations: &[Invalidation]) -> impl Iterator<Item = Fence> {
        let mut leaves = invalidations.iter().map(Leaves::new);
        let number = leaves.try_fold(0_u64, |number, it| number.checked_add(it?.left));
        let (everything, each) = match number {
            Some(number) if number <= self.max_ops => (None, invalidations),
            _ => (Some(everything(invalidations)), &[][..]),
        };
        // The sequence of one leaf would be three instructions instead of one.
        let has_svinval = self.has_svinval && number > Some(1) && !each.is_empty();
        let around = |fence| has_svinval.then_some(fence);
        let leaves = each.iter().filter_map(Leaves::new).flatten();
        let one_by_one = leaves.map(move |operands| {
            if has_svinval {
                Fence::SinvalVma(operands)
            } else {
                Fence::SfenceVma(operands)
            }
        });
        (everything.map(Fence::SfenceVma).into_iter())
            .chain(around(Fence::SfenceWInval))
            .chain(one_by_one)
            .chain(around(Fence::SfenceInvalIr))
    }
}

/// Returns the ASID that all ranges have, or `None` if two differ or one has none.
pub(super) fn common_asid(invalidations: &[Invalidation]) -> Option<u16> {
    let mut asids = invalidations.iter().map(|it| it.range.asid());
    let first = asids.next()??;
    asids.all(|it| it == Some(first)).then_some(first)
}

/// Returns the operands of the fence that replaces too many.
fn everything(invalidations: &[Invalidation]) -> Operands {
    Operands {
        address: None,
        asid: common_asid(invalidations),
    }
}

/// Whether a fence with an address does not cover the invalidation.
fn needs_every_address(invalidation: &Invalidation) -> bool {
    let of_other_pages = invalidation.range.page_shift() != PAGE_SHIFT;
    (invalidation.scope.all_levels() || of_other_pages) && invalidation.range.pages() != 0
}

/// Iterates over the operands for the leaves of one range.
#[derive(Clone)]
pub(super) struct Leaves {
    address: u64,
    /// The number of leaves that are still due.
    pub(super) left: u64,
    /// log2 of the bytes of a leaf.
    shift: u32,
    asid: Option<u16>,
}

impl Leaves {
    /// Returns `None` if a fence with an address does not cover the invalidation.
    #[inline]
    pub(super) fn new(invalidation: &Invalidation) -> Option<Self> {
        if needs_every_address(invalidation) {
            return None;
        }
        let (range, shift) = (invalidation.range, invalidation.entry_shift());
        Some(Self {
            // A range may begin inside a leaf.
            address: range.start() >> shift << shift,
            left: leaves_in(range, shift),
            shift,
            asid: range.asid(),
        })
    }
}

/// Returns the number of leaves of `1 << shift` bytes that have a page of `range`.
fn leaves_in(range: VirtualRange, shift: u32) -> u64 {
    let per_leaf = shift - range.page_shift();
    let before = (range.start() & ((1 << shift) - 1)) >> range.page_shift();
    match range.pages() {
        0 => 0,
        pages => (before + pages).div_ceil(1 << per_leaf),
    }
}

impl Iterator for Leaves {
    type Item = Operands;

    #[inline]
    fn next(&mut self) -> Option<Operands> {
        self.left = self.left.checked_sub(1)?;
        let operands = Operands {
            address: Some(self.address),
            asid: self.asid,
        };
        // There may be no address after the last leaf.
        self.address = self.address.wrapping_add(1 << self.shift);
        Some(operands)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::range::Scope;
    use crate::riscv64::Mode;
    use crate::riscv64::barriers::recorder::record;
    extern crate std;
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    const KERNEL: u64 = 0xffff_ffc0_0000_0000;
    const WITH_SVINVAL: Tlbs = Tlbs {
        has_svinval: true,
        ..Tlbs::ANY
    };

    fn pages(start: u64, pages: u64) -> Invalidation {
        Invalidation {
            range: Mode::Sv48.range(start, pages).unwrap(),
            scope: Scope::PAGES,
        }
    }

    fn of_asid(invalidation: Invalidation, asid: u16) -> Invalidation {
        Invalidation {
            range: invalidation.range.of_asid(asid),
            ..invalidation
        }
    }

    fn table(invalidation: Invalidation) -> Invalidation {
        Invalidation {
            scope: Scope::ALL_LEVELS,
            ..invalidation
        }
    }

    /// Returns the instructions of an invalidation.
    fn executed(tlbs: Tlbs, invalidations: &[Invalidation]) -> Vec<String> {
        record(|| tlbs.invalidate_here(invalidations))
    }

    const ALL: [&str; 1] = ["sfence.vma x0, x0"];

    #[test]
    fn r01_a_fence_of_a_kernels_page_names_no_address_space() {
        for tlbs in [Tlbs::ANY, WITH_SVINVAL] {
            for count in 1..=tlbs.max_ops {
                let fences: Vec<_> = tlbs.fences(&[pages(KERNEL, count)]).collect();
                for fence in fences {
                    if let Fence::SfenceVma(operands) | Fence::SinvalVma(operands) = fence {
                        assert_eq!(operands.asid, None);
                    }
                }
            }
        }
        let two = ["0xffffffc000000000", "0xffffffc000001000"];
        let fences = two.map(|page| format!("sfence.vma {page}, x0"));
        assert_eq!(executed(Tlbs::ANY, &[pages(KERNEL, 2)]), fences);
        assert_eq!(executed(Tlbs::ANY, &[table(pages(KERNEL, 512))]), ALL);
        // The last page of the address space has no page after it.
        let last = executed(Tlbs::ANY, &[pages(0xffff_ffff_ffff_f000, 1)]);
        assert_eq!(last, ["sfence.vma 0xfffffffffffff000, x0"]);
    }

    #[test]
    fn r01_a_fence_of_a_users_page_names_its_address_space_also_if_it_is_0() {
        for asid in [0, 7, u16::MAX] {
            let page = of_asid(pages(0x1000, 1), asid);
            let fences = [format!("sfence.vma 0x1000, {asid:#x}")];
            assert_eq!(executed(Tlbs::ANY, &[page]), fences);
            let all = [format!("sfence.vma x0, {asid:#x}")];
            assert_eq!(executed(Tlbs::ANY, &[table(page)]), all);
            assert_eq!(executed(Tlbs::ANY, &[of_asid(pages(0, 65), asid)]), all);
        }
        // The fence for two address spaces, or for one and the kernel, names none.
        let [one, two] = [1, 2].map(|asid| of_asid(table(pages(0, 1)), asid));
        assert_eq!(executed(Tlbs::ANY, &[one, two]), ALL);
        assert_eq!(executed(Tlbs::ANY, &[one, pages(KERNEL, 1)]), ALL);
        assert_eq!(executed(Tlbs::ANY, &[pages(KERNEL, 1), one]), ALL);
    }

    #[test]
    fn r01_one_fence_for_each_leaf_whatever_its_size() {
        const START: u64 = 0xffff_8000_0000_0000;
        for shift in [12, 21, 30, 39] {
            let scope = Scope::leaves(shift);
            let leaf = |number: u64| START + (number << shift);
            let three = Invalidation {
                scope,
                ..pages(START, 3 << (shift - 12))
            };
            let fences = [0, 1, 2].map(|it| format!("sfence.vma {:#x}, x0", leaf(it)));
            assert_eq!(executed(Tlbs::ANY, &[three]), fences);
            // A range that begins or ends inside a leaf loses none.
            let page = (1 << shift) - 0x1000;
            let inside = Invalidation {
                scope,
                ..pages(START + page, 2)
            };
            let found = executed(Tlbs::ANY, &[inside]);
            assert_eq!(found, fences[..2]);
        }
    }

    #[test]
    fn r02_svinval_orders_before_and_after_all_of_the_removals() {
        let user = of_asid(pages(0x1000, 1), 7);
        let expected = [
            "sfence.w.inval",
            "sinval.vma 0xffffffc000000000, x0",
            "sinval.vma 0xffffffc000001000, x0",
            "sinval.vma 0x1000, 0x7",
            "sfence.inval.ir",
        ];
        let found = executed(WITH_SVINVAL, &[pages(KERNEL, 2), user]);
        assert_eq!(found, expected);
        // One fence, of a leaf or for everything, needs no sequence.
        let page = executed(WITH_SVINVAL, &[pages(KERNEL, 1)]);
        assert_eq!(page, ["sfence.vma 0xffffffc000000000, x0"]);
        assert_eq!(executed(WITH_SVINVAL, &[pages(KERNEL, 65)]), ALL);
        assert_eq!(executed(WITH_SVINVAL, &[]), [""; 0]);
    }

    #[test]
    fn r02_more_leaves_than_the_limit_are_everything() {
        let number =
            |tlbs: Tlbs, invalidations: &[Invalidation]| tlbs.fences(invalidations).count();
        assert_eq!(number(Tlbs::ANY, &[pages(KERNEL, 64)]), 64);
        assert_eq!(executed(Tlbs::ANY, &[pages(KERNEL, 65)]), ALL);
        // The limit is for all ranges together. Empty ranges do not count.
        let [low, high] = [pages(KERNEL, 32), pages(KERNEL + (1 << 30), 32)];
        let empty = table(pages(0, 0));
        assert_eq!(number(Tlbs::ANY, &[low, empty, high]), 64);
        assert_eq!(executed(Tlbs::ANY, &[low, high, pages(0, 1)]), ALL);
        for tlbs in [Tlbs::ANY, WITH_SVINVAL] {
            assert_eq!(executed(tlbs, &[empty]), [""; 0]);
        }
        // A kernel can set its own limit.
        let three = Tlbs {
            max_ops: 3,
            ..Tlbs::ANY
        };
        assert_eq!(number(three, &[pages(KERNEL, 3)]), 3);
        assert_eq!(executed(three, &[pages(KERNEL, 4)]), ALL);
        // The number of leaves does not wrap.
        let spaces = std::vec![pages(0, 1 << 52); 4096];
        let all = [Fence::SfenceVma(Operands::ALL)];
        assert!(Tlbs::ANY.fences(&spaces).take(2).eq(all));
    }

    #[test]
    fn r01_pages_of_another_size_are_everything() {
        let range = VirtualRange::new(16, 0x1_0000, 1).unwrap();
        let scope = Scope::PAGES;
        let large = Invalidation { range, scope };
        assert_eq!(executed(Tlbs::ANY, &[large]), ALL);
        // The union is the whole address space, whose leaves a wrong plan would not end to name.
        let both = [pages(0, 1).union(large)];
        let all = [Fence::SfenceVma(Operands::ALL)];
        assert!(Tlbs::ANY.fences(&both).take(2).eq(all));
    }

    #[test]
    fn operands_print_as_an_assembler_has_them() {
        let operands = |address, asid| format!("{:?}", Operands { address, asid });
        assert_eq!(operands(None, None), "x0, x0");
        assert_eq!(operands(Some(0x1000), None), "0x1000, x0");
        assert_eq!(operands(Some(0), Some(0)), "0x0, 0");
    }
}
