//! Methods of types and traits, with each kind of receiver.

use std::fmt;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;

use super::{forms, lazy_mmu, store};

forms![
    Table::new(3),
    Table::new(3).by_reference(),
    Table::new(3).by_mutable_reference(),
    Table::new(3).by_value(),
    Table::new(3).by_mutable_value(),
    Box::new(Table::new(3)).by_box(),
    Rc::new(Table::new(3)).by_rc(),
    Rc::new(Table::new(3)).by_reference_to_rc(),
    Arc::new(Table::new(3)).by_arc(),
    pin!(Table::new(3)).by_pin(),
    Box::pin(Table::new(3)).by_pinned_box(),
    Table::new(3).by_named_lifetime(),
    Map::map(&mut Table::new(3), 4),
    Table::new(3).map_all(),
    <Table as Map>::level(),
    Table::new(3).map_with(|page| page * 2),
    <dyn Object>::object_map(&mut Table::new(3)),
    7_u8.blanket(),
    // SAFETY: the method does not have duties.
    unsafe { Table::new(3).unsafe_map() },
    drop(Dropped(3)),
    Pages(0).collect::<Vec<_>>(),
    Table::new(3).to_string(),
    Table::from(8),
    Table::new(3) + Table::new(4),
    Table::new(3)[2],
    Cloned(vec![1, 2]).clone().0,
    Cloned(vec![1]) == Cloned(vec![1, 2]),
    Cloned::default().0,
    Generic { value: "x" }.take(),
    Level::Page.up(),
];

#[derive(Debug)]
struct Table {
    pages: u32,
}

impl Table {
    #[lazy_mmu]
    fn new(pages: u32) -> Self {
        store();
        Self { pages }
    }

    #[lazy_mmu]
    fn by_reference(&self) -> u32 {
        store();
        self.pages
    }

    #[lazy_mmu]
    fn by_mutable_reference(&mut self) -> &mut u32 {
        store();
        self.pages += 1;
        &mut self.pages
    }

    #[lazy_mmu]
    fn by_value(self) -> u32 {
        store();
        self.pages
    }

    #[lazy_mmu]
    fn by_mutable_value(mut self) -> Self {
        store();
        self.pages *= 2;
        self
    }

    #[lazy_mmu]
    #[expect(clippy::boxed_local, reason = "the test needs the warning")]
    fn by_box(self: Box<Self>) -> Self {
        store();
        *self
    }

    #[lazy_mmu]
    fn by_rc(self: Rc<Self>) -> usize {
        store();
        Rc::strong_count(&self)
    }

    #[lazy_mmu]
    fn by_reference_to_rc(self: &Rc<Self>) -> Rc<Self> {
        store();
        Rc::clone(self)
    }

    #[lazy_mmu]
    fn by_arc(self: Arc<Self>) -> Option<Self> {
        store();
        Arc::into_inner(self)
    }

    #[lazy_mmu]
    fn by_pin(self: Pin<&mut Self>) -> u32 {
        store();
        let table = self.get_mut();
        table.pages += 1;
        table.pages
    }

    #[lazy_mmu]
    fn by_pinned_box(self: Pin<Box<Self>>) -> u32 {
        store();
        self.pages
    }

    #[lazy_mmu]
    #[expect(clippy::needless_lifetimes, reason = "the test needs the warning")]
    fn by_named_lifetime<'table>(self: &'table mut Table) -> &'table u32 {
        store();
        &self.pages
    }
}

trait Map {
    fn map(&mut self, pages: u32) -> u32;

    #[lazy_mmu]
    fn map_all(&mut self) -> u32 {
        store();
        self.map(1) + self.map(2)
    }

    fn level() -> u32;

    fn map_with<F: FnOnce(u32) -> u32>(&self, f: F) -> u32;

    /// # Safety
    ///
    /// This method does not have duties.
    unsafe fn unsafe_map(&self) -> u32;
}

impl Map for Table {
    #[lazy_mmu]
    fn map(&mut self, pages: u32) -> u32 {
        store();
        self.pages += pages;
        self.pages
    }

    #[lazy_mmu]
    fn level() -> u32 {
        store();
        3
    }

    #[lazy_mmu]
    fn map_with<F: FnOnce(u32) -> u32>(&self, f: F) -> u32 {
        store();
        f(self.pages)
    }

    #[lazy_mmu]
    unsafe fn unsafe_map(&self) -> u32 {
        store();
        self.pages
    }
}

trait Object {
    fn object_map(&mut self) -> Option<&mut u32>;
}

impl Object for Table {
    #[lazy_mmu]
    fn object_map(&mut self) -> Option<&mut u32> {
        store();
        if self.pages == 0 {
            return None;
        }
        Some(&mut self.pages)
    }
}

trait Blanket {
    fn blanket(&self) -> String;
}

impl<T: fmt::Debug + ?Sized> Blanket for T {
    #[lazy_mmu]
    fn blanket(&self) -> String {
        store();
        format!("{self:?}")
    }
}

struct Dropped(u32);

impl Drop for Dropped {
    #[lazy_mmu]
    fn drop(&mut self) {
        store();
        self.0 = 0;
    }
}

struct Pages(u32);

impl Iterator for Pages {
    type Item = u32;

    #[lazy_mmu]
    fn next(&mut self) -> Option<u32> {
        store();
        self.0 += 1;
        (self.0 < 4).then_some(self.0)
    }
}

impl fmt::Display for Table {
    #[lazy_mmu]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        store();
        write!(f, "{} pages", self.pages)
    }
}

impl From<u32> for Table {
    #[lazy_mmu]
    fn from(pages: u32) -> Self {
        store();
        Self { pages }
    }
}

impl std::ops::Add for Table {
    type Output = Self;

    #[lazy_mmu]
    fn add(self, other: Self) -> Self::Output {
        store();
        Self {
            pages: self.pages + other.pages,
        }
    }
}

impl std::ops::Index<usize> for Table {
    type Output = u32;

    #[lazy_mmu]
    fn index(&self, _: usize) -> &Self::Output {
        store();
        &self.pages
    }
}

#[derive(Debug)]
struct Cloned(Vec<u32>);

impl Clone for Cloned {
    #[lazy_mmu]
    fn clone(&self) -> Self {
        store();
        Self(self.0.iter().rev().copied().collect())
    }
}

impl PartialEq for Cloned {
    #[lazy_mmu]
    fn eq(&self, other: &Self) -> bool {
        store();
        self.0.len() == other.0.len()
    }
}

impl Default for Cloned {
    #[lazy_mmu]
    fn default() -> Self {
        store();
        Self(vec![9])
    }
}

struct Generic<T> {
    value: T,
}

impl<T: Clone> Generic<T> {
    #[lazy_mmu]
    fn take(&self) -> T {
        store();
        self.value.clone()
    }
}

#[derive(Debug)]
enum Level {
    Page,
    Table,
}

impl Level {
    #[lazy_mmu]
    fn up(&self) -> Self {
        store();
        match self {
            Self::Page | Self::Table => Self::Table,
        }
    }
}
