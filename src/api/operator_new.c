/*
 * operator_new.c - the C++ operators new and delete in all forms, in C, under their mangled names (Itanium C++ ABI,
 * 5.1.5).
 *
 * Layer: api. Compiled with -fexceptions, so that what a new handler throws, and std::bad_alloc, pass through. The C++
 * runtime is looked for, not needed: a C program never gets here.
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <stdlib.h>

#include "api.h"
#include "cache.h"
#include "core.h"
#include "fast.h"
#include "os.h"

typedef void new_handler(void);

/* std::get_new_handler() and std::__throw_bad_alloc() of libstdc++; libc++ has the first, and throws through it. */
extern new_handler *_ZSt15get_new_handlerv(void) __attribute__((weak));
extern void _ZSt17__throw_bad_allocv(void) __attribute__((weak, noreturn));

/* A runtime that came in later, by dlopen(3), is not what our weak references were bound to. */
static void *find(const char *name) { return dlsym(RTLD_DEFAULT, name); }
/* The definition that ours stands in front of. */
static void *find_next(const char *name) { return dlsym(RTLD_NEXT, name); }

static new_handler *current_handler(void)
{
    new_handler *(*get)(void) = _ZSt15get_new_handlerv;
    if (!get) get = (new_handler * (*)(void)) find("_ZSt15get_new_handlerv");
    return get ? get() : NULL;
}

FH_COLD static void throw_bad_alloc(void)
{
    void (*throw_it)(void) = _ZSt17__throw_bad_allocv;
    if (!throw_it) throw_it = (void (*)(void))find("_ZSt17__throw_bad_allocv");
    if (throw_it) throw_it();
    static const char line[] = "freehold: operator new: out of memory, and no C++ runtime to throw std::bad_alloc\n";
    fh_os_complain(line, sizeof line - 1);
    fh_os_abort();
}

/* C++17 [new.delete.single]: while memory fails and there is a handler, call it and try again. */
FH_COLD static void *retry(size_t size, size_t alignment)
{
    for (new_handler *handler; (handler = current_handler()) != NULL;) {
        handler();
        void *pointer = fh_api_aligned(alignment, size);
        if (pointer) return pointer;
    }
    return NULL;
}

FH_COLD static void *retry_or_throw(size_t size, size_t alignment)
{
    void *pointer = retry(size, alignment);
    if (!pointer) throw_bad_alloc();
    return pointer;
}

/*
 * The forms that must not throw have to catch what a handler throws, which C can't. libstdc++'s own nothrow operators
 * do: they call the throwing ones, which are ours, within try and catch. So this goes by them, where they are.
 */
FH_COLD static void *retry_or_null(size_t size, size_t alignment, const void *tag)
{
    if (!current_handler()) return NULL;
    if (alignment <= FH_ALIGNMENT) {
        void *(*catching)(size_t, const void *) = (void *(*)(size_t, const void *))find_next("_ZnwmRKSt9nothrow_t");
        if (catching) return catching(size, tag);
    } else {
        void *(*catching)(size_t, size_t, const void *) =
            (void *(*)(size_t, size_t, const void *))find_next("_ZnwmSt11align_val_tRKSt9nothrow_t");
        if (catching) return catching(size, alignment, tag);
    }
    return retry(size, alignment);
}

FH_INLINE void *try_new(size_t size)
{
    void *pointer = fh_cache_pop(size);
    return FH_LIKELY(pointer != NULL) ? pointer : fh_core_malloc(size);
}

FH_INLINE void *or_throw(void *pointer, size_t size, size_t alignment)
{
    return FH_LIKELY(pointer != NULL) ? pointer : retry_or_throw(size, alignment);
}

FH_INLINE void *or_null(void *pointer, size_t size, size_t alignment, const void *tag)
{
    return FH_LIKELY(pointer != NULL) ? pointer : retry_or_null(size, alignment, tag);
}

FH_INLINE void delete_it(void *pointer) { fh_core_free_cached(pointer); }

/* size_t is `m` in the mangled names; St11align_val_t and RKSt9nothrow_t are the tags. */
#define FH_NEW(name, parameters, body) \
    FH_EXPORT void *name parameters;   \
    FH_EXPORT void *name parameters { return body; }
#define FH_DELETE(name, ...)          \
    FH_EXPORT void name(__VA_ARGS__); \
    FH_EXPORT void name(__VA_ARGS__) { delete_it(p); }
#define FH_UNUSED __attribute__((unused))

FH_NEW(_Znwm, (size_t n), or_throw(try_new(n), n, FH_ALIGNMENT))
FH_NEW(_Znam, (size_t n), or_throw(try_new(n), n, FH_ALIGNMENT))
FH_NEW(_ZnwmRKSt9nothrow_t, (size_t n, const void *tag), or_null(try_new(n), n, FH_ALIGNMENT, tag))
FH_NEW(_ZnamRKSt9nothrow_t, (size_t n, const void *tag), or_null(try_new(n), n, FH_ALIGNMENT, tag))
FH_NEW(_ZnwmSt11align_val_t, (size_t n, size_t a), or_throw(fh_api_aligned(a, n), n, a))
FH_NEW(_ZnamSt11align_val_t, (size_t n, size_t a), or_throw(fh_api_aligned(a, n), n, a))
FH_NEW(_ZnwmSt11align_val_tRKSt9nothrow_t, (size_t n, size_t a, const void *tag),
       or_null(fh_api_aligned(a, n), n, a, tag))
FH_NEW(_ZnamSt11align_val_tRKSt9nothrow_t, (size_t n, size_t a, const void *tag),
       or_null(fh_api_aligned(a, n), n, a, tag))

FH_DELETE(_ZdlPv, void *p)
FH_DELETE(_ZdaPv, void *p)
FH_DELETE(_ZdlPvm, void *p, FH_UNUSED size_t n)
FH_DELETE(_ZdaPvm, void *p, FH_UNUSED size_t n)
FH_DELETE(_ZdlPvRKSt9nothrow_t, void *p, FH_UNUSED const void *tag)
FH_DELETE(_ZdaPvRKSt9nothrow_t, void *p, FH_UNUSED const void *tag)
FH_DELETE(_ZdlPvSt11align_val_t, void *p, FH_UNUSED size_t a)
FH_DELETE(_ZdaPvSt11align_val_t, void *p, FH_UNUSED size_t a)
FH_DELETE(_ZdlPvmSt11align_val_t, void *p, FH_UNUSED size_t n, FH_UNUSED size_t a)
FH_DELETE(_ZdaPvmSt11align_val_t, void *p, FH_UNUSED size_t n, FH_UNUSED size_t a)
FH_DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, void *p, FH_UNUSED size_t a, FH_UNUSED const void *tag)
FH_DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t, void *p, FH_UNUSED size_t a, FH_UNUSED const void *tag)
