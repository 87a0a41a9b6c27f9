#include "addresses.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t MAPPED[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool address_equal(const struct address *a, const struct address *b)
{
    return a->port == b->port && a->tcp == b->tcp && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

void address_from_socket(struct address *address, const struct sockaddr *name)
{
    address->tcp = false;
    if (name->sa_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)name;
        memcpy(address->ip, &six->sin6_addr, 16);
        address->port = ntohs(six->sin6_port);
    } else {
        const struct sockaddr_in *four = (const struct sockaddr_in *)name;
        memcpy(address->ip, MAPPED, 12);
        memcpy(address->ip + 12, &four->sin_addr, 4);
        address->port = ntohs(four->sin_port);
    }
}

socklen_t address_to_socket(const struct address *address, int family, struct sockaddr_storage *name)
{
    memset(name, 0, sizeof *name);
    if (family == AF_INET6) {
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)name;
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(address->port);
        memcpy(&six->sin6_addr, address->ip, 16);
        return sizeof *six;
    }
    if (memcmp(address->ip, MAPPED, 12) != 0)
        return 0;
    struct sockaddr_in *four = (struct sockaddr_in *)name;
    four->sin_family = AF_INET;
    four->sin_port = htons(address->port);
    memcpy(&four->sin_addr, address->ip + 12, 4);
    return sizeof *four;
}

void address_to_text(const struct address *address, char *text)
{
    bool four = memcmp(address->ip, MAPPED, 12) == 0;
    inet_ntop(four ? AF_INET : AF_INET6, four ? address->ip + 12 : address->ip, text, INET6_ADDRSTRLEN);
}

bool address_from_text(struct address *address, const char *host, uint16_t port)
{
    address->port = port;
    address->tcp = false;
    memcpy(address->ip, MAPPED, 12);
    if (inet_pton(AF_INET, host, address->ip + 12) == 1)
        return true;
    return inet_pton(AF_INET6, host, address->ip) == 1;
}

bool address_table_make(struct address_table *table, uint32_t slots, uint64_t seed)
{
    table->entries = calloc(slots, sizeof *table->entries);
    table->slots = slots;
    table->used = 0;
    table->seed = seed;
    return table->entries != NULL;
}

void address_table_free(struct address_table *table)
{
    free(table->entries);
    table->entries = NULL;
}

uint32_t address_home(const struct address_table *table, const struct address *address)
{
    uint64_t high, low;
    memcpy(&high, address->ip, 8);
    memcpy(&low, address->ip + 8, 8);
    /* the seed is drawn at start-up: nobody can choose addresses that collide */
    uint64_t mixed = (high ^ table->seed) * 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ (mixed >> 32) ^ low) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 29) ^ address->port ^ (uint64_t)address->tcp << 16) * 0x94d049bb133111ebu;
    return (uint32_t)(mixed >> 32) & (table->slots - 1);
}

/* Where the address is, or the free slot where it would be. */
static uint32_t slot_of(const struct address_table *table, const struct address *address)
{
    uint32_t slot = address_home(table, address);
    while (table->entries[slot].owner != NULL && !address_equal(&table->entries[slot].address, address))
        slot = (slot + 1) & (table->slots - 1);
    return slot;
}

void *address_table_find(const struct address_table *table, const struct address *address)
{
    return table->entries[slot_of(table, address)].owner;
}

bool address_table_put(struct address_table *table, const struct address *address, void *owner)
{
    struct address_entry *entry = &table->entries[slot_of(table, address)];
    if (entry->owner == NULL) {
        if (table->used >= table->slots / 2)
            return false;
        table->used++;
        entry->address = *address;
    }
    entry->owner = owner;
    return true;
}

void address_table_remove(struct address_table *table, const struct address *address)
{
    uint32_t mask = table->slots - 1;
    uint32_t gap = slot_of(table, address);
    if (table->entries[gap].owner == NULL)
        return;
    table->entries[gap].owner = NULL;
    table->used--;
    /* close the gap: whatever stands behind it and belongs at or before it moves up */
    for (uint32_t slot = (gap + 1) & mask; table->entries[slot].owner != NULL; slot = (slot + 1) & mask) {
        uint32_t wanted = address_home(table, &table->entries[slot].address);
        if (((slot - wanted) & mask) >= ((slot - gap) & mask)) {
            table->entries[gap] = table->entries[slot];
            table->entries[slot].owner = NULL;
            gap = slot;
        }
    }
}
