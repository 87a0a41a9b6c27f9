/* Whose address is this? An open-addressing table from addresses to their owners: validated ones to transports,
 * those of TCP streams to streams. */

#ifndef KONSIL_ADDRESSES_H
#define KONSIL_ADDRESSES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* IPv4 as an IPv4-mapped IPv6 address, so that the same peer is one key whatever the socket's family. */
struct address {
    uint8_t ip[16];
    uint16_t port; /* the host's byte order */
    bool tcp;      /* the end of a stream */
};

bool address_equal(const struct address *a, const struct address *b);
void address_from_socket(struct address *address, const struct sockaddr *name);
/* Fill `name` for a socket of `family`; 0 when an IPv4 socket cannot reach the address, else the length. */
socklen_t address_to_socket(const struct address *address, int family, struct sockaddr_storage *name);
/* Text of at least INET6_ADDRSTRLEN bytes; IPv4 dotted. */
void address_to_text(const struct address *address, char *text);
bool address_from_text(struct address *address, const char *host, uint16_t port);

struct address_entry {
    struct address address;
    void *owner; /* NULL: free */
};

struct address_table {
    struct address_entry *entries;
    uint32_t slots, used; /* slots: a power of two, never more than half used */
    uint64_t seed;
};

bool address_table_make(struct address_table *table, uint32_t slots, uint64_t seed);
void address_table_free(struct address_table *table);
uint32_t address_home(const struct address_table *table, const struct address *address); /* its first slot */
void *address_table_find(const struct address_table *table, const struct address *address);
/* Enter or replace; false when the table is full. */
bool address_table_put(struct address_table *table, const struct address *address, void *owner);
void address_table_remove(struct address_table *table, const struct address *address);

#endif
