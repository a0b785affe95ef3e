/*
 * probes.h - static probes (USDT): places at which debuggers, perf, bpftrace or SystemTap can attach. One nop each.
 *
 * Layer: insight. Written out instead of including <sys/sdt.h>, so that the build needs no SystemTap. The note is
 * version 3 of the format that SystemTap documents ("UserSpaceProbeImplementation"): address, base, semaphore,
 * provider, name, and where each argument is ("8@%rdi": 8 bytes, unsigned, in that register).
 */
#ifndef FH_PROBES_H
#define FH_PROBES_H

#define FH_PROBE_NOTE(provider, name, arguments)                            \
    "990: nop\n"                                                            \
    ".pushsection .note.stapsdt,\"\",\"note\"\n"                            \
    ".balign 4\n"                                                           \
    ".4byte 992f-991f, 994f-993f, 3\n"                                      \
    "991: .asciz \"stapsdt\"\n"                                             \
    "992: .balign 4\n"                                                      \
    "993: .8byte 990b\n"                                                    \
    ".8byte _.stapsdt.base\n"                                               \
    ".8byte 0\n"                                                            \
    ".asciz \"" provider "\"\n"                                             \
    ".asciz \"" name "\"\n"                                                 \
    ".asciz \"" arguments "\"\n"                                            \
    "994: .balign 4\n"                                                      \
    ".popsection\n"                                                         \
    ".ifndef _.stapsdt.base\n"                                              \
    ".pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n" \
    ".weak _.stapsdt.base\n"                                                \
    ".hidden _.stapsdt.base\n"                                              \
    "_.stapsdt.base: .space 1\n"                                            \
    ".size _.stapsdt.base, 1\n"                                             \
    ".popsection\n"                                                         \
    ".endif\n"

#define FH_PROBE_1(provider, name, a) \
    __asm__ volatile(FH_PROBE_NOTE(provider, name, "8@%[arg1]") : : [arg1] "r"((uint64_t)(a)))
#define FH_PROBE_3(provider, name, a, b, c)                                         \
    __asm__ volatile(FH_PROBE_NOTE(provider, name, "8@%[arg1] 8@%[arg2] 8@%[arg3]") \
                     :                                                              \
                     : [arg1] "r"((uint64_t)(a)), [arg2] "r"((uint64_t)(b)), [arg3] "r"((uint64_t)(c)))

#endif
