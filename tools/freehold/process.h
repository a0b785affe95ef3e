/*
 * process.h - what /proc says about another process: who it is, what is mapped into it, how it was started.
 */
#ifndef FREEHOLD_TOOL_PROCESS_H
#define FREEHOLD_TOOL_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The process id that a word is; false when it is none. Whether there is such a process is another question. */
bool fh_process_id(const char *word, pid_t *pid);

struct fh_process {
    pid_t pid;
    char name[64];
    char *executable; /* its path as the process sees it */
};

/*
 * Fills *process, or prints why not, with what helps (no such process, another user's, a kernel thread, a zombie), and
 * returns FH_EXIT_FAILED.
 */
int fh_process_open(const char *verb, pid_t pid, struct fh_process *process);
void fh_process_close(struct fh_process *process);

/* Prints why reading the process failed with `error`; returns FH_EXIT_FAILED. */
int fh_process_say_error(const char *verb, pid_t pid, int error);

/* A file of which a part is mapped executable. */
struct fh_mapped_file {
    char *path;                    /* as the process sees it, without the mark of a deleted file */
    uint64_t start;                /* of its lowest mapping */
    uint64_t code_start, code_end; /* of its first executable mapping */
};

/* The mapped files, each once, in the order of their addresses. 0, or an errno. *files is freed by
 * fh_process_files_free. */
int fh_process_files(pid_t pid, struct fh_mapped_file **files, size_t *count);
void fh_process_files_free(struct fh_mapped_file *files, size_t count);

/* Opens a mapped file, or (NULL) the executable; a deleted one too, as far as the kernel allows. -1 when not. */
int fh_process_open_file(pid_t pid, const struct fh_mapped_file *file);

/*
 * The environment with which a process was started: NAME=VALUE strings, each terminated. Daemons that set their title
 * write over it; then it is not intact.
 */
struct fh_environment {
    char *text;
    size_t bytes;
};
int fh_process_environment(pid_t pid, struct fh_environment *environment); /* 0, or an errno */
void fh_process_environment_free(struct fh_environment *environment);
const char *fh_environment_value(const struct fh_environment *environment, const char *name); /* NULL: not there */
bool fh_environment_intact(const struct fh_environment *environment);

/* A whole file of /proc, terminated; NULL and errno when it cannot be read or is larger than any sensible one. */
char *fh_read_whole_file(const char *path, size_t *bytes);

#endif
