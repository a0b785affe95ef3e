/*
 * registers.h - the three things that the tracer changes in a stopped thread, for each architecture: the number of the
 * system call being entered, its first argument, and the result of the one being left.
 */
#ifndef OUTSIDE_REGISTERS_H
#define OUTSIDE_REGISTERS_H

#include <elf.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>

#if defined(__x86_64__)

static inline int registers_change(pid_t thread, size_t offset, uint64_t value)
{
    return (int)ptrace(PTRACE_POKEUSER, thread, (void *)offset, (void *)value);
}

static inline int registers_skip_call(pid_t thread)
{
    return registers_change(thread, offsetof(struct user_regs_struct, orig_rax), UINT64_MAX);
}

static inline int registers_set_first_argument(pid_t thread, uint64_t value)
{
    return registers_change(thread, offsetof(struct user_regs_struct, rdi), value);
}

/* Compilers rely on it that a system call keeps its arguments' registers. */
static inline int registers_restore_first_argument(pid_t thread, uint64_t value)
{
    return registers_set_first_argument(thread, value);
}

static inline int registers_set_result(pid_t thread, int64_t value)
{
    return registers_change(thread, offsetof(struct user_regs_struct, rax), (uint64_t)value);
}

#elif defined(__aarch64__)

#ifndef NT_ARM_SYSTEM_CALL
#define NT_ARM_SYSTEM_CALL 0x404
#endif

static inline int registers_skip_call(pid_t thread)
{
    int none = -1;
    struct iovec part = {&none, sizeof none};

    return (int)ptrace(PTRACE_SETREGSET, thread, (void *)NT_ARM_SYSTEM_CALL, &part);
}

/* Register 0 holds the first argument on the way in and the result on the way out. */
static inline int registers_set_x0(pid_t thread, uint64_t value)
{
    struct user_regs_struct registers;
    struct iovec part = {&registers, sizeof registers};

    if (ptrace(PTRACE_GETREGSET, thread, (void *)NT_PRSTATUS, &part) != 0) {
        return -1;
    }
    registers.regs[0] = value;
    return (int)ptrace(PTRACE_SETREGSET, thread, (void *)NT_PRSTATUS, &part);
}

static inline int registers_set_first_argument(pid_t thread, uint64_t value)
{
    return registers_set_x0(thread, value);
}

/* Nothing to restore: register 0 has become the result. */
static inline int registers_restore_first_argument(pid_t thread, uint64_t value)
{
    (void)thread;
    (void)value;
    return 0;
}

static inline int registers_set_result(pid_t thread, int64_t value)
{
    return registers_set_x0(thread, (uint64_t)value);
}

#else
#error "the tracer knows x86-64 and aarch64"
#endif

#endif /* OUTSIDE_REGISTERS_H */
