/*
 * The same protocol in C, for comparison only: what `cargo xtask bench` and the program `budgets` count beside the crate.
 *
 * Written from the state machine in the documentation of the crate's module `raw`, as a C kernel would have it: static inline
 * functions, the state that enter returned in a local variable, the current task found through a register. Nothing makes
 * its users keep to it.
 *
 * It is compiled twice, with the bits in a word that others write too (-DSHARED_WORD), or in a byte of the task's own
 * (-DOWN_BYTE); the functions' names say which.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The same `thread_info` as the crate's backends read: src/thread.rs. */
struct task {
	uint64_t flags;
	uint32_t preempt_count;
	uint8_t lazy_mmu;
};

#define IN_INTERRUPT 0x00ffff00u

#define VALID ((uint64_t)1 << 0)
#define USER ((uint64_t)1 << 6)

enum state { OUTER, NESTED, INERT };

#define inline __attribute__((always_inline)) inline

/*
 * The read of the register is not volatile, so that the compiler may do it once for several uses. The accesses to the task
 * are, as with READ_ONCE in a kernel: gcc makes better code of them than of relaxed atomic ones.
 */
#ifdef SHARED_WORD

#define NAME(name) name##_word
#define ACTIVE ((uint64_t)1 << 29)
#define PENDING ((uint64_t)1 << 30)
#define PAUSED ((uint64_t)1 << 31)

static inline struct task *current_task(void)
{
	struct task *task;
	__asm__("mrs %0, sp_el0" : "=r"(task));
	return task;
}

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

static inline struct task *current_task(void)
{
	struct task *task;
	__asm__("mrs %0, tpidr_el1" : "=r"(task));
	return task;
}

static inline uint8_t look(struct task *task)
{
	return *(volatile uint8_t *)&task->lazy_mmu;
}

static inline void put(struct task *task, uint8_t bits)
{
	*(volatile uint8_t *)&task->lazy_mmu = bits;
}

/* As `test_and_set` of a word that nobody else writes: no atomic instruction. */
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

static inline void barrier_pair(void)
{
	__asm__ volatile("dsb ishst\n\tisb" ::: "memory");
}

/* The protocol. */

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

/* As the look at the flags must come behind the store: see the crate's `raw.rs`. */
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

/* A leaf whose bits decide whether it needs the pair. */
static inline void set_leaf(uint64_t *slot, uint64_t descriptor)
{
	store(slot, descriptor);
	if (needs_barrier(descriptor))
		defer();
}

/* One of which the caller knows that it does. */
static inline void set_kernel_leaf(uint64_t *slot, uint64_t descriptor)
{
	store(slot, descriptor);
	defer();
}

/* A range, and one decision. */
static inline void set_leaves(uint64_t *slots, size_t pages, uint64_t first)
{
	bool needed = false;
	for (uint64_t *end = slots + pages; slots != end; slots++, first += 4096) {
		store(slots, first);
		needed |= needs_barrier(first);
	}
	if (needed)
		defer();
}

/* Without the mode: the pair after each store. */
static inline void set_leaf_at_once(uint64_t *slot, uint64_t descriptor)
{
	store(slot, descriptor);
	if (needs_barrier(descriptor))
		barrier_pair();
}

/* The nesting that the state replaced: each enter believes itself the outermost. */
static inline enum state enter_tolerant(void)
{
	enum state state = enter();
	return state == NESTED ? OUTER : state;
}

/*
 * What is counted. Each has the arguments of the crate's forms, and ignores those that it has no use for: the first is the
 * crate's handle of the task.
 */
#define FORM(name) \
	void NAME(name)(void *handle, uint64_t *slots, uint64_t *linear, size_t pages, uint64_t first)

#define RESERVE 8

static inline size_t min(size_t one, size_t other)
{
	return one < other ? one : other;
}

/* Each of a number of entries, and the descriptor for it: consecutive pages. By a pointer to the end, which costs less than an index. */
#define for_each_entry(slot, slots, pages, descriptor) \
	for (uint64_t *slot = (slots), *end = slot + (pages); slot != end; slot++, descriptor += 4096)

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

/* A loop of single writes in what `enter` begins: INERT is no section. */
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
 * The same loop with an allocator that is called for every eight pages, and that maps what it gives in the linear map
 * (DEBUG_PAGEALLOC): in a section of its own, for it does not know that its caller has one open.
 */
#define LOOP_PAGEALLOC(name, enter, set) \
	static __attribute__((noinline)) void name##_allocate(uint64_t *linear, size_t pages, uint64_t first) \
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
