/*
 * dwarf_libdw.c - functions, files and lines by elfutils' libdw: from the file's own debug information, or from a
 * separate file that its build id or its debug link names.
 */
#include "dwarf.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fh_dwarf {
    Dwfl *dwfl;
    Dwfl_Module *module;
    uint64_t bias; /* of addresses as libdwfl has them, over those of the file */
};

static const Dwfl_Callbacks callbacks = {
    .find_elf = dwfl_build_id_find_elf,
    .find_debuginfo = dwfl_standard_find_debuginfo,
    .section_address = dwfl_offline_section_address,
};

struct fh_dwarf *fh_dwarf_open(const char *path, int fd)
{
    struct fh_dwarf *dwarf = calloc(1, sizeof(*dwarf));
    GElf_Addr bias = 0;
    if (dwarf)
        dwarf->dwfl = dwfl_begin(&callbacks);
    if (!dwarf || !dwarf->dwfl) {
        close(fd);
        free(dwarf);
        return NULL;
    }
    dwfl_report_begin(dwarf->dwfl);
    dwarf->module = dwfl_report_offline(dwarf->dwfl, path, path, fd); /* the descriptor is its own, if it succeeds */
    if (!dwarf->module)
        close(fd);
    dwfl_report_end(dwarf->dwfl, NULL, NULL);
    if (!dwarf->module || !dwfl_module_getelf(dwarf->module, &bias)) {
        fh_dwarf_close(dwarf);
        return NULL;
    }
    dwarf->bias = bias;
    return dwarf;
}

void fh_dwarf_close(struct fh_dwarf *dwarf)
{
    if (!dwarf)
        return;
    dwfl_end(dwarf->dwfl);
    free(dwarf);
}

/* --- names --- */

/* The declaration behind an inlined or out-of-line instance: there its scopes are. */
static Dwarf_Die declaration_of(Dwarf_Die die)
{
    for (int i = 0; i < 8; i++) { /* a longer chain is a damaged one */
        Dwarf_Attribute attribute;
        Dwarf_Die next;
        bool has = dwarf_attr(&die, DW_AT_abstract_origin, &attribute) ||
                   dwarf_attr(&die, DW_AT_specification, &attribute);
        if (!has || !dwarf_formref_die(&attribute, &next))
            break;
        die = next;
    }
    return die;
}

static bool is_named_scope(Dwarf_Die *die)
{
    int tag = dwarf_tag(die);
    return tag == DW_TAG_namespace || tag == DW_TAG_class_type || tag == DW_TAG_structure_type ||
           tag == DW_TAG_union_type;
}

/* "outer::inner::function" */
static void name_of(Dwarf_Die *die, char *text, size_t room)
{
    Dwarf_Die declaration = declaration_of(*die), *scopes = NULL;
    const char *name = dwarf_diename(&declaration);
    int count = dwarf_getscopes_die(&declaration, &scopes);
    size_t used = 0;
    text[0] = '\0';
    for (int i = count - 1; i > 0; i--) {
        const char *scope = is_named_scope(&scopes[i]) ? dwarf_diename(&scopes[i]) : NULL;
        if (scope && used < room)
            used += (size_t)snprintf(text + used, room - used, "%s::", scope);
    }
    if (name && used < room)
        snprintf(text + used, room - used, "%s", name);
    if (!name)
        text[0] = '\0';
    free(scopes);
}

static unsigned number_of(Dwarf_Die *die, unsigned name)
{
    Dwarf_Attribute attribute;
    Dwarf_Word value = 0;
    return dwarf_attr(die, name, &attribute) && dwarf_formudata(&attribute, &value) == 0 ? (unsigned)value : 0;
}

/* Where an inlined function was called. */
static void call_site(Dwarf_Die *unit, Dwarf_Die *inlined, struct fh_source *source)
{
    Dwarf_Files *files;
    size_t count;
    unsigned file = number_of(inlined, DW_AT_call_file);
    source->line = number_of(inlined, DW_AT_call_line);
    if (dwarf_getsrcfiles(unit, &files, &count) == 0 && file < count) {
        const char *name = dwarf_filesrc(files, file, NULL, NULL);
        snprintf(source->file, sizeof(source->file), "%s", name ? name : "");
    }
}

/* --- the functions at an address --- */

static void line_of(struct fh_dwarf *dwarf, uint64_t address, struct fh_source *source)
{
    Dwfl_Line *line = dwfl_module_getsrc(dwarf->module, address + dwarf->bias);
    int number = 0;
    const char *file = line ? dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL) : NULL;
    if (!file)
        return;
    snprintf(source->file, sizeof(source->file), "%s", file);
    source->line = number > 0 ? (unsigned)number : 0;
}

static void symbol_of(struct fh_dwarf *dwarf, uint64_t address, struct fh_source *source)
{
    GElf_Off offset;
    GElf_Sym symbol;
    const char *name =
        dwfl_module_addrinfo(dwarf->module, address + dwarf->bias, &offset, &symbol, NULL, NULL, NULL);
    if (name && (symbol.st_size == 0 || offset < symbol.st_size))
        snprintf(source->function, sizeof(source->function), "%s", name);
}

size_t fh_dwarf_find(struct fh_dwarf *dwarf, uint64_t address, struct fh_source *sources, size_t most)
{
    Dwarf_Addr bias;
    Dwarf_Die *unit = dwfl_module_addrdie(dwarf->module, address + dwarf->bias, &bias);
    Dwarf_Die *at = NULL, *around = NULL;
    size_t count = 0;
    line_of(dwarf, address, &sources[0]);
    int depth = unit ? dwarf_getscopes(unit, address + dwarf->bias - bias, &at) : 0;
    if (depth > 0)
        depth = dwarf_getscopes_die(&at[0], &around);
    for (int i = 0; i < depth && count < most; i++) {
        int tag = dwarf_tag(&around[i]);
        if (tag != DW_TAG_subprogram && tag != DW_TAG_inlined_subroutine)
            continue;
        name_of(&around[i], sources[count].function, sizeof(sources[count].function));
        count++;
        if (tag == DW_TAG_subprogram)
            break;
        if (count < most)
            call_site(unit, &around[i], &sources[count]);
    }
    free(at);
    free(around);
    if (count == 0 || !sources[count - 1].function[0])
        symbol_of(dwarf, address, &sources[count ? count - 1 : 0]);
    return count ? count : 1;
}
