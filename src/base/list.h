/*
 * list.h - a circular doubly linked list whose links live inside the elements.
 *
 * Layer: base. A list head points at itself when the list is empty; an element that is on no list has next == NULL.
 */
#ifndef FH_LIST_H
#define FH_LIST_H

#include "base.h"

struct fh_list {
    struct fh_list *next;
    struct fh_list *prev;
};

FH_INLINE void fh_list_init(struct fh_list *head) { head->next = head->prev = head; }
FH_INLINE bool fh_list_is_empty(const struct fh_list *head) { return head->next == head; }
FH_INLINE bool fh_list_is_linked(const struct fh_list *node) { return node->next != NULL; }

FH_INLINE void fh_list_insert_between(struct fh_list *node, struct fh_list *before, struct fh_list *after)
{
    node->prev = before;
    node->next = after;
    before->next = node;
    after->prev = node;
}

FH_INLINE void fh_list_push_front(struct fh_list *head, struct fh_list *node)
{
    fh_list_insert_between(node, head, head->next);
}

FH_INLINE void fh_list_push_back(struct fh_list *head, struct fh_list *node)
{
    fh_list_insert_between(node, head->prev, head);
}

FH_INLINE void fh_list_remove(struct fh_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = node->prev = NULL;
}

#endif
