/*
 * entry_new.c - the C++ operators new and delete of the recording library: the library's own, noted.
 *
 * Layer: record. Compiled with -fexceptions: what a new handler throws passes through.
 */
#include "events.h"

void fh_event_aligned(void *pointer, size_t alignment, size_t size);

#define FH_NEW(name, alignment, parameters, arguments) \
    void *fhbase_##name parameters FH_HIDDEN;          \
    FH_EXPORT void *name parameters;                   \
    FH_EXPORT void *name parameters                    \
    {                                                  \
        void *pointer = fhbase_##name arguments;       \
        fh_event_aligned(pointer, alignment, n);       \
        return pointer;                                \
    }
#define FH_DELETE(name, parameters, arguments) \
    void fhbase_##name parameters FH_HIDDEN;   \
    FH_EXPORT void name parameters;            \
    FH_EXPORT void name parameters             \
    {                                          \
        if (FH_LIKELY(p)) fh_event_death(p);   \
        fhbase_##name arguments;               \
    }

FH_NEW(_Znwm, 0, (size_t n), (n))
FH_NEW(_Znam, 0, (size_t n), (n))
FH_NEW(_ZnwmRKSt9nothrow_t, 0, (size_t n, const void *tag), (n, tag))
FH_NEW(_ZnamRKSt9nothrow_t, 0, (size_t n, const void *tag), (n, tag))
FH_NEW(_ZnwmSt11align_val_t, a, (size_t n, size_t a), (n, a))
FH_NEW(_ZnamSt11align_val_t, a, (size_t n, size_t a), (n, a))
FH_NEW(_ZnwmSt11align_val_tRKSt9nothrow_t, a, (size_t n, size_t a, const void *tag), (n, a, tag))
FH_NEW(_ZnamSt11align_val_tRKSt9nothrow_t, a, (size_t n, size_t a, const void *tag), (n, a, tag))

FH_DELETE(_ZdlPv, (void *p), (p))
FH_DELETE(_ZdaPv, (void *p), (p))
FH_DELETE(_ZdlPvm, (void *p, size_t n), (p, n))
FH_DELETE(_ZdaPvm, (void *p, size_t n), (p, n))
FH_DELETE(_ZdlPvRKSt9nothrow_t, (void *p, const void *tag), (p, tag))
FH_DELETE(_ZdaPvRKSt9nothrow_t, (void *p, const void *tag), (p, tag))
FH_DELETE(_ZdlPvSt11align_val_t, (void *p, size_t a), (p, a))
FH_DELETE(_ZdaPvSt11align_val_t, (void *p, size_t a), (p, a))
FH_DELETE(_ZdlPvmSt11align_val_t, (void *p, size_t n, size_t a), (p, n, a))
FH_DELETE(_ZdaPvmSt11align_val_t, (void *p, size_t n, size_t a), (p, n, a))
FH_DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, (void *p, size_t a, const void *tag), (p, a, tag))
FH_DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t, (void *p, size_t a, const void *tag), (p, a, tag))
