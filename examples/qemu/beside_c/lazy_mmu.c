/*
 * The state machine of the crate in C, for comparison only: `cargo xtask bench` and the program
 * `budgets` count it beside the crate.
 *
 * It follows the documentation of the crate's module `raw`, in the style of a C kernel: static
 * inline functions, the state that enter returned in a local variable, and the current task found
 * through a register. The compiler does not check its users.
 *
 * The kernels for aarch64 and for RISC-V share it. They differ in the first part.
 *
 * The build compiles it twice. With -DSHARED_WORD, the bits are in a word that other code writes
 * too. With -DOWN_BYTE, they are in a byte of the task's own. The names of the functions end with
 * the place.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The same `thread_info` that the crate's backends read: src/thread.rs. */
struct task {
	uint64_t flags;
	uint32_t preempt_count;
	uint8_t lazy_mmu;
};

#define IN_INTERRUPT 0x00ffff00u

#define inline __attribute__((always_inline)) inline

/* The architecture. */

#define VALID ((uint64_t)1 << 0)

#if defined(__aarch64__)

#define USER ((uint64_t)1 << 6)

/* The difference between the descriptors of consecutive pages. */
#define NEXT_PAGE 4096

/* The read of the register is not volatile, so the compiler can do it once for several uses. */
static inline struct task *current_task(void)
{
	struct task *task;
#ifdef SHARED_WORD
	__asm__("mrs %0, sp_el0" : "=r"(task));
#else
	__asm__("mrs %0, tpidr_el1" : "=r"(task));
#endif
	return task;
}

static inline void barrier_pair(void)
{
	__asm__ volatile("dsb ishst\n\tisb" ::: "memory");
}

#elif defined(__riscv)

#define USER ((uint64_t)1 << 4)
#define NEXT_PAGE 1024

/* The compiler uses the register itself, as in Linux. The read has no instruction. */
register struct task *current_is_tp __asm__("tp");

static inline struct task *current_task(void)
{
	return current_is_tp;
}

/* On RISC-V, one instruction is the pair. The kernels that count have one hart. */
static inline void barrier_pair(void)
{
	__asm__ volatile("sfence.vma x0, x0" ::: "memory");
}

#endif

enum state { OUTER, NESTED, INERT };

/*
 * The accesses to the task are volatile, as with READ_ONCE in a kernel, because gcc compiles them
 * to better code than relaxed atomic accesses.
 */
#ifdef SHARED_WORD

#define NAME(name) name##_word
#define ACTIVE ((uint64_t)1 << 29)
#define PENDING ((uint64_t)1 << 30)
#define PAUSED ((uint64_t)1 << 31)

static inline uint64_t look(struct task *task)
{
	return *(volatile uint64_t *)&task->flags;
}

static inline bool test_and_set(struct task *task, uint64_t bit)
{
	return __atomic_fetch_or(&task->flags, bit, __ATOMIC_RELAXED) & bit;
}

static inline bool test_and_clear(struct task *task, uint64_t bit)
{
	return __atomic_fetch_and(&task->flags, ~bit, __ATOMIC_RELAXED) & bit;
}

#else /* OWN_BYTE */

#define NAME(name) name##_byte
#define ACTIVE ((uint8_t)1 << 0)
#define PENDING ((uint8_t)1 << 1)
#define PAUSED ((uint8_t)1 << 2)

static inline uint8_t look(struct task *task)
{
	return *(volatile uint8_t *)&task->lazy_mmu;
}

static inline void put(struct task *task, uint8_t bits)
{
	*(volatile uint8_t *)&task->lazy_mmu = bits;
}

/* `test_and_set` for a byte that other code does not write: it needs no atomic instruction. */
static inline bool test_and_set(struct task *task, uint8_t bit)
{
	uint8_t old = look(task);
	put(task, old | bit);
	return old & bit;
}

static inline bool test_and_clear(struct task *task, uint8_t bit)
{
	uint8_t old = look(task);
	put(task, old & ~bit);
	return old & bit;
}

#endif

static inline bool in_interrupt(struct task *task)
{
	return *(volatile uint32_t *)&task->preempt_count & IN_INTERRUPT;
}

/* The state machine. */

static inline enum state enter(void)
{
	struct task *task = current_task();
	if (in_interrupt(task) || (look(task) & PAUSED))
		return INERT;
	return test_and_set(task, ACTIVE) ? NESTED : OUTER;
}

static inline void leave(enum state state)
{
	struct task *task = current_task();
	if (state == INERT)
		return;
	if (test_and_clear(task, PENDING))
		barrier_pair();
	if (state == OUTER)
		test_and_clear(task, ACTIVE);
}

static inline void store(uint64_t *slot, uint64_t descriptor)
{
	*(volatile uint64_t *)slot = descriptor;
}

/* The test of the flags must follow the store: see the crate's `raw.rs`. */
static inline void defer(void)
{
	struct task *task = current_task();
	__asm__ volatile("" ::: "memory");
	if (in_interrupt(task)) {
		barrier_pair();
		return;
	}
	if (look(task) & PENDING)
		return;
	if ((look(task) & (ACTIVE | PAUSED)) == ACTIVE)
		test_and_set(task, PENDING);
	else
		barrier_pair();
}

