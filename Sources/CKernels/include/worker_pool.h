#ifndef FORETOKEN_WORKER_POOL_H
#define FORETOKEN_WORKER_POOL_H

#include <stddef.h>

// Threads that share out the items of one job at a time; the caller is one of them.
//
// Items are dealt in contiguous shares, one a thread; who finishes its share takes items from the others, so a thread
// that the system has put aside delays nobody. The result of a job must not depend on who runs an item.
typedef struct ft_pool ft_pool;

typedef void (*ft_pool_body)(void *context, size_t index);

// `threads` counts the caller, at least 1. Returns NULL when threads or memory are refused by the system.
ft_pool *ft_pool_create(size_t threads);

// Ends the threads; no job may be running.
void ft_pool_destroy(ft_pool *pool);

size_t ft_pool_threads(const ft_pool *pool);

// Calls body(context, i) once for each i in 0 ..< count and returns when all are done. A job started from inside a
// job, or while another thread's job runs, is done by its caller alone.
void ft_pool_run(ft_pool *pool, size_t count, ft_pool_body body, void *context);

#endif
