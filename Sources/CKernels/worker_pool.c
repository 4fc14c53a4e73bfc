#define _GNU_SOURCE
#include "worker_pool.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// A decoding step is hundreds of jobs a few microseconds apart: a worker therefore looks for the next job for a
// while before it sleeps, because waking a sleeper takes longer than many jobs. The while is bounded, shrinks when
// it was in vain and is nothing at all when there are more threads than processors.
enum { LONGEST_SPIN_NANOSECONDS = 60000, SHORTEST_SPIN_NANOSECONDS = 2000 };

typedef struct {
    _Alignas(64) atomic_size_t next;
    size_t end;
} share;

typedef struct {
    ft_pool *pool;
    size_t index;
    pthread_t thread;
} worker;

struct ft_pool {
    size_t threads;
    bool may_spin;
    worker *workers;
    share *shares;
    pthread_mutex_t owner;

    // The job; written only while it is closed and nobody is inside.
    ft_pool_body body;
    void *context;

    _Alignas(64) atomic_uint generation; // raised for each job; sleepers wait on it
    atomic_uint open;                    // the generation that may be entered, or 0
    atomic_uint sleepers;
    atomic_bool ending;
    _Alignas(64) atomic_uint inside; // workers inside the open job; the caller waits on it
    atomic_bool caller_sleeps;
};

static _Thread_local const ft_pool *inside_pool;

static void futex_wait(atomic_uint *word, unsigned expected) {
    syscall(SYS_futex, (unsigned *)word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

static void futex_wake(atomic_uint *word) {
    syscall(SYS_futex, (unsigned *)word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// Runs items until none is left, the own share first.
static void take_items(ft_pool *pool, size_t self) {
    for (size_t i = 0; i < pool->threads; i++) {
        share *s = &pool->shares[(self + i) % pool->threads];
        while (atomic_load_explicit(&s->next, memory_order_relaxed) < s->end) {
            size_t item = atomic_fetch_add_explicit(&s->next, 1, memory_order_relaxed);
            if (item >= s->end)
                break;
            pool->body(pool->context, item);
        }
    }
}

// Waits for a generation other than `seen`: spins for up to *spin nanoseconds, then sleeps.
static unsigned next_generation(ft_pool *pool, unsigned seen, int64_t *spin) {
    unsigned generation;
    if (*spin > 0) {
        int64_t limit = now() + *spin;
        do {
            for (int i = 0; i < 16; i++) {
                generation = atomic_load_explicit(&pool->generation, memory_order_acquire);
                if (generation != seen) {
                    if (*spin < LONGEST_SPIN_NANOSECONDS)
                        *spin *= 2;
                    return generation;
                }
                relax();
            }
        } while (now() < limit);
        if (*spin > SHORTEST_SPIN_NANOSECONDS)
            *spin /= 2;
    }
    int64_t asleep = now();
    atomic_fetch_add(&pool->sleepers, 1);
    while ((generation = atomic_load(&pool->generation)) == seen)
        futex_wait(&pool->generation, seen);
    atomic_fetch_sub(&pool->sleepers, 1);
    if (pool->may_spin && now() - asleep < LONGEST_SPIN_NANOSECONDS)
        *spin = LONGEST_SPIN_NANOSECONDS;
    return generation;
}

static void *worker_main(void *argument) {
    worker *self = argument;
    ft_pool *pool = self->pool;
    inside_pool = pool;
    unsigned seen = 0;
    int64_t spin = pool->may_spin ? LONGEST_SPIN_NANOSECONDS : 0;
    for (;;) {
        seen = next_generation(pool, seen, &spin);
        if (atomic_load(&pool->ending))
            return NULL;
        // Enter first, then look whether the job is still open: the caller closes first, then looks who is inside.
        atomic_fetch_add(&pool->inside, 1);
        if (atomic_load(&pool->open) == seen)
            take_items(pool, self->index);
        if (atomic_fetch_sub(&pool->inside, 1) == 1 && atomic_load(&pool->caller_sleeps))
            futex_wake(&pool->inside);
    }
}

ft_pool *ft_pool_create(size_t threads) {
    if (threads == 0 || threads > 1024)
        return NULL;
    ft_pool *pool = aligned_alloc(64, (sizeof(ft_pool) + 63) / 64 * 64);
    if (!pool)
        return NULL;
    memset(pool, 0, sizeof *pool);
    pool->threads = threads;
    cpu_set_t set;
    CPU_ZERO(&set);
    size_t processors = sched_getaffinity(0, sizeof set, &set) == 0 ? (size_t)CPU_COUNT(&set) : 1;
    pool->may_spin = threads <= processors;
    pool->workers = calloc(threads, sizeof(worker));
    pool->shares = aligned_alloc(64, threads * sizeof(share));
    if (!pool->workers || !pool->shares || pthread_mutex_init(&pool->owner, NULL) != 0) {
        free(pool->workers);
        free(pool->shares);
        free(pool);
        return NULL;
    }
    memset(pool->shares, 0, threads * sizeof(share));
    for (size_t i = 1; i < threads; i++) {
        worker *w = &pool->workers[i];
        w->pool = pool;
        w->index = i;
        if (pthread_create(&w->thread, NULL, worker_main, w) != 0) {
            pool->threads = i;
            ft_pool_destroy(pool);
            return NULL;
        }
    }
    return pool;
}

void ft_pool_destroy(ft_pool *pool) {
    atomic_store(&pool->ending, true);
    atomic_fetch_add(&pool->generation, 1);
    futex_wake(&pool->generation);
    for (size_t i = 1; i < pool->threads; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_mutex_destroy(&pool->owner);
    free(pool->workers);
    free(pool->shares);
    free(pool);
}

size_t ft_pool_threads(const ft_pool *pool) { return pool->threads; }

// Waits until no worker is inside the job that was just closed.
static void wait_for_workers(ft_pool *pool) {
    if (atomic_load(&pool->inside) == 0)
        return;
    if (pool->may_spin) {
        int64_t limit = now() + LONGEST_SPIN_NANOSECONDS;
        do {
            for (int i = 0; i < 16; i++) {
                if (atomic_load(&pool->inside) == 0)
                    return;
                relax();
            }
        } while (now() < limit);
    }
    atomic_store(&pool->caller_sleeps, true);
    unsigned inside;
    while ((inside = atomic_load(&pool->inside)) != 0)
        futex_wait(&pool->inside, inside);
    atomic_store(&pool->caller_sleeps, false);
}

void ft_pool_run(ft_pool *pool, size_t count, ft_pool_body body, void *context) {
    bool alone = count <= 1 || pool->threads == 1 || inside_pool == pool;
    if (alone || pthread_mutex_trylock(&pool->owner) != 0) {
        for (size_t i = 0; i < count; i++)
            body(context, i);
        return;
    }
    pool->body = body;
    pool->context = context;
    for (size_t i = 0; i < pool->threads; i++) {
        atomic_store_explicit(&pool->shares[i].next, count * i / pool->threads, memory_order_relaxed);
        pool->shares[i].end = count * (i + 1) / pool->threads;
    }
    unsigned generation = atomic_load(&pool->generation) + 1;
    if (generation == 0)
        generation = 1; // 0 means closed
    atomic_store(&pool->open, generation);
    atomic_store(&pool->generation, generation);
    if (atomic_load(&pool->sleepers) != 0)
        futex_wake(&pool->generation);
    inside_pool = pool;
    take_items(pool, 0);
    inside_pool = NULL;
    atomic_store(&pool->open, 0);
    wait_for_workers(pool);
    pthread_mutex_unlock(&pool->owner);
}