static inline bool needs_barrier(uint64_t descriptor)
{
	return (descriptor & (VALID | USER)) == VALID;
}

/* Stores a leaf whose bits decide whether it needs the pair. */
static inline void set_leaf(uint64_t *slot, uint64_t descriptor)
{
	store(slot, descriptor);
	if (needs_barrier(descriptor))
		defer();
}

/* Stores a leaf that needs the pair, as the caller knows. */
static inline void set_kernel_leaf(uint64_t *slot, uint64_t descriptor)
{
	store(slot, descriptor);
	defer();
}

/* Stores a range of leaves, and decides once whether it needs the pair. */
static inline void set_leaves(uint64_t *slots, size_t pages, uint64_t first)
{
	bool needed = false;
	for (uint64_t *end = slots + pages; slots != end; slots++, first += NEXT_PAGE) {
		store(slots, first);
		needed |= needs_barrier(first);
	}
	if (needed)
		defer();
}

/* Stores a leaf without the mode: the pair follows each store. */
static inline void set_leaf_at_once(uint64_t *slot, uint64_t descriptor)
{
	store(slot, descriptor);
	if (needs_barrier(descriptor))
		barrier_pair();
}

/* Tolerant nesting, as in older Linux: each enter takes its section for the outermost. */
static inline enum state enter_tolerant(void)
{
	enum state state = enter();
	return state == NESTED ? OUTER : state;
}

/*
 * The functions that are counted. They have the arguments of the crate's forms, and ignore those
 * that they do not need. The first argument is the crate's handle of the task.
 */
#define FORM(name) \
	void NAME(name)(void *handle, uint64_t *slots, uint64_t *linear, size_t pages, uint64_t first)

#define RESERVE 8

static inline size_t min(size_t one, size_t other)
{
	return one < other ? one : other;
}

/*
 * Iterates over entries, with the descriptors of consecutive pages. The pointer to the end costs
 * less than an index.
 */
#define for_each_entry(slot, slots, pages, descriptor) \
	for (uint64_t *slot = (slots), *end = slot + (pages); slot != end; \
	     slot++, descriptor += NEXT_PAGE)

FORM(c_enter_leave)
{
	enum state state = enter();
	leave(state);
}

FORM(c_one)
{
	enum state state = enter();
	set_kernel_leaf(slots, first);
	leave(state);
}

/* A loop of single writes in the section of `enter`. The state INERT means no section. */
#define LOOP(name, enter, set) \
	FORM(name) \
	{ \
		enum state state = enter; \
		for_each_entry(slot, slots, pages, first) \
			set(slot, first); \
		leave(state); \
	}

LOOP(c_map, enter(), set_leaf)
LOOP(c_map_kernel, enter(), set_kernel_leaf)

FORM(c_range)
{
	enum state state = enter();
	set_leaves(slots, pages, first);
	leave(state);
}

LOOP(c_outside, INERT, set_leaf)
LOOP(c_per_store, INERT, set_leaf_at_once)

/*
 * The same loop with an allocator, which the loop calls for every eight pages. With
 * DEBUG_PAGEALLOC, the allocator maps its pages in the linear map. It opens its own section,
 * because it does not know that its caller has one open.
 */
#define LOOP_PAGEALLOC(name, enter, set) \
	static __attribute__((noinline)) void name##_allocate( \
		uint64_t *linear, size_t pages, uint64_t first) \
	{ \
		enum state state = enter; \
		for_each_entry(slot, linear, pages, first) \
			set(slot, first); \
		leave(state); \
	} \
	FORM(name) \
	{ \
		enum state state = enter; \
		for (size_t done = 0; done < pages; done += RESERVE) { \
			size_t count = min(RESERVE, pages - done); \
			name##_allocate(linear + done, count, first); \
			for_each_entry(slot, slots + done, count, first) \
				set(slot, first); \
		} \
		leave(state); \
	}

LOOP_PAGEALLOC(c_map_pagealloc, enter(), set_leaf)
LOOP(c_tolerant, enter_tolerant(), set_leaf)
LOOP_PAGEALLOC(c_tolerant_pagealloc, enter_tolerant(), set_leaf)
LOOP_PAGEALLOC(c_per_store_pagealloc, INERT, set_leaf_at_once)

/*
 * For each entry, a nested section with one store. The compiler does not know that the section is
 * nested, as in a kernel, where the outer section is in another function.
 */
FORM(c_nested)
{
	enum state outer = enter();
	for_each_entry(slot, slots, pages, first) {
		enum state state = enter();
		set_kernel_leaf(slot, first);
		leave(state);
	}
	leave(outer);
}

/*
 * For each entry, a call of a function that joins the section of its caller: it does not end a
 * section that it has not opened, and leaves the pair to its caller.
 */
static __attribute__((noinline)) void join_and_store(uint64_t *slot, uint64_t descriptor)
{
	enum state state = enter();
	set_leaf(slot, descriptor);
	if (state == OUTER)
		leave(state);
}

FORM(c_joined)
{
	enum state outer = enter();
	for_each_entry(slot, slots, pages, first)
		join_and_store(slot, first);
	leave(outer);
}
